"""A small architecture whose widths are all tied to its initial channels, registered for one test."""

import pytest
from torch import nn

from bench.architectures import ARCHITECTURES
from bench.architectures.registry import register
from bench.architectures.search import VolumePreserving


class Chain(nn.Module):
    """A stem, then depths[i] 3x3 convolutions of 4^i times the initial channels, and a linear layer."""

    def __init__(self, reconstruction="ideal", initial_channels=8, depths=(1, 2, 2), classes=10, in_channels=3):
        super().__init__()
        self.reconstruction = reconstruction
        self.layers = nn.Sequential(nn.Conv2d(in_channels, initial_channels, 3, padding=1))
        for stage, depth in enumerate(depths):
            channels = initial_channels * 4**stage
            self.layers.extend(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.linear = nn.Linear(initial_channels * 4 ** (len(depths) - 1), classes)


@pytest.fixture(autouse=True)
def registry_as_it_was():
    """What a test registers is gone again after it."""
    kept = dict(ARCHITECTURES)
    yield
    ARCHITECTURES.clear()
    ARCHITECTURES.update(kept)


@pytest.fixture
def chain():
    """Name of the registered architecture."""
    register("chain", summary="a chain", reconstructions=("ideal", "noisy"), search=VolumePreserving(multiple=4))(Chain)
    return "chain"
