"""Handwritten digits of scikit-learn: 1,797 real images of 8x8, installed with the library."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.data.images import Originals
from bench.errors import InputError

SIDE, LEVELS = 8, 16  # pixels; grey values are 0 .. 16
TEST_IMAGES = 360  # the other 1,437 are for training
SPLIT_SEED = 0  # the split is the same for every run


def load(root: Path | None, image_size: int) -> Originals:
    """Digits enlarged to the largest multiple of 8 pixels that leaves `image_size` a margin. `root` is not needed."""
    if image_size < SIDE:
        raise InputError(f"image_size {image_size} is smaller than the {SIDE}x{SIDE} digits; set it to {SIDE} or more.")
    # Imported here: scikit-learn takes a second to load, and most steps need no images.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = enlarge(torch.from_numpy(bunch.images.astype(np.float32)), enlarged_side(image_size))
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, random_state=SPLIT_SEED, stratify=bunch.target
    )
    return Originals(
        train=images[train],
        train_labels=labels[train],
        test=images[test],
        test_labels=labels[test],
        classes=tuple(str(name) for name in bunch.target_names),
        source="scikit-learn's load_digits",
    )


def enlarged_side(image_size: int) -> int:
    """Side of the enlarged digit: a multiple of 8 below `image_size`, so that translations have a margin (32 -> 24)."""
    return max(SIDE, (image_size - 1) // SIDE * SIDE)


def enlarge(images: Tensor, side: int) -> Tensor:
    """Bilinear enlargement of float (N, 8, 8) in 0 .. 16 to uint8 (N, 1, side, side) in 0 .. 255."""
    larger = functional.interpolate(images.unsqueeze(1), size=(side, side), mode="bilinear", align_corners=False)
    return (larger * (255 / LEVELS)).round().clamp(0, 255).to(torch.uint8)
