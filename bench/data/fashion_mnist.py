"""Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey images of 28x28 in ten classes, as IDX files.

The published digests are of the authors' gzip files; the Debian package holds the same bytes compressed anew, under
other digests. A gzip file has a check sum of its own. A file that was unpacked has none: if it is as long as the
authors', it must be theirs to the byte.
"""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from bench.data.idx import read_idx
from bench.data.images import Originals
from bench.data.places import DATA_FOLDER, existing_files, missing, one_download_at_a_time
from bench.errors import InputError

CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
# Length in bytes and MD5 digest of each file, unpacked.
UNPACKED = {
    "train-images-idx3-ubyte": (47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    "train-labels-idx1-ubyte": (60_008, "9018921c3c673c538a1fc5bad174d6f9"),
    "t10k-images-idx3-ubyte": (7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
    "t10k-labels-idx1-ubyte": (10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
}
FILES = tuple(UNPACKED)
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
    """Read the four files; `InputError` names one that is damaged."""
    for path in files.values():
        check_digest(path)
    train_images, train_labels, test_images, test_labels = (files[name] for name in FILES)
    return Originals(
        train=read_images(train_images),
        train_labels=read_labels(train_labels),
        test=read_images(test_images),
        test_labels=read_labels(test_labels),
        classes=CLASSES,
        source=f"IDX files in {folder}",
    )


def check_digest(path: Path) -> None:
    """Refuse an unpacked file that is as long as the authors' but not theirs."""
    length, wanted = UNPACKED.get(path.name, (0, ""))  # a gzip file's name is another
    if path.stat().st_size != length:
        return
    found = hashlib.md5(path.read_bytes()).hexdigest()
    if found != wanted:
        raise InputError(f"{path} is damaged: its MD5 digest is {found}, Fashion-MNIST's is {wanted}; fetch it again.")


def read_images(path: Path) -> Tensor:
    """Images as uint8 (N, 1, 28, 28)."""
    images = read_idx(path, axes=3)
    if images.shape[1:] != (28, 28):
        raise InputError(f"{path} holds images of {tuple(images.shape[1:])}; Fashion-MNIST has 28x28; fetch it again.")
    return images.unsqueeze(1)


def read_labels(path: Path) -> Tensor:
    """Labels as int64 (N,)."""
    return read_idx(path, axes=1).to(torch.int64)
