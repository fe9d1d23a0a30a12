"""The authors' batch norm inverse: the same forward pass and gradient rule, and an error that is no rounding."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.architectures import build
from bench.errors import InputError
from bench.reversible import InvertibleBatchNorm2d, RenormalisedBatchNorm2d, ReversibleSequential
from tests.reversible.networks import all_gradients, images, randomise, relative_error


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([2, 4, 8]))
def test_its_error_is_one_over_twice_the_values_of_a_channel(seed, batch, side):
    layer = randomise(RenormalisedBatchNorm2d(6).double(), seed)
    x = images(seed, batch, 6, side, side)
    restored = layer.inverse(layer(x))
    centred = x - x.mean((0, 2, 3), keepdim=True)
    count = batch * side**2
    expected = math.sqrt(count / (count - 1)) - 1
    # Not of x but of x without its mean; relative to 1, since eps is part of the deviation of the forward pass.
    assert relative_error(restored - x, centred * expected) < 1e-6


def test_a_negative_scale_keeps_its_sign():
    layer = RenormalisedBatchNorm2d(2).double()
    with torch.no_grad():
        layer.norm.weight.neg_()
    x = images(0, 64, 2, 8, 8)
    assert relative_error(layer.inverse(layer(x)), x) < 1e-3


def test_in_evaluation_it_is_the_ordinary_inverse():
    layer, x = randomise(RenormalisedBatchNorm2d(6).double(), 1).eval(), images(1, 3, 6, 4, 4)
    assert relative_error(layer.inverse(layer(x)), x) < 1e-12


def test_forward_and_the_gradient_of_one_layer_are_the_ordinary_ones():
    gradients, outputs, inputs = [], [], []
    for kind in (InvertibleBatchNorm2d, RenormalisedBatchNorm2d):
        network = ReversibleSequential(randomise(kind(6, gamma_eps=0.1).double(), 2))
        x = images(1, 4, 6, 4, 4).requires_grad_()
        y = network(x)
        y.pow(3).sum().backward()
        outputs.append(y.detach())
        gradients.append(all_gradients(network))
        inputs.append(x.grad)
    assert torch.equal(*outputs)
    assert relative_error(gradients[1], gradients[0]) < 1e-12
    assert relative_error(inputs[1], inputs[0]) < 1e-12


@pytest.mark.parametrize("architecture", ["layerwise", "hybrid"])
def test_it_is_an_option_of_both_architectures(architecture):
    model = build(architecture, "noisy", initial_channels=8, depths=(1, 1), norm_inverse="renormalised")
    assert any(isinstance(module, RenormalisedBatchNorm2d) for module in model.modules())
    with pytest.raises(InputError, match="statistics, renormalised"):
        build(architecture, "noisy", norm_inverse="other")
