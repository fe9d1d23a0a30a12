"""`measure_peak` and the slope per pixel on networks whose memory can be counted by hand."""

import pytest
import torch
from torch import nn

from bench.errors import InputError
from bench.memory.peak import Peak, bytes_per_pixel, make_optimizer, measure_peak
from bench.memory.training_step import random_batch, step_loss
from bench.training.precision import computing


def _network(channels: int = 8, depth: int = 2) -> nn.Module:
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [nn.Conv2d(3 if index == 0 else channels, channels, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def test_categories_are_those_of_the_model():
    model = _network()
    peak = measure_peak(model, batch_size=16, image_size=16)
    parameters = sum(parameter.numel() for parameter in model.parameters()) * 4
    assert peak.categories["weights"] == peak.categories["optimizer"] == parameters
    assert peak.categories["buffers"] == 2 * (8 + 8) * 4 + 2 * 8
    assert peak.categories["input"] == 16 * 3 * 16 * 16 * 4 + 16 * 8
    assert sum(peak.categories.values()) == peak.peak_bytes
    assert peak.phase == "backward"
    assert peak.reserved_bytes is None


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_the_loss_is_float32_in_every_number_format(precision):
    images, labels = random_batch(4, 16, 3, 10, "cpu", precision)
    with computing(precision, images.device):
        assert (_network()(images).dtype == torch.float32) == (precision == "float32")
    assert step_loss(_network(), images, labels, precision).dtype == torch.float32


def test_gradients_are_counted_as_gradients():
    """With one wide linear layer and a tiny batch the peak is in the optimizer: weights, gradients, momentum, sum."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 1000, bias=False))
    peak = measure_peak(model, batch_size=2, image_size=4, classes=1000)
    weights = 48 * 1000 * 4
    assert peak.phase == "optimizer"
    assert peak.categories["gradients"] == peak.categories["weights"] == weights
    # Momentum, and two sums that Nesterov makes on the way: gradient + decay x weight, and that + momentum.
    assert peak.categories["optimizer"] == 3 * weights


@pytest.mark.parametrize("depth", [2, 4])
def test_slope_by_hand(depth):
    """Stored: every unit holds its convolution's output and its activation; at the peak three gradients come on top.

    The last unit's ReLU backward is the moment: the pooling's gradient is expanded, then multiplied by the mask.
    """
    channels = 8
    peaks = [measure_peak(_network(channels, depth), batch_size, image_size=16) for batch_size in (8, 16)]
    stored = depth * 2 * channels * 4
    image, label = 3 * 4, 8 / 16**2
    gradients = 2 * channels * 4
    per_image = bytes_per_pixel(peaks) - stored - image - label - gradients
    # What is left does not grow with the image: pooled features, logits and their gradients.
    assert 0 <= per_image * 16**2 < 8 * (channels + 10) * 4


def test_the_slope_does_not_depend_on_the_batch_sizes():
    small = [measure_peak(_network(), batch_size, image_size=16) for batch_size in (2, 4)]
    large = [measure_peak(_network(), batch_size, image_size=16) for batch_size in (16, 48)]
    assert bytes_per_pixel(small) == bytes_per_pixel(large)
    # Where nothing fixed is in the way, the peak itself has that slope.
    pixels = (48 - 16) * 16**2
    assert (large[1].peak_bytes - large[0].peak_bytes) / pixels == pytest.approx(bytes_per_pixel(large), rel=0.01)


def test_the_slope_is_of_what_grows_and_not_of_the_peak():
    fixed = {2: 90_000, 4: 90_500}
    peaks = [Peak(size, 8, fixed[size], {}, "backward", "", size * 8 * 8 * 100, None) for size in fixed]
    assert bytes_per_pixel(peaks) == 100


def test_measuring_leaves_weights_gradients_and_random_state_alone():
    model = _network()
    before = [parameter.clone() for parameter in model.parameters()]
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measure_peak(model, batch_size=4, image_size=8)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="batch size of 1 or more"):
        measure_peak(_network(), batch_size=0, image_size=8)
    with pytest.raises(InputError, match="sgd-nesterov"):
        make_optimizer(_network(), "sgdd")
    peak = measure_peak(_network(), batch_size=2, image_size=8)
    with pytest.raises(InputError, match="two different batch sizes"):
        bytes_per_pixel([peak, peak])
