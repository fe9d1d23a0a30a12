"""Mean and variance by channel, gathered from slices of a batch."""

from typing import Any

import torch
from torch import Tensor

from bench.reversible.channelwise import channel_sum, weighted_sums
from bench.reversible.fused import fused
from bench.reversible.layer import State, per_channel


class Moments:
    """Pixels, mean and sum of squared deviations of all that was added, (C,) each, in float64.

    Slices are put together by the rule of Chan, Golub and LeVeque (1979), which subtracts no large numbers: the result
    is as good as that of one pass over the whole batch around its mean.
    """

    def __init__(self) -> None:
        self.count = 0
        # Zero until something is added, then tensors.
        self.mean: Any = 0.0
        self.squares: Any = 0.0

    def add(self, state: State) -> None:
        """Take in a state's parts (N, C_i, H, W), which together have the C channels."""
        count = per_channel(state[0])
        mean, squares = (torch.cat(found) for found in zip(*map(_moments, state), strict=True))
        total = self.count + count
        difference = mean.double() - self.mean
        self.mean = self.mean + difference * (count / total)
        self.squares = (
            self.squares + squares.double().clamp_(min=0) + difference.square() * (self.count * count / total)
        )
        self.count = total


def _moments(part: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, sum of squared deviations from it), (C,) each."""
    if (kernels := fused(part)) is not None:
        mean, squares = kernels.moments(part)
        return mean, squares
    mean = channel_sum(part) / per_channel(part)
    # sum x (x - mean) = n var: one pass with no temporary, where `torch.var` on a CPU takes many times as long.
    return mean, weighted_sums(part, part, mean, torch.ones_like(mean))[1]
