"""CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour images of 32x32 in ten classes.

The binary version is preferred: it is plain bytes. The Python version is a pickle, which can run code; it is read only
by torchvision, after its files agree with torchvision's digests.
"""

from pathlib import Path

import torch
from torch import Tensor

from bench.data.images import Originals
from bench.data.places import DATA_FOLDER, existing_files, missing, one_download_at_a_time
from bench.errors import InputError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BINARY_FOLDER, PYTHON_FOLDER = "cifar-10-batches-bin", "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
IMAGES_A_FILE, IMAGE_BYTES = 10_000, 3 * 32 * 32
HOW = (
    f"unpack cifar-10-binary.tar.gz (folder {BINARY_FOLDER}) or cifar-10-python.tar.gz (folder {PYTHON_FOLDER}) of "
    "https://www.cs.toronto.edu/~kriz/cifar.html into data, or set data.root to the folder that holds one of them"
)


def load(root: Path | None, image_size: int) -> Originals:
    """CIFAR-10 from `root` or ./data, the binary version before the Python one, else downloaded into ./data."""
    del image_size
    parents = [DATA_FOLDER] if root is None else [root, DATA_FOLDER]
    binary = [parent / BINARY_FOLDER for parent in parents] + ([root] if root else [])
    for folder in binary:
        if files := existing_files(folder, (*TRAIN_FILES, TEST_FILE)):
            return read_binary(files, folder)
    for parent in parents:
        if (parent / PYTHON_FOLDER).is_dir():
            return read_python(parent)
    try:
        with one_download_at_a_time():
            return read_python(DATA_FOLDER, download=True)
    except (OSError, RuntimeError, ImportError) as error:
        raise missing("cifar10", [*binary, *(parent / PYTHON_FOLDER for parent in parents)], HOW, error) from error


def read_binary(files: dict[str, Path], folder: Path) -> Originals:
    """Read the binary version: five files for training, one for testing."""
    parts = [read_binary_file(files[name]) for name in TRAIN_FILES]
    test, test_labels = read_binary_file(files[TEST_FILE])
    train_labels = torch.cat([labels for _, labels in parts])
    check_balance(train_labels, folder, "training")
    check_balance(test_labels, folder, "test")
    return Originals(
        train=torch.cat([images for images, _ in parts]),
        train_labels=train_labels,
        test=test,
        test_labels=test_labels,
        classes=CLASSES,
        source=f"binary files in {folder}",
    )


def read_binary_file(path: Path) -> tuple[Tensor, Tensor]:
    """10,000 images, uint8 (N, 3, 32, 32), and labels, int64 (N,). A row is a label, then the planes R, G and B."""
    content = path.read_bytes()
    wanted = IMAGES_A_FILE * (1 + IMAGE_BYTES)
    if len(content) != wanted:
        raise InputError(f"{path} has {len(content):,} bytes where CIFAR-10's has {wanted:,}; fetch it again.")
    rows = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(IMAGES_A_FILE, 1 + IMAGE_BYTES)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].to(torch.int64)


def check_balance(labels: Tensor, folder: Path, which: str) -> None:
    """Refuse labels (N,) that are not as many of each class. No digest of these files is published; this is."""
    wanted = len(labels) // len(CLASSES)
    counts = torch.bincount(labels, minlength=len(CLASSES)).tolist()
    if counts != [wanted] * len(CLASSES):
        raise InputError(
            f"The files of {folder} are damaged: they have {counts} {which} images of the classes where CIFAR-10 has"
            f" {wanted:,} of each; fetch them again."
        )


def read_python(parent: Path, download: bool = False) -> Originals:
    """Read the Python version in `parent` by torchvision, which checks each file's digest before it unpickles it."""
    from bench.architectures.torchvision_import import import_torchvision

    data_set = import_torchvision().datasets.CIFAR10
    try:
        train = data_set(root=str(parent), train=True, download=download)
        test = data_set(root=str(parent), train=False)
    except RuntimeError as error:
        if download:
            raise
        raise InputError(
            f"{parent / PYTHON_FOLDER} is not CIFAR-10 as published ({error}); delete it and fetch it again."
        ) from error
    return Originals(
        train=torch.from_numpy(train.data).permute(0, 3, 1, 2).contiguous(),
        train_labels=torch.tensor(train.targets, dtype=torch.int64),
        test=torch.from_numpy(test.data).permute(0, 3, 1, 2).contiguous(),
        test_labels=torch.tensor(test.targets, dtype=torch.int64),
        classes=tuple(train.classes),
        source=f"Python files in {parent / PYTHON_FOLDER}",
    )
