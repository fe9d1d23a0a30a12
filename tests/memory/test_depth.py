"""Noisy reconstruction frees memory: the cost of a pixel does not grow with depth, that of stored activations does."""

import pytest
import torch

from bench.architectures import build
from bench.memory.peak import bytes_per_pixel, measure_peak

REVERSIBLE = ("revnet", "irevnet", "layerwise", "hybrid")


def slope(name: str, reconstruction: str, depths: tuple[int, ...]) -> float:
    torch.manual_seed(0)
    model = build(name, reconstruction, initial_channels=8, depths=depths)
    return bytes_per_pixel([measure_peak(model, batch_size, image_size=16) for batch_size in (4, 8)])


@pytest.mark.parametrize("name", REVERSIBLE)
def test_noisy_does_not_grow_with_depth(name):
    once, twice = slope(name, "noisy", (1, 1, 1)), slope(name, "noisy", (2, 2, 2))
    assert twice == pytest.approx(once, rel=0.05)


@pytest.mark.parametrize("name", REVERSIBLE)
def test_ideal_grows_with_depth(name):
    once, twice = slope(name, "ideal", (1, 1, 1)), slope(name, "ideal", (2, 2, 2))
    assert twice > 1.4 * once


@pytest.mark.parametrize("name", REVERSIBLE)
def test_noisy_costs_less_than_ideal(name):
    assert slope(name, "noisy", (2, 2, 2)) < 0.5 * slope(name, "ideal", (2, 2, 2))
