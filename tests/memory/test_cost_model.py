"""The cost model against sums made by hand, and against measured peaks."""

import pytest
import torch
from torch import nn

from bench.architectures import build
from bench.memory.computation import forward_equivalents
from bench.memory.cost_model import pixel_cost
from bench.memory.peak import bytes_per_pixel, measure_peak
from bench.reversible import (
    ChannelPooling,
    InvertibleBatchNorm2d,
    InvertibleChain,
    InvertibleConv2d,
    InvertibleLeakyReLU,
    ReversibleBlock,
    ReversibleSequential,
)

RESNET18_PARAMETERS = 11_173_962


def test_resnet18_by_hand():
    """c_0 = 64 at 32x32. A feature map of c channels at 1/s of the image's sides costs 4 c / s^2 bytes per pixel."""
    cost = pixel_cost("resnet18", image_size=32)
    full, half, quarter, eighth = 4 * 64, 4 * 128 / 4, 4 * 256 / 16, 4 * 512 / 64
    stem = full  # the batch norm's input; the convolution's is the image, told apart
    plain = 4  # inputs of two convolutions and two batch norms
    stages = 2 * plain * full
    # With a shortcut: the block's input is read by two convolutions and kept once; one more batch norm.
    for before, size in ((full, half), (half, quarter), (quarter, eighth)):
        stages += (before + 4 * size) + plain * size
    linear = 4 * 512 / 32**2
    assert cost.state == stem + stages + linear == 4546
    assert cost.hidden == 0
    assert cost.gradient == eighth  # eq. 9, last convolution: 512 channels in and out
    assert cost.image == 12
    assert cost.weights_bytes == cost.weight_gradients_bytes == cost.optimizer_bytes == 4 * RESNET18_PARAMETERS
    pixels = 512 * 32 * 32
    assert cost.total == 4578
    assert cost.batch_bytes(512, 32, 32) == 4 * RESNET18_PARAMETERS + 4578 * pixels
    assert cost.step_bytes(512, 32, 32) == 3 * 4 * RESNET18_PARAMETERS + (4578 + 12) * pixels


@pytest.mark.parametrize("architecture", ["revnet", "layerwise", "hybrid", "streamed"])
def test_reversible_streams_are_float32_in_mixed_precision_too(architecture):
    model = build(architecture, "noisy", initial_channels=8)
    single, mixed = (pixel_cost(model, precision=precision) for precision in ("float32", "mixed"))
    assert (mixed.state, mixed.gradient) == (single.state, single.gradient)


def test_a_state_of_16_bits_and_its_gradient_are_half_of_those_of_float32():
    single = pixel_cost(build("streamed", "exact", initial_channels=8))
    half = pixel_cost(build("streamed-int16", "exact", initial_channels=8))
    assert (half.state, half.gradient) == (single.state / 2, single.gradient / 2)


def test_theory_does_not_depend_on_the_image_size():
    """But for the linear layer's input: 4 x 512 bytes an image."""
    small, large = (pixel_cost("resnet18", image_size=size) for size in (32, 64))
    assert small.state - large.state == pytest.approx(4 * 512 / 32**2 - 4 * 512 / 64**2)


def test_the_network_is_left_alone():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pixel_cost(network, image_size=8)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network[0]._forward_hooks
    assert type(network[0].weight) is nn.Parameter


def test_a_network_that_was_trained_has_the_same_theory():
    network = build("hybrid", "noisy", initial_channels=8, depths=(1, 1))
    before = pixel_cost(network)
    measure_peak(network, batch_size=2, image_size=16)
    assert pixel_cost(network) == before


def _norm_and_activation(channels: int) -> list[nn.Module]:
    return [InvertibleBatchNorm2d(channels), InvertibleLeakyReLU(inplace=True)]


def test_layerwise_by_hand():
    """Eq. 30 at c_0 = 8: a state and its gradient, also with a pooling. Ideal: every layer's input."""
    layers = [nn.Conv2d(3, 8, 3, padding=1, bias=False), *_norm_and_activation(8)]
    layers += [InvertibleConv2d(8), *_norm_and_activation(8)]
    state = 8 * 4
    flat = pixel_cost(ReversibleSequential(*layers, reconstruction="noisy"), image_size=16)
    assert (flat.state, flat.hidden, flat.gradient) == (state, 0, state)
    pooled = pixel_cost(ReversibleSequential(*layers, ChannelPooling(), reconstruction="noisy"), image_size=16)
    assert (pooled.state, pooled.hidden, pooled.gradient) == (state, 0, state)
    ideal = pixel_cost(ReversibleSequential(*layers, reconstruction="ideal"), image_size=16)
    # Batch norm's input and the activation's output, twice; the coupling's inputs are halves of these.
    assert (ideal.state, ideal.hidden, ideal.gradient) == (4 * state, 0, state)


def test_the_gradient_is_as_large_as_the_larger_of_input_and_output():
    narrowing = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 2, 3, padding=1))
    widening = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1))
    costs = [pixel_cost(network, image_size=8) for network in (narrowing, widening)]
    assert [(cost.state, cost.gradient) for cost in costs] == [(32, 32), (32, 64)]


