"""From the `data` section of a configuration to `Images`: find, read, limit, fit to the network, count statistics."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.data.images import Images, Originals, channel_statistics, fit
from bench.data.registry import DATASETS
from bench.data.subset import HELD_OUT_SEED, balanced_subset
from bench.errors import InputError


def load(data: dict[str, Any], in_channels: int = 3, classes: int | None = None) -> Images:
    """Read the data set that `data` names, with the keys name, image_size, train_images, test_images and root.

    `train_images` and `test_images` are limits (None or absent: all). `root` is a folder to look in first. With
    `validation_images`, so many training images, always the same, are held out and stand in the test images' place.
    `classes`, where given, must be the data set's. Raises `InputError` when the data set is unknown, missing or broken.
    """
    name = data["name"]
    if name not in DATASETS:
        raise InputError(f"There is no data set {name!r}; choose one of {', '.join(DATASETS)}.")
    root = Path(data["root"]).expanduser() if data.get("root") else None
    originals = DATASETS[name].loader(root, data["image_size"])
    check(name, originals)
    count = len(originals.classes)
    if classes not in (None, count):
        raise InputError(f"classes: {classes} was given but data set {name!r} has {count}; set classes to {count}.")
    if data.get("validation_images"):
        originals = hold_out(originals, data["validation_images"])
    train = balanced_subset(originals.train_labels, data.get("train_images"), count, "data.train_images")
    evaluated = "data.test_images (of the images held out)" if data.get("validation_images") else "data.test_images"
    test = balanced_subset(originals.test_labels, data.get("test_images"), count, evaluated)
    train_images = fit(take(originals.train, train), data["image_size"], in_channels)
    mean, std = channel_statistics(train_images)
    return Images(
        train=train_images,
        train_labels=originals.train_labels[train],
        test=fit(take(originals.test, test), data["image_size"], in_channels),
        test_labels=originals.test_labels[test],
        mean=mean,
        std=std,
        classes=originals.classes,
        source=originals.source,
        cached=originals.cached,
        evaluated_on="validation" if data.get("validation_images") else "test",
    )


def hold_out(originals: Originals, count: int) -> Originals:
    """`originals` with `count` training images in place of the test images, which nothing sees from here on."""
    labels = originals.train_labels
    held = balanced_subset(labels, count, len(originals.classes), "data.validation_images", HELD_OUT_SEED)
    left = torch.ones(len(labels), dtype=torch.bool)
    left[held] = False
    return dataclasses.replace(
        originals,
        train=originals.train[left],
        train_labels=labels[left],
        test=originals.train[held],
        test_labels=labels[held],
    )


def take(images: Tensor, index: Tensor) -> Tensor:
    """The images at `index`, not copied when that is all of them."""
    return images if len(index) == len(images) else images[index]


def check(name: str, originals: Originals) -> None:
    """Raise `InputError` when a data set is not what a loader promises: types, shapes, labels within the classes."""
    for split, images, labels in (
        ("training", originals.train, originals.train_labels),
        ("test", originals.test, originals.test_labels),
    ):
        if images.dtype != torch.uint8 or images.ndim != 4 or labels.dtype != torch.int64:
            raise InputError(
                f"The loader of {name!r} gave {split} images {images.dtype} {tuple(images.shape)} and labels "
                f"{labels.dtype}; uint8 (N, C, H, W) and int64 are needed."
            )
        if len(images) != len(labels) or not len(images):
            raise InputError(
                f"Data set {name!r} has {len(images)} {split} images and {len(labels)} labels; fetch it again."
            )
        if labels.min() < 0 or labels.max() >= len(originals.classes):
            raise InputError(
                f"Data set {name!r} has a {split} label outside 0 .. {len(originals.classes) - 1}; fetch it again."
            )
