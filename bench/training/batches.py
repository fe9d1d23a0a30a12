"""The data path: uint8 images where they are kept, float batches where they are trained on. No worker processes."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from bench.data import Images
from bench.errors import InputError
from bench.training.augmentation import Augmentation
from bench.training.memory_format import memory_format
from bench.training.processes import ALONE, Processes
from bench.training.recipe import Recipe


class Batches:
    """Training and test batches of a data set: images float32 (B, C, H, W), normalised, and labels int64 (B,).

    `keep_on` is where the uint8 images stay: the device itself, or the host when the device's memory is capped. Labels
    are on the device, which augments. Of several `processes` each gets its share of every training batch, from the same
    order and the same choices.
    """

    def __init__(
        self,
        images: Images,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        keep_on: torch.device | None = None,
        processes: Processes = ALONE,
    ) -> None:
        count, _, height, width = images.train.shape
        if recipe.batch_size > count:
            raise InputError(
                f"training.batch_size is {recipe.batch_size} but there are {count} training images; "
                f"set it to {count} or less."
            )
        if recipe.translate >= min(height, width):
            raise InputError(
                f"training.translate is {recipe.translate}; it must be below the image size {min(height, width)}."
            )
        if recipe.cutout > min(height, width):
            raise InputError(
                f"training.cutout is {recipe.cutout}; it must be at most the image size {min(height, width)}."
            )
        self.recipe, self.device, self.count = recipe, device, count
        self.share, self.rank = processes.share(recipe.batch_size), processes.rank
        self.evaluated_on = images.evaluated_on
        self.format = memory_format(device, recipe.precision)
        keep_on = keep_on or device
        self.on_host = keep_on.type != device.type
        self.train, self.train_labels = images.train.to(keep_on), images.train_labels.to(device)
        self.test, self.test_labels = images.test.to(keep_on), images.test_labels.to(device)
        self.augmentation = Augmentation(recipe, images, seed, device)
        self.generator: Generator = torch.Generator().manual_seed(seed)
        self.mean = torch.tensor(images.mean, device=device).view(-1, 1, 1)
        self.scale = torch.tensor(images.std, device=device).reciprocal().view(-1, 1, 1)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch; the images left over differ from epoch to epoch."""
        return self.count // self.recipe.batch_size

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented batches of `epoch` (1, 2, ...) in a random order: this process's share of each of the recipe's."""
        order = torch.randperm(self.count, generator=self.generator)
        kept, order = order.to(self.train.device), order.to(self.device)
        choices = self.augmentation.draw(epoch, self.generator)
        for step in range(self.steps_per_epoch):
            start = step * self.recipe.batch_size + self.rank * self.share
            share = slice(start, start + self.share)
            index = order[share]
            chosen = choices.of(index)
            moved = self.augmentation.move(self.fetch(kept[share]), chosen)
            batch = self.augmentation.cut(self.normalise(moved), chosen)
            yield batch, self.train_labels[index]

    def testing(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The images to evaluate on, in order, unchanged but normalised; no batch is larger than a process's share."""
        size = self.share
        for start in range(0, len(self.test), size):
            batch = self.normalise(self.test[start : start + size])
            yield batch, self.test_labels[start : start + size]

    def fetch(self, index: Tensor) -> Tensor:
        """The training images of `index`, uint8 on the device; from the host by page-locked memory: no step waits."""
        if not self.on_host:
            return self.train[index]
        images = torch.empty(len(index), *self.train.shape[1:], dtype=torch.uint8, pin_memory=True)
        return torch.index_select(self.train, 0, index, out=images).to(self.device, non_blocking=True)

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) in 0 .. 255 to float32 of mean 0 and deviation 1 a channel, on the device."""
        moved = images.to(self.device, non_blocking=True)
        return moved.to(torch.float32, memory_format=self.format).sub_(self.mean).mul_(self.scale)
