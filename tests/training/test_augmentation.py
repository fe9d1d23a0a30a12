"""Augmentation and batches: exact pixels, the same choices for the same seed."""

import pytest
import torch
from torch.nn import functional

from bench.errors import InputError
from bench.training.augmentation import Augmentation, Choices, reflect
from bench.training.batches import Batches
from tests.gpu import needs_gpu

CPU = torch.device("cpu")


def translated(image: torch.Tensor, dy: int, dx: int, mirrored: bool, reach: int) -> torch.Tensor:
    """The plain way: pad by reflection, mirror if asked, and crop."""
    padded = functional.pad(image.float().unsqueeze(0), (reach,) * 4, mode="reflect")[0].to(torch.uint8)
    height, width = image.shape[1:]
    crop = padded[:, reach + dy : reach + dy + height]
    columns = slice(reach + dx, reach + dx + width)
    if mirrored:
        return crop.flip(2)[:, :, columns]
    return crop[:, :, columns]


@pytest.mark.parametrize("flip", ["none", "random", "alternating"])
def test_move_is_pad_mirror_and_crop_to_the_pixel(make_images, make_recipe, flip):
    images = make_images()
    augmentation = Augmentation(make_recipe(flip=flip, translate=3), images, seed=0, device=CPU)
    choices = augmentation.draw(2, torch.Generator().manual_seed(0))
    moved = augmentation.move(images.train, choices)
    assert moved.dtype == torch.uint8
    for number in range(len(images.train)):
        dy, dx = choices.shift_y[number].item(), choices.shift_x[number].item()
        expected = translated(images.train[number], dy, dx, choices.mirrored[number].item(), 3)
        assert torch.equal(moved[number], expected)
    assert choices.shift_y.unique().tolist() == list(range(-3, 4))


def test_reflection_does_not_repeat_the_border():
    assert reflect(torch.arange(-2, 7), 5).tolist() == [2, 1, 0, 1, 2, 3, 4, 3, 2]


def test_alternating_flip_shows_every_image_both_ways(make_images, make_recipe):
    augmentation = Augmentation(make_recipe(flip="alternating"), make_images(train=1000), seed=0, device=CPU)
    generator = torch.Generator().manual_seed(0)
    first, second, third = (augmentation.draw(epoch, generator).mirrored for epoch in (1, 2, 3))
    assert torch.equal(first, ~second) and torch.equal(first, third)
    assert 0.4 < first.float().mean() < 0.6  # half of them, and another half for another seed
    other = Augmentation(make_recipe(flip="alternating"), make_images(train=1000), seed=1, device=CPU)
    assert 0.4 < (other.draw(1, generator).mirrored ^ first).float().mean() < 0.6


def test_no_augmentation_changes_nothing(make_images, make_recipe):
    images, recipe = make_images(), make_recipe(flip="none", translate=0, cutout=0)
    batches = Batches(images, recipe, seed=0, device=CPU)
    seen = torch.cat([batch for batch, _ in batches.training(1)])
    assert torch.allclose(seen.sort(0).values, batches.normalise(images.train).sort(0).values)


def test_cutout_blanks_a_square_of_its_size(make_images, make_recipe):
    augmentation = Augmentation(make_recipe(cutout=3), make_images(), seed=0, device=CPU)
    hole = torch.tensor([4, 0])
    choices = Choices(hole, hole, hole > 0, hole_y=hole, hole_x=hole)
    cut = augmentation.cut(torch.ones(2, 3, 8, 8), choices)
    assert cut[0, :, 3:6, 3:6].abs().sum() == 0 and (cut[0] == 0).sum() == 3 * 9
    assert (cut[1] == 0).sum() == 3 * 4  # at a corner only what lies inside


def test_batches_are_a_function_of_seed_and_epoch(make_images, make_recipe):
    def epochs(seed):
        batches = Batches(make_images(), make_recipe(), seed, CPU)
        return [list(batches.training(epoch)) for epoch in (1, 2)]

    one, same, other = epochs(1), epochs(1), epochs(2)
    pairs = zip((b for epoch in one for b in epoch), (b for epoch in same for b in epoch), strict=True)
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)
    assert not torch.equal(one[0][0][0], other[0][0][0])
    assert not torch.equal(one[0][0][0], one[1][0][0])


