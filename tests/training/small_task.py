"""A small task that a tiny network learns in a second: bright and dark halves."""

import torch
from torch import nn

from bench.data import Images
from bench.training.batches import Batches
from bench.training.clock import Clock
from bench.training.loop import Trainer
from bench.training.processes import ALONE, Processes
from bench.training.recipe import Recipe

CPU = torch.device("cpu")


def make_images(train: int = 96, test: int = 40, size: int = 8) -> Images:
    """Noise, brighter in the upper half for class 1 and in the lower half for class 0."""
    generator = torch.Generator().manual_seed(5)

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(count) % 2
        images = torch.randint(0, 120, (count, 3, size, size), dtype=torch.uint8, generator=generator)
        images[labels == 1, :, : size // 2] += 100
        images[labels == 0, :, size // 2 :] += 100
        return images, labels

    return Images(*split(train), *split(test), (110.0,) * 3, (60.0,) * 3, ("lower", "upper"), "made for tests")


def make_network() -> nn.Module:
    """Convolution, batch normalisation (has buffers), dropout (draws from torch's generator), and a head."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(512, 2)
    )


def make_recipe(**changes) -> Recipe:
    """Three epochs of six steps, with every augmentation in use."""
    settings = {"epochs": 3, "batch_size": 16, "peak_learning_rate": 0.05, "label_smoothing": 0.1}
    return Recipe(**{**settings, "flip": "alternating", "translate": 1, "cutout": 2, **changes})


def make_trainer(model: nn.Module | None = None, seed: int = 3, processes: Processes = ALONE, **changes) -> Trainer:
    """A trainer of the tiny network on the small task, ready to go."""
    recipe = make_recipe(**changes)
    batches = Batches(make_images(), recipe, seed, CPU, processes=processes)
    return Trainer(model or make_network(), batches, recipe, Clock(CPU), processes)
