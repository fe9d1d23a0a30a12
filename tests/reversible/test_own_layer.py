"""The layer that docs/engine.md shows is one."""

import re

import pytest
import torch
from torch import nn

from bench.reversible import InvertibleConv2d, ReversibleBlock, ReversibleSequential
from tests.reversible.networks import images, relative_error
from tests.smoke import ROOT


@pytest.fixture(scope="module")
def shuffled() -> type:
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "engine.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(block[1], names)
    return names["Shuffled"]


@pytest.mark.parametrize("reconstruction", ["noisy", "exact"])
def test_it_is_restored_and_its_gradient_is_autograds(shuffled, reconstruction):
    def layers():
        torch.manual_seed(0)
        convolutions = [nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)]
        before = [InvertibleConv2d(8)] if reconstruction == "noisy" else []
        return [*before, shuffled(8), ReversibleBlock(*convolutions), shuffled(8)]

    x = images(0, 2, 8, 5, 5)
    gradients = []
    for each in (
        {"reconstruction": reconstruction},
        {"reconstruction": "exact", "store": True},
        {"reconstruction": "ideal"},
    ):
        if each["reconstruction"] == "exact" and reconstruction == "noisy":
            continue
        network = ReversibleSequential(*layers(), **each).double()
        assert relative_error(network.inverse(network(x)), x) < 1e-9
        gradients.append(torch.autograd.grad(network(x).square().sum(), list(network.parameters())))
    tolerance = 1e-9 if reconstruction == "noisy" else 1e-5  # beside the grid
    assert all(relative_error(one, other) < tolerance for one, other in zip(gradients[0], gradients[-1], strict=True))
    if reconstruction == "exact":
        assert all(torch.equal(one, other) for one, other in zip(gradients[0], gradients[1], strict=True))


def test_its_order_is_another(shuffled):
    torch.manual_seed(0)
    layer, x = shuffled(8), images(0, 2, 8, 5, 5)
    assert not torch.equal(layer(x), x) and torch.equal(layer(x).sum(1), x[:, layer.order].sum(1))
    assert torch.equal(layer.inverse(layer(x)), x)
