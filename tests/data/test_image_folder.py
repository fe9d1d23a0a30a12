"""Folders of images: read, cached, and refused with the file's name."""

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from bench import data
from bench.data import image_folder
from bench.data.cache import CACHE_FOLDER
from bench.errors import InputError
from tests.refusals import as_others, full_disk


@pytest.fixture
def folder(empty_folder):
    """Two classes, three training images and one test image each; pixel values tell class and number."""
    for split, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            place = empty_folder / "pictures" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(np.full((8, 8, 3), 100 * label + number, np.uint8)).save(place / f"{number}.png")
    return empty_folder / "pictures"


def load(root="pictures", name="image-folder"):
    return data.load({"name": name, "image_size": 8, "root": root}, in_channels=3)


def test_reads_images_in_order_of_class_and_name(folder):
    images = load()
    assert images.classes == ("cat", "dog")
    assert images.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.train[:, 1, 4, 4].tolist() == [0, 1, 2, 100, 101, 102]
    assert images.test_labels.tolist() == [0, 1] and not images.cached


def test_second_reading_comes_from_the_cache_and_is_equal(folder, monkeypatch):
    first = load()
    monkeypatch.setattr(image_folder, "decode", None)  # calling it would fail
    second = load()
    assert second.cached and torch.equal(first.train, second.train) and torch.equal(first.test, second.test)


def test_a_changed_image_is_decoded_again(folder):
    load()
    Image.fromarray(np.full((8, 8, 3), 77, np.uint8)).save(folder / "train" / "cat" / "0.png")
    assert load().train[0].unique().tolist() == [77]


def test_folders_whose_files_are_alike_but_for_their_pixels_are_not_taken_for_one_another(empty_folder):
    pixels = iter(range(10, 80, 10))
    for split in ("one/train", "one/test", "other/train", "other/test"):
        place = empty_folder / split / "cat" / "0.bmp"
        place.parent.mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), next(pixels), np.uint8)).save(place)
        os.utime(place, (0, 0))  # as out of an archive that keeps no times; bitmaps of one shape are of one size
    for root, train, test in (("one", 10, 20), ("other", 30, 40)):
        images = load(root)
        assert images.train.unique().tolist() == [train] and images.test.unique().tolist() == [test]
        assert not images.cached and load(root).cached


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"nonsense", b"cbuiltins\nopen\n(S'opened'\nS'w'\ntR."])
def test_a_damaged_cache_is_made_again_and_never_run(folder, content, empty_folder):
    first = load()
    for place in CACHE_FOLDER.glob("*.npy"):
        place.write_bytes(content)
    again = load()
    assert not again.cached and torch.equal(first.train, again.train)
    assert not (empty_folder / "opened").exists()


@pytest.mark.parametrize("at", [-1, -5, 200])  # in the check sum, in the last pixel, in an early one
def test_a_cache_with_a_flipped_bit_is_made_again(folder, at):
    first = load()
    for place in CACHE_FOLDER.glob("*.npy"):
        content = bytearray(place.read_bytes())
        content[at] ^= 1
        place.write_bytes(content)
    again = load()
    assert not again.cached and torch.equal(first.train, again.train)
    assert load().cached


def test_a_killed_write_of_the_cache_is_not_taken_for_one_and_is_cleared_away(folder):
    writer = multiprocessing.get_context("fork").Process(target=write_and_die)
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    (left,) = CACHE_FOLDER.iterdir()
    assert not load().cached and left.exists()  # for all that is known, another process is still at it
    os.utime(left, (0, 0))
    Image.fromarray(np.full((8, 8, 3), 77, np.uint8)).save(folder / "train" / "cat" / "0.png")
    assert load().train[0].unique().tolist() == [77] and not left.exists()


def write_and_die():
    save = np.save

    def half(file, array, **options):
        save(file, array, **options)
        file.flush()
        os.truncate(file.fileno(), 100)
        os.kill(os.getpid(), signal.SIGKILL)

    np.save = half
    load()


@pytest.mark.parametrize("room", [0, 100, 500])  # none, some of the header, some of the pixels
def test_a_full_disk_leaves_no_half_cache_and_is_done_without(folder, room):
    with full_disk(room):
        first = load()
    assert not list(CACHE_FOLDER.iterdir())
    again = load()
    assert not first.cached and not again.cached and torch.equal(first.train, again.train)
    assert load().cached


def test_a_cache_that_cannot_be_written_is_done_without(folder):
    CACHE_FOLDER.parent.mkdir(mode=0o555)
    with as_others():
        assert not load().cached and not load().cached
    assert not CACHE_FOLDER.exists()


def test_broken_and_odd_images_are_named(folder):
    odd = folder / "train" / "dog" / "9.png"
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(odd)
    with pytest.raises(InputError, match=r"9\.png is 4x8 but .* is 8x8"):
        load()
    odd.write_bytes(b"\x89PNG not an image")
    with pytest.raises(InputError, match=r"9\.png cannot be read as an image"):
        load()
    assert not list(CACHE_FOLDER.glob("*.npy"))


def test_a_link_to_nothing_is_named(folder):
    (folder / "test" / "dog" / "9.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"test/dog/9\.png is a link to a file that is not there"):
        load()


@pytest.mark.parametrize(("kind", "mode"), [(np.uint16, "I;16"), (np.int32, "I"), (np.float32, "F")])
def test_pixels_that_would_be_cut_off_are_refused(folder, kind, mode):
    Image.fromarray(np.full((8, 8), 1000, kind)).save(folder / "train" / "cat" / "1.tif")
    with pytest.raises(InputError, match=rf"1\.tif cannot be read .* of mode {mode}, would be cut"):
        load()


def test_classes_must_agree_and_be_there(folder):
    (folder / "test" / "emu").mkdir()
    with pytest.raises(InputError, match="different classes"):
        load()


def test_missing_folders_are_named(empty_folder):
    with pytest.raises(InputError, match=r"needs data\.root"):
        load(root=None)
    with pytest.raises(InputError, match="looked in nowhere"):
        load(root="nowhere")
    with pytest.raises(InputError, match="looked in nowhere, nowhere/cifar10-jpeg, data/cifar10-jpeg"):
        load(root="nowhere", name="cifar10-jpeg")


def test_an_empty_folder_is_named(empty_folder):
    for split in ("train", "test"):
        (empty_folder / "pictures" / split / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no images"):
        load()
