"""Every inverse undoes its layer, and every layer its inverse, over shapes, seeds, memory formats and both modes."""

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.reversible import (
    BatchPooling,
    ChannelPooling,
    InvertibleBatchNorm2d,
    InvertibleConv2d,
    InvertibleLeakyReLU,
    ReversibleSequential,
)
from bench.reversible import pooling as pooling_module
from tests.reversible.networks import LAYERS, images, randomise, relative_error, unit

SHAPES = {
    "seed": st.integers(0, 2**31),
    "batch": st.integers(2, 5),
    "channels": st.sampled_from([4, 8, 12]),
    "side": st.sampled_from([2, 4, 6]),
    "channels_last": st.booleans(),
    "training": st.booleans(),
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=12, deadline=None)
@given(**SHAPES)
def test_inverse_restores_the_input_in_float64(name, seed, batch, channels, side, channels_last, training):
    layer, x = _layer_and_input(name, seed, batch, channels, side, channels_last, training, torch.float64)
    assert relative_error(layer.inverse(layer(x)), x) < 1e-9


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=8, deadline=None)
@given(**SHAPES)
def test_inverse_restores_the_input_in_float32(name, seed, batch, channels, side, channels_last, training):
    layer, x = _layer_and_input(name, seed, batch, channels, side, channels_last, training, torch.float32)
    # A few hundred roundings of 6e-8, amplified by the smallest batch norm scales that `randomise` makes.
    assert relative_error(layer.inverse(layer(x)), x) < 1e-4


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=8, deadline=None)
@given(**SHAPES)
def test_the_layer_undoes_its_inverse(name, seed, batch, channels, side, channels_last, training):
    layer, x = _layer_and_input(name, seed, batch, channels, side, channels_last, False, torch.float64)
    y = layer(x)
    assert relative_error(layer(layer.inverse(y)), y) < 1e-9


@pytest.mark.parametrize("pooling", [ChannelPooling(), BatchPooling()])
def test_poolings_restore_every_bit(pooling):
    x = images(0, 3, 4, 6, 8, dtype=torch.float32)
    assert torch.equal(pooling.inverse(pooling(x)), x)


def test_channel_pooling_gathers_each_cell():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert ChannelPooling()(x)[0, :, 0, 0].tolist() == [0, 1, 4, 5]


def test_batch_pooling_gathers_each_cell_along_the_batch():
    x = torch.arange(32.0).view(2, 1, 4, 4)
    y = BatchPooling()(x)
    assert y.shape == (8, 1, 2, 2)
    assert y[:4, 0, 0, 0].tolist() == [0, 1, 4, 5]  # the first image's upper left cell
    assert y[4:, 0, 0, 0].tolist() == [16, 17, 20, 21]  # the second's


def test_a_whole_sequence_has_an_inverse():
    sequence = ReversibleSequential(*unit(4), ChannelPooling(), *unit(16)).double()
    x = images(1, 3, 4, 4, 4)
    with torch.no_grad():
        assert relative_error(sequence.inverse(sequence(x)), x) < 1e-9


def test_batch_norm_matches_torch_in_both_modes():
    ours, torchs = InvertibleBatchNorm2d(6).double(), torch.nn.BatchNorm2d(6).double()
    randomise(ours, 3)
    torchs.load_state_dict(ours.state_dict() | {"num_batches_tracked": torch.tensor(0)})
    for seed in range(3):
        x = images(seed, 4, 6, 5, 5) * 3 + 2
        assert torch.allclose(ours(x), torchs(x), atol=1e-12)
    assert torch.allclose(ours.running_mean, torchs.running_mean, atol=1e-14)
    assert torch.allclose(ours.running_var, torchs.running_var, atol=1e-14)
    assert torch.allclose(ours.eval()(x), torchs.eval()(x), atol=1e-12)


def test_gamma_eps_bounds_the_scale_as_in_equation_23():
    layer = InvertibleBatchNorm2d(2, gamma_eps=0.25).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-0.5, 0.0]))
    x = images(0, 8, 2, 4, 4)
    normalised = torch.nn.functional.batch_norm(x, None, None, training=True)
    assert torch.allclose(layer(x), normalised * 0.25, atol=1e-12)


@pytest.mark.parametrize("reconstruction", ["ideal", "noisy"])
def test_batch_norm_of_one_value_a_channel_has_no_variance_in_training(reconstruction):
    norm = InvertibleBatchNorm2d(2).train()
    layers = ReversibleSequential(norm, reconstruction=reconstruction)
    with pytest.raises(ValueError, match="2 or more values a channel, but was given 1; give more images"):
        layers(torch.ones(1, 2, 1, 1))
    assert torch.equal(norm.running_var, torch.ones(2))
    assert layers.eval()(torch.ones(1, 2, 1, 1)).isfinite().all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("reconstruction", ["ideal", "noisy"])
@pytest.mark.parametrize("channels", [1, 8])
def test_batch_norm_of_other_channels_is_told(channels, reconstruction, training):
    """Slices of its numbers by the channels given would fit, or be read beyond their end."""
    network = ReversibleSequential(InvertibleBatchNorm2d(channels), reconstruction=reconstruction).train(training)
    with pytest.raises(ValueError, match=f"made for {channels} channels but got an activation of 6"):
        network(torch.randn(2, 6, 4, 4))


def test_batch_norm_in_training_needs_a_forward_pass_before_its_inverse():
    with pytest.raises(RuntimeError, match="there was none yet"):
        InvertibleBatchNorm2d(4).inverse(torch.zeros(1, 4, 2, 2))


def test_leaky_relu_needs_a_positive_slope():
    with pytest.raises(ValueError, match=r"slope is 0\.0"):
        InvertibleLeakyReLU(0.0)


def test_impossible_shapes_are_named():
    with pytest.raises(ValueError, match="3 channels"):
        InvertibleConv2d(3)
    with pytest.raises(ValueError, match="5x4 pixels"):
        ChannelPooling()(torch.zeros(1, 2, 5, 4))
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        ReversibleSequential(InvertibleConv2d(4))(torch.zeros(2, 4))


def _layer_and_input(name, seed, batch, channels, side, channels_last, training, dtype):
    torch.manual_seed(seed)
    layer = randomise(LAYERS[name](channels).to(dtype), seed).train(training)
    x = images(seed, batch, channels, side, side, dtype=dtype)
    return layer, x.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 4), st.integers(2, 6), st.integers(1, 4), st.integers(1, 4)),
)
def test_channel_pooling_in_one_copy_is_torchs(seed, shape):
    n, c, h, w = shape
    x = images(seed, n, c, 2 * h, 2 * w).to(memory_format=torch.channels_last)
    layer = ChannelPooling()
    y = layer.arrange(x)
    with mock.patch.object(pooling_module, "ONE_COPY", {"cpu"}):
        found = layer.arrange(x)
        assert torch.equal(found, y) and torch.equal(layer.restore(found), x)
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(layer.inverse(layer(x)), x)