@pytest.mark.parametrize(("units", "hidden"), [(1, 0), (2, 16)])
def test_hybrid_by_hand(units, hidden):
    """A state and its gradient; half a state more where F has two units."""

    def chain() -> InvertibleChain:
        return InvertibleChain(
            *(layer for _ in range(units) for layer in (InvertibleConv2d(4), *_norm_and_activation(4)))
        )

    layers = [nn.Conv2d(3, 8, 3, padding=1), ReversibleBlock(chain(), chain()), ReversibleBlock(chain(), chain())]
    cost = pixel_cost(ReversibleSequential(*layers, reconstruction="noisy"), image_size=16)
    assert (cost.state, cost.hidden, cost.gradient) == (32, hidden, 32)


def test_revnet_by_hand():
    """Two resolutions, c_0 = 8 at full size, 16 at half: states of 32 and 16 bytes per pixel."""

    def branch(channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU())

    layers = [nn.Conv2d(3, 8, 3, padding=1), ReversibleBlock(branch(4), branch(4))]
    layers += [nn.Conv2d(8, 16, 3, stride=2, padding=1), ReversibleBlock(branch(8), branch(8))]
    first_block = 32 + 32 + (16 + 16)  # state, its gradient, the batch norm's input, and the gradient inside F
    noisy = pixel_cost(ReversibleSequential(*layers, reconstruction="noisy"), image_size=16)
    assert noisy.total == first_block
    # With wider stages behind, what is kept for the down-samplings makes the second block the peak (eq. 11's global).
    layers[2:] = [nn.Conv2d(8, 64, 3, stride=2, padding=1), ReversibleBlock(branch(32), branch(32))]
    wide = pixel_cost(ReversibleSequential(*layers, reconstruction="noisy"), image_size=16)
    assert (wide.state, wide.hidden, wide.gradient) == (32 + 64, 32 + 32, 64)


def test_checkpointing_keeps_block_inputs_and_one_inside():
    stored = pixel_cost("resnet18", initial_channels=8, depths=(2, 2))
    cost = pixel_cost("checkpointing", initial_channels=8, depths=(2, 2))
    # Kept: the stem's batch norm's input and the first two blocks' inputs; inside the second block three maps more.
    assert (cost.state, cost.hidden, cost.gradient) == (3 * 32, 3 * 32, 32)
    assert cost.total < stored.total


def test_mixed_precision_halves_what_is_stored():
    stored = pixel_cost("resnet18", initial_channels=8, depths=(1, 1))
    cost = pixel_cost("mixed-precision", initial_channels=8, depths=(1, 1))
    assert cost.total == stored.total / 2
    assert cost.weights_bytes == stored.weights_bytes


def test_offloading_holds_one_layer_at_a_time():
    cost = pixel_cost("offloading", initial_channels=8, depths=(1, 1))
    assert (cost.state, cost.hidden, cost.gradient) == (0, 32, 32)


@pytest.mark.parametrize(
    ("name", "reconstruction", "tolerance"),
    [
        ("resnet18", "ideal", 0.1),
        ("mixed-precision", "ideal", 0.1),
        ("irevnet", "ideal", 0.15),
        ("irevnet", "noisy", 0.1),
        ("layerwise", "ideal", 0.1),
        ("hybrid", "ideal", 0.1),
    ],
)
def test_theory_agrees_with_the_measured_slope(name, reconstruction, tolerance):
    torch.manual_seed(0)
    model = build(name, reconstruction, initial_channels=8, depths=(1, 1, 1))
    cost = pixel_cost(model)
    measured = bytes_per_pixel([measure_peak(model, batch_size, image_size=32) for batch_size in (4, 8)])
    assert measured == pytest.approx(cost.total + cost.image, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "reconstruction", "expected"),
    [
        ("resnet18", "ideal", 3),
        ("checkpointing", "ideal", 4),
        ("offloading", "ideal", 3),
        ("inplace-abn", "noisy", 3),
        ("revnet", "ideal", 3),
        ("revnet", "noisy", 4),
        ("revnet", "exact", 4),
        ("irevnet", "noisy", 4),
        ("layerwise", "noisy", 4),
        ("hybrid", "ideal", 3),
        ("hybrid", "noisy", 5),
        ("hybrid", "exact", 5),
        ("streamed", "ideal", 3),
        ("streamed", "noisy", 5),
        ("streamed-int16", "exact", 5),
    ],
)
def test_forward_equivalents(name, reconstruction, expected):
    assert forward_equivalents(build(name, reconstruction, initial_channels=8, depths=(1, 1))) == expected


@pytest.mark.parametrize(("units", "computed"), [(2, (2 + 1 + 1) / 2), (3, (3 + 2 + 1 + 2) / 3)])
def test_forward_equivalents_of_longer_streamed_branches(units, computed):
    """Of `units` convolutions a branch, so many are computed again, each some times over."""
    network = build("streamed", "noisy", initial_channels=8, depths=(1, 1), units=units)
    assert forward_equivalents(network) == pytest.approx(3 + computed)
