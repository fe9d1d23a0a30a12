"""From originals to images: fitting, statistics, subsets, and what is refused."""

import pytest
import torch

from bench import data
from bench.data.images import Originals, channel_statistics, fit
from bench.data.subset import balanced_subset
from bench.errors import InputError

DIGITS = {"name": "digits", "image_size": 32, "train_images": None, "test_images": None}


def test_digits_have_their_fixed_stratified_split():
    images = data.load(DIGITS, in_channels=3, classes=10)
    assert images.train.shape == (1437, 3, 32, 32)
    assert images.test.shape == (360, 3, 32, 32)
    assert images.train.dtype == torch.uint8 and images.train_labels.dtype == torch.int64
    assert torch.bincount(images.test_labels).min() >= 35
    assert torch.equal(images.train[:, 0], images.train[:, 2])
    assert images.train.max() == 255
    # Zero padding around digits of 24x24.
    assert images.train[:, :, :4].max() == 0 and images.train[:, :, 4:28].max() == 255
    again = data.load(DIGITS, in_channels=3)
    assert torch.equal(again.test, images.test) and torch.equal(again.train_labels, images.train_labels)


def test_training_and_test_digits_do_not_overlap():
    images = data.load({**DIGITS, "image_size": 16}, in_channels=1)
    test = {image.numpy().tobytes() for image in images.test}
    assert not test & {image.numpy().tobytes() for image in images.train}


def test_limits_take_a_balanced_part_of_the_same_split():
    full = data.load(DIGITS)
    part = data.load({**DIGITS, "train_images": 103, "test_images": 40})
    assert torch.bincount(part.train_labels).tolist() == [11, 11, 11, 10, 10, 10, 10, 10, 10, 10]
    assert torch.bincount(part.test_labels).tolist() == [4] * 10
    known = {image.numpy().tobytes() for image in full.train}
    assert all(image.numpy().tobytes() in known for image in part.train)
    assert torch.equal(data.load({**DIGITS, "train_images": 103}).train, part.train)


def test_subset_of_everything_is_everything_and_too_large_ones_are_refused():
    labels = torch.tensor([0, 1, 1, 0, 1])
    assert balanced_subset(labels, 5, 2, "data.train_images").tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match=r"data\.train_images: 6 .*3 of class 0.*has 2"):
        balanced_subset(labels, 6, 2, "data.train_images")


def test_statistics_agree_with_torch():
    images = torch.randint(0, 256, (50, 3, 7, 5), dtype=torch.uint8)
    mean, std = channel_statistics(images)
    assert torch.tensor(mean).allclose(images.float().mean((0, 2, 3)))
    assert torch.tensor(std).allclose(images.float().std((0, 2, 3), correction=0))
    assert channel_statistics(torch.full((2, 1, 3, 3), 7, dtype=torch.uint8)) == ((7.0,), (1.0,))


def test_fit_puts_the_image_in_the_middle():
    image = torch.arange(1, 7, dtype=torch.uint8).view(1, 1, 2, 3)
    fitted = fit(image, 5, 2)
    assert fitted.shape == (1, 2, 5, 5)
    assert torch.equal(fitted[0, 1, 1:3, 1:4], image[0, 0])
    assert fitted.sum() == 2 * image.sum()


@pytest.mark.parametrize(
    ("settings", "channels", "classes", "fault"),
    [
        ({"name": "digit"}, 3, 10, "no data set 'digit'; choose one of digits, "),
        ({"image_size": 4}, 3, 10, "image_size 4 is smaller"),
        ({}, 3, 7, "classes: 7 was given but data set 'digits' has 10"),
        ({"train_images": 5000}, 3, 10, "data.train_images: 5000"),
    ],
)
def test_bad_settings_are_one_sentence(settings, channels, classes, fault):
    with pytest.raises(InputError, match=fault):
        data.load({**DIGITS, **settings}, channels, classes)


def test_colour_images_are_not_squeezed_into_one_channel():
    with pytest.raises(InputError, match="in_channels 1 was given but the images have 3"):
        fit(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 4, 1)


def test_a_label_outside_the_classes_is_refused(monkeypatch):
    image = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    broken = Originals(image, torch.tensor([0, 2]), image, torch.tensor([0, 1]), ("a", "b"), "made here")
    entry = data.DataSet("broken", "", lambda root, image_size: broken)
    monkeypatch.setitem(data.DATASETS, "broken", entry)
    with pytest.raises(InputError, match=r"training label outside 0 \.\. 1"):
        data.load({**DIGITS, "name": "broken"})
