"""The angle between noisy and ideal gradients, layer by layer: the link from signal-to-noise ratio to accuracy."""

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from bench.reversible import InvertibleConv2d, ReversibleSequential


def convolution_gradients(network: ReversibleSequential, reconstruction: str, images: Tensor, labels: Tensor) -> dict:
    """Module name -> gradient (one vector, float64) of each invertible convolution, in that reconstruction.

    One pass of the mean cross-entropy in training mode; the network is left in the reconstruction it was in.
    """
    before, network.reconstruction = network.reconstruction, reconstruction
    functional.cross_entropy(network(images).float(), labels).backward()
    network.reconstruction = before
    gradients = {
        name: torch.cat([cast(Tensor, weight.grad).flatten() for weight in (module.f, module.g)]).double()
        for name, module in network.named_modules()
        if isinstance(module, InvertibleConv2d)
    }
    network.zero_grad(set_to_none=True)
    return gradients


def angles_degrees(ideal: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Angle in degrees, 0 to 180, between two gradients of each layer; None where one is 0 or not finite."""
    return {name: angle_degrees(gradient, other[name]) for name, gradient in ideal.items()}


def angle_degrees(a: Tensor, b: Tensor) -> float | None:
    """The angle between two vectors by atan2, which is exact for small angles too."""
    a, b = a / a.norm(), b / b.norm()
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        return None
    return math.degrees(2 * math.atan2(float((a - b).norm()), float((a + b).norm())))
