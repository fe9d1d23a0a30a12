"""Bytes per pixel of a training step at 32 initial channels, the input batch included: what the networks must reach."""

import pytest
import torch

from bench.architectures import build
from bench.memory.cost_model import pixel_cost
from bench.memory.peak import bytes_per_pixel, measure_peak
from bench.reversible import slices

LIMITS = {"layerwise": 290, "streamed": 280, "hybrid": 352, "revnet": 576}


@pytest.fixture(autouse=True)
def small_slices(monkeypatch):
    """So that the batch is well above a slice and the images can be few."""
    monkeypatch.setitem(slices.SLICE_BYTES, "cpu", 2**15)


def measured(name: str, depths: tuple[int, ...]) -> tuple[float, float]:
    torch.manual_seed(0)
    model = build(name, "noisy", initial_channels=32, depths=depths)
    cost = pixel_cost(model)
    return bytes_per_pixel([measure_peak(model, batch, image_size=32) for batch in (6, 12)]), cost.total + cost.image


@pytest.mark.parametrize("name", LIMITS)
def test_bytes_per_pixel(name):
    found, theory = measured(name, (1, 1))
    assert found <= LIMITS[name]
    assert found == pytest.approx(theory, rel=0.1)
    if name != "revnet":  # whose blocks' activations are those of its first resolution too, tested in test_depth
        assert measured(name, (2, 2))[0] == pytest.approx(found, rel=0.02)
