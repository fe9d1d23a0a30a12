"""Singular values of the invertible convolution (4.1.3), whose noise the paper calls negligible."""

import torch
from torch import Tensor

from bench.reversible import InvertibleConv2d


@torch.no_grad()
def singular_values(layer: InvertibleConv2d, side: int) -> Tensor:
    """All singular values, float64 (n,), of the layer as a linear map of images (1, channels, side, side).

    The matrix is made by the layer itself, column by column, borders included: n = channels side^2, of order 1000 at
    most. Their product is 1, since a coupling keeps volume.
    """
    dtype = next(layer.parameters()).dtype
    size = layer.channels * side**2
    columns = layer(torch.eye(size, dtype=dtype).view(size, layer.channels, side, side))
    return torch.linalg.svdvals(columns.flatten(1).double())
