"""Trains the control with one seed and evaluates it once, at the end."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.control.network import ControlNetwork
from bench.control.recipe import WHITENING_BIAS_EPOCHS, make_optimizer, rate
from bench.data import Images
from bench.errors import InputError
from bench.training.batches import Batches
from bench.training.clock import Clock
from bench.training.evaluation import accuracy
from bench.training.loop import Trainer, ignore
from bench.training.memory_format import place
from bench.training.precision import computing
from bench.training.recipe import Recipe

WHITENED_IMAGES = 5000
LEAST_SIDE = 9  # below, three groups leave no pixel


@dataclass(frozen=True)
class Ended:
    """What a training of the control came to, all None where it diverged; accuracies are 0 .. 1."""

    parameters: int | None
    losses: list[float] | None  # mean of each epoch
    accuracy: float | None
    flip_tta_accuracy: float | None
    views_accuracy: float | None  # the published one: mirrored and moved, see `Views`


class Views(nn.Module):
    """Mean logits of `model` over six views of an image: unmoved, a pixel up-left, a pixel down-right, each mirrored.

    The unmoved pair counts half.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, C, H, W)."""
        height, width = images.shape[2:]
        padded = functional.pad(images, (1, 1, 1, 1), mode="reflect")
        moved = self.both(padded[:, :, :height, :width]) + self.both(padded[:, :, 2:, 2:])
        return self.both(images) / 2 + moved / 4

    def both(self, images: Tensor) -> Tensor:
        """Mean logits of images and their mirror images."""
        return (self.model(images).float() + self.model(images.flip(3)).float()) / 2


def train_control(
    images: Images, recipe: Recipe, seed: int, clock: Clock, on_epoch: Callable[[int, float], object]
) -> Ended:
    """Train on `images`, on the clock's device; `on_epoch(epoch, loss)` follows each epoch.

    Raises `Diverged` when the loss is not finite, and `InputError` for images that are too small.
    """
    if (side := min(images.train.shape[2:])) < LEAST_SIDE:
        raise InputError(f"The control needs images of {LEAST_SIDE} pixels a side or more, not {side}; use others.")
    with clock.phase("build"):
        torch.manual_seed(seed)
        batches = Batches(images, recipe, seed, clock.device)
        samples = batches.normalise(images.train[:WHITENED_IMAGES]).cpu()
        model = ControlNetwork(samples, len(images.classes))
        place(model, clock.device, recipe.precision)
        trainer = trainer_of(model, batches, recipe, clock)
    losses = []
    for epoch in range(1, recipe.epochs + 1):
        model.train_whitening_bias(epoch <= WHITENING_BIAS_EPOCHS)
        with clock.phase("training"):
            losses.append(trainer.train_epoch(epoch, ignore))
        on_epoch(epoch, losses[-1])
    with clock.phase("evaluation"), computing(recipe.precision, clock.device):
        return Ended(
            sum(parameter.numel() for parameter in model.parameters()),
            losses,
            accuracy(model, batches),
            accuracy(model, batches, mirrored=True),
            accuracy(Views(model), batches),
        )


def trainer_of(model: ControlNetwork, batches: Batches, recipe: Recipe, clock: Clock) -> Trainer:
    """What trains it. No graph is recorded, since in it the whitening bias would be trained to the end."""
    return Trainer(model, batches, recipe, clock, capture=False, optimizer=make_optimizer(model, recipe), schedule=rate)
