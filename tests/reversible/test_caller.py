"""What the caller of a network may do with it and with what it is given: told, or without effect on the gradients."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.flop_counter import FlopCounterMode

from bench.architectures import build
from bench.reversible import (
    GlobalPooling,
    Int16Stem,
    InvertibleBatchNorm2d,
    InvertibleConv2d,
    InvertibleLeakyReLU,
    ReversibleBlock,
    ReversibleSequential,
    StreamedUnits,
)
from bench.reversible.int16 import Int16Grid
from tests.reversible.networks import all_gradients, images


def sixteen_bits():
    """A small network whose state has 16 bits, and images."""
    torch.manual_seed(0)
    options = {"initial_channels": 8, "depths": (1, 1), "classes": 4, "state": "int16"}
    return build("streamed", "exact", **options), images(1, 4, 3, 8, 8, dtype=torch.float32)


def stem(*above):
    """A stem from 3 to 8 channels."""
    return Int16Stem(nn.Conv2d(3, 8, 3, padding=1, bias=False), InvertibleBatchNorm2d(8), *above)


def test_an_image_that_is_changed_before_the_backward_pass_is_told():
    network, x = sixteen_bits()
    loss = network(x).square().sum()
    x[0, 0, 0, 1:6] = 1000.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_an_image_is_given_free_with_the_backward_pass_though_the_loss_lives_on():
    network, x = sixteen_bits()
    loss = network(x).square().sum()
    image = StorageWeakRef(x.untyped_storage())
    del x
    assert not image.expired()
    loss.backward()
    assert image.expired() and loss.isfinite()


@pytest.mark.parametrize("layer", [InvertibleBatchNorm2d(8), InvertibleConv2d(8), InvertibleConv2d(8, 1)])
def test_a_layer_above_a_stem_that_would_get_no_gradient_is_refused(layer):
    with pytest.raises(ValueError, match=r"treat every pixel alone and have no parameters, .*; it got Invertible"):
        stem(InvertibleLeakyReLU(0.1), layer)


def test_padding_that_is_no_number_is_refused():
    same = nn.Conv2d(3, 8, 3, padding="same", bias=False)
    with pytest.raises(ValueError, match="zeros around the image, as many as a number says"):
        Int16Stem(same, InvertibleBatchNorm2d(8))
    units = StreamedUnits(8)
    units[0] = nn.Conv2d(8, 8, 3, padding="same", bias=False)
    with pytest.raises(TypeError, match="zeros around the image and their number"):
        ReversibleSequential(ReversibleBlock(units, StreamedUnits(8)))(images(0, 2, 16, 8, 8, dtype=torch.float32))


@pytest.mark.parametrize("reconstruction", ["ideal", "noisy", "exact"])
@pytest.mark.parametrize("training", [True, False])
def test_an_empty_batch_is_told(reconstruction, training):
    network = build("hybrid", reconstruction, initial_channels=8, depths=(1, 1), classes=4).train(training)
    with pytest.raises(ValueError, match=r"an empty batch, \(0, 3, 8, 8\); leave it out"):
        network(torch.zeros(0, 3, 8, 8))


def test_operations_are_counted_through_blocks_of_ordinary_modules():
    def f():
        return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Tanh())

    network = ReversibleSequential(ReversibleBlock(f(), f()), GlobalPooling(), nn.Linear(8, 2)).double()
    x, counts, gradients = images(0, 2, 8, 8, 8), {}, {}
    for network.reconstruction in ("ideal", "noisy"):
        x.requires_grad_(True).grad = None
        network.zero_grad()
        with FlopCounterMode(display=False) as counter:
            network(x).square().sum().backward()
        counts[network.reconstruction] = counter.get_total_flops()
        gradients[network.reconstruction] = all_gradients(network)
    assert torch.allclose(gradients["ideal"], gradients["noisy"], rtol=1e-10)
    convolution = 2 * 2 * 8 * 8 * 4 * 4 * 9  # F and G are computed once more
    assert counts["noisy"] - counts["ideal"] == 2 * convolution


def test_a_stem_may_be_given_by_name():
    layers = OrderedDict(stem=stem(InvertibleLeakyReLU(0.1)), pool=GlobalPooling(), head=nn.Linear(8, 2))
    network = ReversibleSequential(layers, reconstruction="exact")
    assert isinstance(network.grid, Int16Grid)
    network(images(0, 2, 3, 8, 8, dtype=torch.float32)).sum().backward()
    assert network.stem.convolution.weight.grad.abs().sum() > 0
