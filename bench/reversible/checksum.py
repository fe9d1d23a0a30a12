"""A check of exact reconstruction that costs next to nothing: a sum over a sample of the state's bits.

It is taken of every layer's input in the forward pass, and again of what is reconstructed. A difference means that the
two computations of a branch did not give the same bits (other kernels, other threads, another device).
"""

import torch
from torch import Tensor

from bench.reversible.layer import State

SAMPLE = 1024  # values of each part
NOT_FINITE = torch.iinfo(torch.int64).min


class InexactReconstruction(ArithmeticError):
    """A reconstructed activation is not the one of the forward pass, though exact reconstruction was promised."""


def checksum(state: State) -> Tensor:
    """Sum of the bit patterns of SAMPLE values of each part, spread evenly over its memory: int64, one number a part.

    A sum of integers does not depend on the order of addition. Where a value of the sample is not finite it is
    NOT_FINITE: such a state is not compared.
    """
    return torch.stack([_checksum(part) for part in state])


def _checksum(part: Tensor) -> Tensor:
    step = max(1, part.numel() // SAMPLE) | 1  # odd, so that it meets every channel of channels-last memory
    sample = part.as_strided((min(SAMPLE, -(-part.numel() // step)),), (step,))
    bits = sample.view(torch.int32 if sample.element_size() == 4 else torch.int64)
    return torch.where(torch.isfinite(sample).all(), bits.sum(dtype=torch.int64), NOT_FINITE)
