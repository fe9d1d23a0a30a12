"""Augmentation on the device: flip and padded translation by one gather a batch, then normalisation and cutout.

The random choices of a whole epoch are drawn at its start, on the CPU: a run makes the same choices on every kind of
device, and no step waits for a number to be copied.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from bench.data import Images
from bench.training.recipe import Recipe

FLIP_SEED_OFFSET = 1_000_003  # the alternating flip's own stream of random numbers: made again on resume, not stored


@dataclass(frozen=True)
class Choices:
    """An epoch's choices for each image (N,): shifts in pixels, whether mirrored, centre of the cut-out square."""

    shift_y: Tensor
    shift_x: Tensor
    mirrored: Tensor
    hole_y: Tensor
    hole_x: Tensor

    def of(self, index: Tensor) -> "Choices":
        """The choices for a batch of images."""
        return Choices(*(choice[index] for choice in vars(self).values()))


class Augmentation:
    """Augments batches of uint8 training images by a recipe."""

    def __init__(self, recipe: Recipe, images: Images, seed: int, device: torch.device) -> None:
        self.recipe = recipe
        self.count, _, self.height, self.width = images.train.shape
        self.device = device
        generator = torch.Generator().manual_seed(seed + FLIP_SEED_OFFSET)
        self.first_mirrored = torch.rand(self.count, generator=generator) < 0.5

    def draw(self, epoch: int, generator: Generator) -> Choices:
        """Choices of `epoch` (1, 2, ...).

        The alternating flip mirrors half of the images in one epoch and the others in the next.
        """
        reach = self.recipe.translate

        def integers(low: int, high: int) -> Tensor:
            return torch.randint(low, high, (self.count,), generator=generator)

        random_flip = torch.rand(self.count, generator=generator) < 0.5
        mirrored = {
            "none": torch.zeros(self.count, dtype=torch.bool),
            "random": random_flip,
            "alternating": self.first_mirrored ^ (epoch % 2 == 0),
        }[self.recipe.flip]
        choices = (
            integers(-reach, reach + 1),
            integers(-reach, reach + 1),
            mirrored,
            integers(0, self.height),
            integers(0, self.width),
        )
        return Choices(*(choice.to(self.device) for choice in choices))

    def move(self, images: Tensor, choices: Choices) -> Tensor:
        """Flip and translate a batch, uint8 (B, C, H, W), the border filled by reflection: one gather, exact pixels."""
        if not self.recipe.translate and self.recipe.flip == "none":
            return images
        rows = torch.arange(self.height, device=images.device) + choices.shift_y[:, None]
        columns = torch.arange(self.width, device=images.device) + choices.shift_x[:, None]
        columns = torch.where(choices.mirrored[:, None], self.width - 1 - columns, columns)
        rows, columns = reflect(rows, self.height), reflect(columns, self.width)
        pixels = (rows[:, :, None] * self.width + columns[:, None, :]).flatten(1)
        flat = images.flatten(2)
        return flat.gather(2, pixels[:, None].expand(flat.shape)).view(images.shape)

    def cut(self, batch: Tensor, choices: Choices) -> Tensor:
        """Set a square of each normalised image, float (B, C, H, W), to 0 (the mean colour), in place."""
        size = self.recipe.cutout
        if not size:
            return batch
        rows = torch.arange(self.height, device=batch.device) - choices.hole_y[:, None] + size // 2
        columns = torch.arange(self.width, device=batch.device) - choices.hole_x[:, None] + size // 2
        inside_rows, inside_columns = (rows >= 0) & (rows < size), (columns >= 0) & (columns < size)
        return batch.masked_fill_((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0.0)


def reflect(index: Tensor, length: int) -> Tensor:
    """Reflect indices beyond 0 .. length - 1 back inside, the border not repeated (-1 -> 1, length -> length - 2)."""
    last = length - 1
    return last - (last - index.abs()).abs()
