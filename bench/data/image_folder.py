"""Any folder of images in ImageFolder layout: <root>/{train,test}/<class>/<image>, all images of one size."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.data.cache import cached_array
from bench.data.images import Originals
from bench.data.places import DATA_FOLDER, missing
from bench.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp", ".tif", ".tiff", ".gif"}
SPLITS = ("train", "test")
DEEP = ("I", "F")  # how Pillow's modes of more than 8 bits a pixel begin


def load(root: Path | None, image_size: int) -> Originals:
    """The images of `root`, which must be given."""
    del image_size
    if root is None:
        raise InputError("The data set 'image-folder' needs data.root, a folder {train,test}/<class>/<image>; set it.")
    return read_first("image-folder", [root], "set data.root to a folder {train,test}/<class>/<image>")


def load_cifar10_jpeg(root: Path | None, image_size: int) -> Originals:
    """CIFAR-10 as JPEG, from `root`, a folder cifar10-jpeg in it, or ./data/cifar10-jpeg."""
    del image_size
    folders = [DATA_FOLDER / "cifar10-jpeg"]
    if root is not None:
        folders = [root, root / "cifar10-jpeg", *folders]
    how = "put its folders train/<class> and test/<class> into data/cifar10-jpeg, or set data.root to their folder"
    return read_first("cifar10-jpeg", folders, how)


def read_first(name: str, folders: list[Path], how: str) -> Originals:
    """Read the first of `folders` that has both splits; `InputError` when none has."""
    for folder in folders:
        if all((folder / split).is_dir() for split in SPLITS):
            return read(folder)
    raise missing(name, folders, how)


def read(folder: Path) -> Originals:
    """Read both splits of `folder`; their classes must be the same."""
    classes = class_names(folder / "train")
    if class_names(folder / "test") != classes:
        raise InputError(f"{folder / 'train'} and {folder / 'test'} have different classes; make them the same.")
    train, train_labels, train_cached = read_split(folder / "train", classes)
    test, test_labels, test_cached = read_split(folder / "test", classes)
    return Originals(
        train=train,
        train_labels=train_labels,
        test=test,
        test_labels=test_labels,
        classes=classes,
        source=f"images in {folder}",
        cached=train_cached and test_cached,
    )


def class_names(split: Path) -> tuple[str, ...]:
    """The classes of a split: its folders, in alphabetical order."""
    return tuple(sorted(path.name for path in split.iterdir() if path.is_dir() and not path.name.startswith(".")))


def read_split(split: Path, classes: tuple[str, ...]) -> tuple[Tensor, Tensor, bool]:
    """Images uint8 (N, 3, H, W) and labels int64 (N,) of one split, and whether a cache had the images."""
    files = [(name, file) for name in classes for file in image_files(split / name)]
    if not files:
        raise InputError(f"{split} holds no images in folders by class; put images there as {split}/<class>/<image>.")
    images, cached = cached_array(files, lambda: decode([Path(file.path) for _, file in files]))
    numbers = {name: label for label, name in enumerate(classes)}
    return torch.from_numpy(images), torch.tensor([numbers[name] for name, _ in files]), cached


def image_files(folder: Path) -> list[os.DirEntry]:
    """The images of a folder by name; `InputError` names a link to nothing.

    (Not as `Path`, which takes seconds for 60,000 files.)
    """
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if os.path.splitext(entry.name)[1].lower() in SUFFIXES]  # noqa: PTH122
    for file in files:
        if file.is_symlink() and not os.path.exists(file.path):  # noqa: PTH110
            raise InputError(f"{file.path} is a link to a file that is not there; replace or remove it.")
    return sorted(files, key=lambda file: file.name)


def decode(paths: list[Path]) -> np.ndarray:
    """Decode images to uint8 (N, 3, H, W); `InputError` names the first that is broken or of another size."""
    images: np.ndarray = np.empty(0, dtype=np.uint8)
    for number, path in enumerate(paths):
        try:
            with Image.open(path) as image:
                if image.mode.startswith(DEEP):
                    raise ValueError(f"its pixels, of mode {image.mode}, would be cut off at 255; make them 8 bits")
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} cannot be read as an image ({error}); replace or remove it.") from error
        if number == 0:
            images = np.empty((len(paths), 3, *pixels.shape[:2]), dtype=np.uint8)
        if pixels.shape[:2] != images.shape[2:]:
            raise InputError(
                f"{path} is {pixels.shape[0]}x{pixels.shape[1]} but {paths[0]} is {images.shape[2]}x{images.shape[3]}; "
                "bring all images to one size first."
            )
        images[number] = pixels.transpose(2, 0, 1)
    return images
