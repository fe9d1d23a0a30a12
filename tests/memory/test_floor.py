"""Bytes per pixel of a training step at 32 initial channels, the input batch included: what the networks must reach."""

import pytest
import torch
from torch import nn

from bench.architectures import build
from bench.memory.cost_model import pixel_cost
from bench.memory.peak import bytes_per_pixel, measure_peak
from bench.reversible import GlobalPooling, ReversibleBlock, ReversibleSequential, StreamedUnits, slices

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


def test_holding_a_convolution_costs_a_quarter_of_the_state():
    def block(hold: bool) -> ReversibleSequential:
        functions = StreamedUnits(16, hold=hold), StreamedUnits(16, hold=hold)
        return ReversibleSequential(ReversibleBlock(*functions), GlobalPooling(), nn.Linear(32, 10))

    def of(hold: bool) -> float:
        return bytes_per_pixel([measure_peak(block(hold), batch, 16, in_channels=32) for batch in (24, 48)])

    assert of(True) - of(False) == pytest.approx(16 * 4, rel=0.05)