def test_an_epoch_shows_each_image_at_most_once_in_whole_batches(make_images, make_recipe):
    images = make_images(train=100)
    images.train[:] = torch.arange(100, dtype=torch.uint8).view(-1, 1, 1, 1)
    batches = Batches(images, make_recipe(cutout=0), 0, CPU)
    assert batches.steps_per_epoch == 6
    seen = [batch for batch, _ in batches.training(1)]
    assert [len(batch) for batch in seen] == [16] * 6
    assert len(torch.cat(seen)[:, 0, 0, 0].unique()) == 96


@pytest.mark.parametrize("device", [CPU, pytest.param(torch.device("cuda"), marks=needs_gpu)])
def test_images_kept_on_the_host_make_the_same_batches(make_images, make_recipe, device, monkeypatch):
    on_device = Batches(make_images(), make_recipe(), 0, device)
    on_host = Batches(make_images(), make_recipe(), 0, device, keep_on=CPU)
    if device == CPU:  # as if it were another one; without a GPU there is no page-locked memory
        on_host.on_host, empty = True, torch.empty
        monkeypatch.setattr(torch, "empty", lambda *size, pin_memory, **options: empty(*size, **options))
    assert on_host.on_host and not on_device.on_host
    for epoch in (1, 2):
        pairs = list(zip(on_host.training(epoch), on_device.training(epoch), strict=True))
        assert len(pairs) == on_host.steps_per_epoch
        assert all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in pairs)
    for (a, c), (b, d) in zip(on_host.testing(), on_device.testing(), strict=True):
        assert a.device == b.device and torch.equal(a, b) and torch.equal(c, d)


def test_test_images_come_all_and_in_order(make_images, make_recipe):
    images = make_images()
    batches = Batches(images, make_recipe(), 0, CPU)
    seen = list(batches.testing())
    assert torch.equal(torch.cat([labels for _, labels in seen]), images.test_labels)
    expected = (images.test.float() - 110) / 60
    assert torch.allclose(torch.cat([batch for batch, _ in seen]), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"batch_size": 97}, "is 97 but there are 96 training"),
        ({"translate": 8}, "translate is 8"),
        ({"cutout": 9}, "cutout is 9; it must be at most the image size 8"),
    ],
)
def test_recipes_that_do_not_fit_the_images_are_named(make_images, make_recipe, changes, fault):
    with pytest.raises(InputError, match=fault):
        Batches(make_images(), make_recipe(**changes), 0, CPU)


def test_training_batches_are_moved_then_normalised_then_cut(make_images, make_recipe):
    images, recipe = make_images(), make_recipe(flip="random", translate=2, cutout=3)
    batches = Batches(images, recipe, seed=7, device=CPU)
    generator = torch.Generator().manual_seed(7)
    order = torch.randperm(len(images.train), generator=generator)
    choices = batches.augmentation.draw(1, generator)
    for (batch, labels), index in zip(batches.training(1), order.split(16), strict=True):
        moved = batches.augmentation.move(images.train[index], choices.of(index))
        assert not torch.equal(moved, images.train[index])
        expected = batches.augmentation.cut((moved.float() - 110) / 60, choices.of(index))
        torch.testing.assert_close(batch, expected)
        assert torch.equal(labels, images.train_labels[index])
        assert ((batch == 0).sum((1, 2, 3)) >= 3 * 2 * 2).all()  # a hole in every image


def test_choices_are_spread_over_their_whole_range(make_images, make_recipe):
    augmentation = Augmentation(make_recipe(flip="random", translate=2), make_images(train=2000), seed=0, device=CPU)
    choices = augmentation.draw(1, torch.Generator().manual_seed(0))
    expected = {"shift_y": range(-2, 3), "shift_x": range(-2, 3), "hole_y": range(8), "hole_x": range(8)}
    for name, values in (*expected.items(), ("mirrored", range(2))):
        counts = torch.bincount(getattr(choices, name).long() - values[0], minlength=len(values))
        each = 2000 / len(values)
        assert len(counts) == len(values) and ((counts - each).abs() < 4 * each**0.5).all(), name
