"""Accuracy on the test images."""

import torch
from torch import nn

from bench.training.batches import Batches
from bench.training.outcome import Diverged


@torch.inference_mode()
def accuracy(model: nn.Module, batches: Batches) -> float:
    """Share of test images, 0 .. 1, whose largest logit is the right one. No test-time augmentation.

    Raises `Diverged` when a logit is not finite: the largest of such numbers means nothing.
    """
    was_training = model.training
    model.eval()
    correct = torch.zeros((), dtype=torch.int64, device=batches.device)
    finite = torch.ones((), dtype=torch.bool, device=batches.device)
    for images, labels in batches.testing():
        logits = model(images)
        finite &= logits.isfinite().all()
        correct += (logits.argmax(1) == labels).sum()
    model.train(was_training)
    if not finite:
        raise Diverged("a logit of the test images is not finite")
    return correct.item() / len(batches.test)
