"""A check of exact reconstruction that costs next to nothing: a sum over a sample of the state's bits.

It is taken of every layer's input in the forward pass, and again of what is reconstructed. A difference means that the
two computations of a branch did not give the same bits (other kernels, other threads, another device).
"""

import torch
from torch import Tensor

from bench.reversible.layer import State

SAMPLE = 256  # values of each part


class InexactReconstruction(ArithmeticError):
    """A reconstructed activation is not the one of the forward pass, though exact reconstruction was promised."""


def checksum(state: State) -> Tensor:
    """Sum of the bit patterns of SAMPLE values of each part, spread evenly over its memory: int64, one number a part.

    A sum of integers does not depend on the order of addition.
    """
    return torch.stack([_sample(part).view(_BITS[part.element_size()]).sum(dtype=torch.int64) for part in state])


def finite(state: State) -> Tensor:
    """Whether all values of the sample are finite numbers; reconstruction promises nothing of others."""
    return torch.stack([torch.isfinite(_sample(part)).all() for part in state]).all()


_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def _sample(part: Tensor) -> Tensor:
    step = max(1, part.numel() // SAMPLE) | 1  # odd, so that it meets every channel of channels-last memory
    return part.as_strided((min(SAMPLE, -(-part.numel() // step)),), (step,))
