"""What batch normalisation keeps of one forward pass, for any module with running statistics of torch's names."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.reversible.moments import Moments

Norm = Any  # a module with the running statistics, weight, eps and momentum of torch's BatchNorm2d


class Statistics(NamedTuple):
    """What the inverse and the gradient need to know of one forward pass: two numbers a channel."""

    mean: Tensor  # (C,)
    inverse_deviation: Tensor  # (C,), 1 / sqrt(var + eps)
    of_batch: bool  # whether they depend on the batch (training), so that the gradient must account for it


def running_statistics(norm: Norm) -> Statistics:
    """Those of `norm` in evaluation."""
    return Statistics(norm.running_mean.clone(), torch.rsqrt(norm.running_var + norm.eps), False)


def counted(norm: Norm, moments: Moments) -> Statistics:
    """Those of a forward pass of `norm` in training whose input has these moments; the running ones take note.

    Raises `ValueError` where that is less than two values a channel.
    """
    count = require_several(moments.count)
    variance = moments.squares / count
    unbiased = variance * (count / (count - 1))
    norm.running_mean.lerp_(moments.mean.to(norm.running_mean.dtype), norm.momentum)
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
    dtype = norm.weight.dtype
    return Statistics(moments.mean.to(dtype), torch.rsqrt(variance + norm.eps).to(dtype), True)


def require_several(count: int) -> int:
    """`count`, the values a channel of a forward pass in training: of one there is no variance."""
    if count < 2:
        raise ValueError(
            f"Batch normalisation in training needs 2 or more values a channel, but was given {count}; "
            "give more images, or larger ones, or call eval()."
        )
    return count
