"""Fashion-MNIST and CIFAR-10: found where they should be, and every place named when they are not."""

import gzip
import hashlib
import struct

import pytest
import torch

from bench import data
from bench.architectures import torchvision_import
from bench.data import cifar10, fashion_mnist
from bench.errors import InputError


def settings(name, root=None):
    return {"name": name, "image_size": 32, "root": root}


def write_fashion_mnist(folder, count=20):
    """A small file set in the format of Fashion-MNIST."""
    folder.mkdir(parents=True)
    for name in fashion_mnist.FILES:
        shape = (count, 28, 28) if "images" in name else (count,)
        values = torch.arange(count).repeat_interleave(28 * 28 if "images" in name else 1) % 10
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + values.to(torch.uint8).numpy().tobytes()))


def refuse_downloads(monkeypatch):
    """Stand for a machine without a network."""

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torchvision_import, "import_torchvision", refuse)


@pytest.mark.parametrize("place", ["given", "given/FashionMNIST/raw", "data/fashion-mnist", "data/FashionMNIST/raw"])
def test_fashion_mnist_is_found(empty_folder, monkeypatch, place):
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", empty_folder / "nowhere")
    refuse_downloads(monkeypatch)
    write_fashion_mnist(empty_folder / place)
    images = data.load(settings("fashion-mnist", "given"), in_channels=3, classes=10)
    assert images.train.shape == (20, 3, 32, 32)
    assert images.train_labels.tolist() == [*range(10), *range(10)]
    assert images.train[5, :, 2:30, 2:30].unique().tolist() == [5]
    assert place in images.source


def test_missing_fashion_mnist_names_every_place(empty_folder, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", empty_folder / "debian")
    refuse_downloads(monkeypatch)
    with pytest.raises(InputError) as error:
        data.load(settings("fashion-mnist", "given"))
    places = (
        "given",
        "given/FashionMNIST/raw",
        "data/fashion-mnist",
        "data/FashionMNIST/raw",
        str(empty_folder / "debian"),
    )
    assert all(place in str(error.value) for place in places)
    assert "no network" in str(error.value) and "dataset-fashion-mnist" in str(error.value)


def test_images_and_labels_that_do_not_belong_together_are_refused(empty_folder):
    write_fashion_mnist(empty_folder / "given", count=20)
    write_fashion_mnist(empty_folder / "other", count=10)
    (empty_folder / "other" / "train-labels-idx1-ubyte.gz").replace(
        empty_folder / "given" / "train-labels-idx1-ubyte.gz"
    )
    with pytest.raises(InputError, match="20 training images and 10 labels"):
        data.load(settings("fashion-mnist", "given"))


@pytest.mark.parametrize("place", ["given", "given/cifar-10-batches-bin", "data/cifar-10-batches-bin"])
def test_binary_cifar10_is_read_exactly(empty_folder, monkeypatch, place):
    monkeypatch.setattr(cifar10, "IMAGES_A_FILE", 10)
    folder = empty_folder / place
    folder.mkdir(parents=True)
    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    row = image.numpy().tobytes()
    for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
        (folder / name).write_bytes(b"".join(bytes([label]) + row for label in range(10)))
    images = data.load(settings("cifar10", "given"), in_channels=3, classes=10)
    assert images.train.shape == (50, 3, 32, 32) and images.test.shape == (10, 3, 32, 32)
    assert torch.equal(images.test[7], image) and images.test_labels.tolist() == list(range(10))


def test_binary_cifar10_with_a_damaged_label_is_named(empty_folder, monkeypatch):
    monkeypatch.setattr(cifar10, "IMAGES_A_FILE", 10)
    folder = empty_folder / "data" / cifar10.BINARY_FOLDER
    folder.mkdir(parents=True)
    for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
        labels = range(10) if name != "data_batch_3.bin" else [0, 0, *range(2, 10)]
        (folder / name).write_bytes(b"".join(bytes([label]) + bytes(3072) for label in labels))
    with pytest.raises(InputError, match=r"are damaged: they have \[6, 4, 5, .* training images .* has 5 of each"):
        data.load(settings("cifar10"))


def test_an_unpacked_fashion_mnist_with_a_flipped_bit_is_named(empty_folder, monkeypatch):
    folder = empty_folder / "data" / "fashion-mnist"
    write_fashion_mnist(folder)
    digests = {}
    for place in list(folder.iterdir()):
        content = gzip.decompress(place.read_bytes())
        digests[place.stem] = (len(content), hashlib.md5(content).hexdigest())
        place.with_suffix("").write_bytes(content)
        place.unlink()
    monkeypatch.setattr(fashion_mnist, "UNPACKED", digests)
    data.load(settings("fashion-mnist"))
    place = folder / "t10k-images-idx3-ubyte"
    content = bytearray(place.read_bytes())
    content[1000] ^= 1
    place.write_bytes(content)
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte is damaged: its MD5 digest is"):
        data.load(settings("fashion-mnist"))


@pytest.mark.skipif(not fashion_mnist.DEBIAN_FOLDER.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_the_digests_are_those_of_fashion_mnist(tmp_path):
    for name in fashion_mnist.FILES:
        (tmp_path / name).write_bytes(gzip.decompress((fashion_mnist.DEBIAN_FOLDER / f"{name}.gz").read_bytes()))
        assert (tmp_path / name).stat().st_size == fashion_mnist.UNPACKED[name][0]
        fashion_mnist.check_digest(tmp_path / name)


def test_truncated_binary_cifar10_is_named(empty_folder):
    folder = empty_folder / "data" / cifar10.BINARY_FOLDER
    folder.mkdir(parents=True)
    for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
        (folder / name).write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match=r"data_batch_1\.bin has 100 bytes where CIFAR-10's has 30,730,000"):
        data.load(settings("cifar10"))


def test_pickles_that_are_not_the_published_ones_are_not_opened(empty_folder):
    folder = empty_folder / "data" / cifar10.PYTHON_FOLDER
    folder.mkdir(parents=True)
    trap = b"cbuiltins\nopen\n(S'opened'\nS'w'\ntR."  # a pickle that makes a file when it is loaded
    for name in ("batches.meta", "test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
        (folder / name).write_bytes(trap)
    with pytest.raises(InputError, match="not CIFAR-10 as published"):
        data.load(settings("cifar10"))
    assert not (empty_folder / "opened").exists()


def test_missing_cifar10_names_every_place(empty_folder, monkeypatch):
    refuse_downloads(monkeypatch)
    with pytest.raises(InputError) as error:
        data.load(settings("cifar10", "given"))
    places = (
        "given/cifar-10-batches-bin",
        "data/cifar-10-batches-bin",
        "given/cifar-10-batches-py",
        "data/cifar-10-batches-py",
    )
    assert all(place in str(error.value) for place in places)
    assert "cifar-10-binary.tar.gz" in str(error.value)
