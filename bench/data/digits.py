"""Handwritten digits of scikit-learn: 1,797 real images of 8x8, installed with the library."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.data.images import Originals
from bench.data.places import missing
from bench.data.subset import balanced_subset
from bench.errors import InputError

SIDE, LEVELS, CLASSES = 8, 16, 10  # pixels; grey values are 0 .. 16
TEST_IMAGES = 360  # 36 a class, the same for every run; the other 1,437 are for training
FILE = Path("datasets", "data", "digits.csv.gz")  # in the folder of the package sklearn


def load(root: Path | None, image_size: int) -> Originals:
    """Digits enlarged to the largest multiple of 8 pixels that leaves `image_size` a margin. `root` is not needed."""
    if image_size < SIDE:
        raise InputError(f"image_size {image_size} is smaller than the {SIDE}x{SIDE} digits; set it to {SIDE} or more.")
    pixels, labels = read()
    images = enlarge(pixels, enlarged_side(image_size))
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    is_test[balanced_subset(labels, TEST_IMAGES, CLASSES, "digits")] = True
    return Originals(
        train=images[~is_test],
        train_labels=labels[~is_test],
        test=images[is_test],
        test_labels=labels[is_test],
        classes=tuple(str(label) for label in range(CLASSES)),
        source="scikit-learn's digits",
    )


def read() -> tuple[Tensor, Tensor]:
    """All digits, float (1797, 8, 8) in 0 .. 16, and their labels, int64 (1797,).

    The file is read where scikit-learn keeps it: importing that library would take seconds. Raises `InputError` where
    it is not installed.
    """
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise missing("digits", ["the installed packages"], "install scikit-learn")
    with gzip.open(Path(package.origin).parent / FILE, "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    return torch.from_numpy(table[:, :-1].reshape(-1, SIDE, SIDE)), torch.from_numpy(table[:, -1].astype(np.int64))


def enlarged_side(image_size: int) -> int:
    """Side of the enlarged digit: a multiple of 8 below `image_size`, so that translations have a margin (32 -> 24)."""
    return max(SIDE, (image_size - 1) // SIDE * SIDE)


def enlarge(images: Tensor, side: int) -> Tensor:
    """Bilinear enlargement of float (N, 8, 8) in 0 .. 16 to uint8 (N, 1, side, side) in 0 .. 255."""
    larger = functional.interpolate(images.unsqueeze(1), size=(side, side), mode="bilinear", align_corners=False)
    return (larger * (255 / LEVELS)).round().clamp(0, 255).to(torch.uint8)
