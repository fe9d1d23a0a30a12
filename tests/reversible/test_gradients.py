"""Retraced gradients against ordinary autograd in float64 (relative error under 1e-9) and finite differences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from bench.reversible import InvertibleBatchNorm2d, ReversibleSequential
from tests.reversible.networks import (
    LAYERS,
    all_gradients,
    images,
    randomise,
    relative_error,
    stored_twin,
    whole_network,
)


def gradients(network, x, weights):
    """(output, gradient of x, all parameters' gradients) for the loss sum(weights * output)."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    output = network(x)
    (output * weights(output)).sum().backward()
    parameters = list(network.parameters())
    return output.detach(), x.grad, all_gradients(network) if parameters else torch.ones(1)


def assert_same_gradients(network, x, tolerance):
    twin = stored_twin(network)

    def weights(output):
        return images(99, *output.shape, dtype=output.dtype)

    for retraced, stored in zip(gradients(network, x, weights), gradients(twin, x, weights), strict=True):
        assert relative_error(retraced, stored) < tolerance
    for ours, theirs in zip(network.buffers(), twin.buffers(), strict=True):
        assert torch.allclose(ours.double(), theirs.double(), atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(2, 4),
    channels=st.sampled_from([4, 8]),
    side=st.sampled_from([2, 4]),
    channels_last=st.booleans(),
    training=st.booleans(),
)
def test_every_layer_agrees_with_autograd(name, seed, batch, channels, side, channels_last, training):
    torch.manual_seed(seed)
    network = randomise(ReversibleSequential(LAYERS[name](channels)).double(), seed).train(training)
    x = images(seed, batch, channels, side, side)
    x = x.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    assert_same_gradients(network, x, 1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_whole_network_agrees_with_autograd(seed, training):
    torch.manual_seed(seed)
    network = randomise(whole_network().double(), seed).train(training)
    assert_same_gradients(network, images(seed, 4, 3, 8, 8), 1e-9)


def test_a_whole_network_agrees_with_autograd_in_float32():
    torch.manual_seed(0)
    network = randomise(whole_network(), 0)
    # Reconstruction noise of six conv-BN-leaky-ReLU units at slope 0.5, measured at about 1e-5.
    assert_same_gradients(network, images(0, 8, 3, 8, 8, dtype=torch.float32), 1e-3)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_agrees_with_finite_differences(name):
    torch.manual_seed(1)
    network = randomise(ReversibleSequential(LAYERS[name](4)).double(), 1)
    names = [name for name, _ in network.named_parameters()]
    parameters = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}

    def run(x, *values):
        spare = {name: buffer.clone() for name, buffer in buffers.items()}
        return functional_call(network, dict(zip(names, values, strict=True)) | spare, (x,))

    x = images(2, 2, 4, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(run, (x, *parameters), eps=1e-6, atol=1e-6, rtol=1e-5, fast_mode=True)


def test_a_parameter_of_two_layers_gets_the_sum():
    torch.manual_seed(0)
    layer = LAYERS["convolution"](4)
    network = ReversibleSequential(layer, LAYERS["leaky relu"](4), layer).double()
    assert_same_gradients(network, images(0, 2, 4, 4, 4), 1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_a_bounded_scale_has_the_gradient_of_a_magnitude(training):
    """|gamma + eps_i| falls as gamma rises where the sum is negative; `randomise` keeps gamma near 1."""
    network = ReversibleSequential(InvertibleBatchNorm2d(4, gamma_eps=0.1)).double().train(training)
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([-0.7, -0.05, 0.3, -2.0]))
    assert_same_gradients(network, images(0, 3, 4, 4, 4), 1e-9)
