"""What one method costs and how right it is: bytes per pixel, gradients, updates of the running statistics."""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.memory.peak import Peak, measure_peak
from bench.memory.training_step import random_batch
from bench.peers.chain import CLASSES, IN_CHANNELS, Parts


@dataclass(frozen=True)
class Gradients:
    """A method's gradients against plain autograd's: ||g - g'|| / ||g'|| over all parameters, and the largest
    difference of a parameter's entries relative to the largest entry, at the parameter where that is worst.
    """

    relative_error: float
    worst_parameter: float


@dataclass(frozen=True)
class Shape:
    """Network and batch."""

    channels: int = 64
    blocks: int = 8
    batch_size: int = 128
    image_size: int = 32


def gradients(model: nn.Module, parts: Parts, shape: Shape, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Gradients of every parameter, in the parts' order, after one forward and backward pass on a fixed batch.

    `model` stays where it is and keeps `dtype` and its weights; it is left without gradients.
    """
    model.to(dtype).train()
    device = next(parts.parameters()).device
    images, labels = random_batch(shape.batch_size, shape.image_size, IN_CHANNELS, CLASSES, device)
    functional.cross_entropy(model(images.to(dtype)), labels).backward()
    found = [cast(Tensor, parameter.grad).double().cpu() for parameter in parts.parameters()]
    model.zero_grad(set_to_none=True)
    return found


def compared(found: list[Tensor], reference: list[Tensor]) -> Gradients:
    """The errors of `found`."""
    differences = [one - other for one, other in zip(found, reference, strict=True)]
    total = sum(each.square().sum() for each in differences) / sum(each.square().sum() for each in reference)
    worst = max(float(d.abs().max() / r.abs().max()) for d, r in zip(differences, reference, strict=True))
    return Gradients(math.sqrt(total), worst)


def statistics_updates(parts: Parts) -> int:
    """How often batch norm has counted a batch since the network was made: one forward pass should count once."""
    return max(int(norm.num_batches_tracked or 0) for norm in parts.modules() if isinstance(norm, nn.BatchNorm2d))


def peaks(model: nn.Module, shape: Shape, device: torch.device) -> list[Peak]:
    """Peaks of a training step at half the batch size and at all of it."""
    sizes = (shape.batch_size // 2, shape.batch_size)
    return [measure_peak(model, size, shape.image_size, IN_CHANNELS, CLASSES, device=device) for size in sizes]


def bytes_per_pixel(found: list[Peak]) -> float:
    """The slope of all that is held at the peak: such a chain has but one kind of peak, at every batch size."""
    small, large = found
    pixels = (large.batch_size - small.batch_size) * large.image_size**2
    return (large.peak_bytes - small.peak_bytes) / pixels
