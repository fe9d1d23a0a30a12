"""A network with every kind of layer, and images for it."""

import pytest
import torch

from tests.reversible.networks import images, randomise, whole_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    return randomise(whole_network().double(), 0)


@pytest.fixture
def x():
    return images(1, 4, 3, 8, 8)
