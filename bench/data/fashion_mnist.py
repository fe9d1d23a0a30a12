"""Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey images of 28x28 in ten classes, as IDX files."""

from pathlib import Path

import torch
from torch import Tensor

from bench.data.idx import read_idx
from bench.data.images import Originals
from bench.data.places import DATA_FOLDER, existing_files, missing, one_download_at_a_time
from bench.errors import InputError

CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
HOW = (
    "install the Debian package dataset-fashion-mnist, or put the four files *-ubyte.gz into data/fashion-mnist, "
    "or set data.root to their folder"
)


def load(root: Path | None, image_size: int) -> Originals:
    """Fashion-MNIST from the first place that has all four files, else downloaded by torchvision into ./data."""
    del image_size  # images stay as they are; padding comes later
    folders = [DATA_FOLDER / "fashion-mnist", DATA_FOLDER / "FashionMNIST" / "raw", DEBIAN_FOLDER]
    if root is not None:
        folders = [root, root / "FashionMNIST" / "raw", *folders]
    for folder in folders:
        if files := existing_files(folder, FILES):
            return read(files, folder)
    folder = DATA_FOLDER / "FashionMNIST" / "raw"
    try:
        with one_download_at_a_time():
            if existing_files(folder, FILES) is None:
                download()
    except (OSError, RuntimeError, ImportError) as error:
        raise missing("fashion-mnist", folders, HOW, error) from error
    files = existing_files(folder, FILES)
    if files is None:
        raise missing("fashion-mnist", folders, HOW)
    return read(files, folder)


def download() -> None:
    """Download into ./data/FashionMNIST/raw; torchvision checks the files against known digests."""
    from bench.architectures.torchvision_import import import_torchvision

    import_torchvision().datasets.FashionMNIST(root=str(DATA_FOLDER), download=True)


def read(files: dict[str, Path], folder: Path) -> Originals:
    """Read the four files; `InputError` when images and labels do not belong together."""
    train_images, train_labels, test_images, test_labels = (files[name] for name in FILES)
    return Originals(
        train=read_images(train_images),
        train_labels=read_labels(train_labels),
        test=read_images(test_images),
        test_labels=read_labels(test_labels),
        classes=CLASSES,
        source=f"IDX files in {folder}",
    )


def read_images(path: Path) -> Tensor:
    """Images as uint8 (N, 1, 28, 28)."""
    images = read_idx(path, axes=3)
    if images.shape[1:] != (28, 28):
        raise InputError(f"{path} holds images of {tuple(images.shape[1:])}; Fashion-MNIST has 28x28; fetch it again.")
    return images.unsqueeze(1)


def read_labels(path: Path) -> Tensor:
    """Labels as int64 (N,)."""
    return read_idx(path, axes=1).to(torch.int64)
