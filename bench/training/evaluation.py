"""Accuracy on the images that a run is judged by: the test images, or those held out for choosing a recipe."""

import torch
from torch import nn

from bench.training.batches import Batches
from bench.training.outcome import Diverged
from bench.training.processes import ALONE, Processes


@torch.inference_mode()
def accuracy(model: nn.Module, batches: Batches, processes: Processes = ALONE, mirrored: bool = False) -> float:
    """Share of images, 0 .. 1, whose largest logit is the right one.

    `mirrored` is test-time augmentation: the logits of an image and of its mirror image are added. Several processes
    share the batches. Raises `Diverged` when a logit is not finite: the largest of such numbers means nothing.
    """
    was_training = model.training
    model.eval()
    counts = torch.zeros(2, dtype=torch.int64, device=batches.device)  # right ones, batches that are not finite
    for number, (images, labels) in enumerate(batches.testing()):
        if number % processes.count != processes.rank:
            continue
        logits = model(images).float()
        if mirrored:
            logits = logits + model(images.flip(3)).float()
        counts[0] += (logits.argmax(1) == labels).sum()
        counts[1] += ~logits.isfinite().all()
    model.train(was_training)
    right, broken = processes.sum_(counts).tolist()
    if broken:
        raise Diverged(f"a logit of the {batches.evaluated_on} images is not finite")
    return right / len(batches.test)
