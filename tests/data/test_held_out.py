"""Images held out of training for choosing a recipe."""

import pytest
import torch

from bench import data
from bench.errors import InputError

DIGITS = {"name": "digits", "image_size": 16}


def keys(images):
    return [image.numpy().tobytes() for image in images]


def test_held_out_images_are_training_images_that_are_not_trained_on():
    whole, split = data.load(DIGITS), data.load({**DIGITS, "validation_images": 300})
    assert (whole.evaluated_on, split.evaluated_on) == ("test", "validation")
    assert len(split.test) == 300 and torch.bincount(split.test_labels).tolist() == [30] * 10
    assert sorted(keys(split.train) + keys(split.test)) == sorted(keys(whole.train))
    assert not set(keys(split.test)) & set(keys(whole.test))


def test_the_choice_is_the_same_whatever_else_is_limited():
    split = data.load({**DIGITS, "validation_images": 300})
    part = data.load({**DIGITS, "validation_images": 300, "train_images": 200})
    assert torch.equal(split.test, part.test) and len(part.train) == 200
    assert not set(keys(part.train)) & set(keys(part.test))


def test_more_than_there_are_is_named():
    with pytest.raises(InputError, match=r"data\.validation_images: 2000"):
        data.load({**DIGITS, "validation_images": 2000})
    with pytest.raises(InputError, match=r"data\.test_images \(of the images held out\): 100"):
        data.load({**DIGITS, "validation_images": 50, "test_images": 100})
