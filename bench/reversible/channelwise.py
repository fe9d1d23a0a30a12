"""Sums and scalings by channel, each in one pass over memory, in place and without a temporary.

`slope` is that of a leaky ReLU after a scaling. On CUDA each function is one kernel (`fused.py`); else, and without
Triton, a leaky ReLU is a pass of its own.

In channels-last memory a tensor is a list of pixels with all their channels. Where there are few channels, loops over
them are too short to be vectorised, and sums over all pixels are long chains of additions. So several pixels are read
as one with several times the channels (a `tile`): the arithmetic stays the same, loops become long and chains short.
With 8 channels that is 2 to 10 times as fast on a CPU, and the sums lose 100 times less.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bench.reversible.fused import fused
from bench.reversible.layer import memory_format

TILE_CHANNELS = 2048


class Tile(NamedTuple):
    """`x` seen as an image of `repeat` times its channels."""

    x: Tensor
    repeat: int

    def spread(self, values: Tensor) -> Tensor:
        """One number a channel (C,), repeated for the tile's channels and shaped to broadcast over `x`."""
        return self.repeated(values).view(1, -1, 1, 1)

    def repeated(self, values: Tensor) -> Tensor:
        """One number a channel (C,), repeated for the tile's channels: `Tensor.repeat`, at a fifth of its overhead."""
        return values.expand(self.repeat, -1).reshape(-1)

    def gather(self, sums: Tensor) -> Tensor:
        """Sums of the tile's channels, added up for the channels that they came from."""
        return sums.view(self.repeat, -1).sum(0)


def tile(x: Tensor) -> Tile:
    """The tile of a dense tensor (N, C, H, W); `x` itself where tiles do not help."""
    channels = x.shape[1]
    if x.device.type != "cpu" or memory_format(x) != torch.channels_last:
        return Tile(x, 1)
    pixels = x.numel() // channels
    repeat = math.gcd(pixels, 1 << max(0, (TILE_CHANNELS // channels).bit_length() - 1))
    if repeat == 1:
        return Tile(x, 1)
    width = repeat * channels
    return Tile(x.as_strided((1, width, pixels // repeat, 1), (x.numel(), 1, width, width)), repeat)


def channel_sum(x: Tensor) -> Tensor:
    """Sum over (N, H, W), shape (C,)."""
    tiled = tile(x)
    return tiled.gather(tiled.x.sum((0, 2, 3)))


def weighted_sums(g: Tensor, x: Tensor, mean: Tensor, factor: Tensor, slope: float = 1.0) -> tuple[Tensor, Tensor]:
    """(sum of g, sum of g (x - mean) factor) over (N, H, W), each (C,): batch norm's backward reduction.

    With a slope, of what a leaky ReLU was given and that one's gradient, from its output `x` and gradient `g`.
    """
    if (kernels := fused(g, x)) is not None:
        plain, weighted = kernels.output_sums(g, x, mean, factor, slope)
        return plain, weighted
    if slope != 1:
        g = torch.ops.aten.leaky_relu_backward(g, x, slope, True)
        x = functional.leaky_relu(x, 1 / slope)
    tiled_g, tiled_x = tile(g), tile(x)
    if tiled_g.repeat != tiled_x.repeat:
        tiled_g, tiled_x = Tile(g, 1), Tile(x, 1)
    _, weighted, plain = torch.ops.aten.native_batch_norm_backward(
        tiled_g.x,
        tiled_x.x,
        tiled_x.repeated(torch.ones_like(mean)),
        None,
        None,
        tiled_x.repeated(mean),
        tiled_x.repeated(factor),
        True,
        0.0,
        [False, True, True],
    )
    return tiled_x.gather(plain), tiled_x.gather(weighted)


def scale_and_shift(x: Tensor, factor: Tensor, shift: Tensor, slope: float = 1.0) -> None:
    """x <- leaky(x factor + shift), in place."""
    if (kernels := fused(x)) is not None:
        kernels.scale_and_shift(x, factor, shift, slope, out=x)
        return
    tiled = tile(x)
    if tiled.repeat > 1:
        torch.addcmul(tiled.spread(shift), tiled.x, tiled.spread(factor), out=tiled.x)
    else:
        x.mul_(tiled.spread(factor)).add_(tiled.spread(shift))
    if slope != 1:
        functional.leaky_relu_(x, slope)


def pull_back(
    g: Tensor,
    y: Tensor,
    of_g: Tensor,
    of_y: Tensor | None,
    constant: Tensor,
    undo: tuple[Tensor, Tensor],
    slope: float = 1.0,
) -> None:
    """g, y <- g of_g + y of_y + constant, y undo[0] + undo[1], in place: batch norm's backward pass and its inverse.

    With a slope, of what a leaky ReLU was given and that one's gradient, from its output `y` and gradient `g`.
    """
    if (kernels := fused(g, y)) is not None:
        kernels.pull_back_output(g, y, of_g, torch.zeros_like(of_g) if of_y is None else of_y, constant, undo, slope)
        return
    if slope != 1:
        torch.ops.aten.leaky_relu_backward.grad_input(g, y, slope, True, grad_input=g)
        functional.leaky_relu_(y, 1 / slope)
    scale_and_shift(g, of_g, constant)
    if of_y is not None:
        add_scaled(g, y, of_y)
    scale_and_shift(y, *undo)


class Activated:
    """leaky(x factor + shift), not computed yet: what is to be added to something needs no memory of its own.

    Where no kernel can do both at once, `value` is computed for the addition, and kept.
    """

    def __init__(self, x: Tensor, factor: Tensor, shift: Tensor, slope: float) -> None:
        self.x, self.factor, self.shift, self.slope = x, factor, shift, slope

    def value(self) -> Tensor:
        """As a new tensor, in the type that it is computed in, that of factor and shift."""
        y = torch.empty_like(self.x, dtype=self.factor.dtype)
        if (kernels := fused(self.x, y)) is not None:
            kernels.scale_and_shift(self.x, self.factor, self.shift, self.slope, out=y)
        else:
            y.copy_(self.x)
            scale_and_shift(y, self.factor, self.shift)
            y.relu_() if self.slope == 0 else functional.leaky_relu_(y, self.slope)
        return y


def add(to: Tensor, term: Tensor | Activated, times: float = 1.0) -> None:
    """to <- to + times term, in place; where they differ in type, one kernel does it that reads the term as it is."""
    if isinstance(term, Activated):
        if (kernels := fused(to, term.x)) is not None:
            kernels.add_activated(to, term.x, term.factor, term.shift, term.slope, times)
            return
        term = computed(term)
    dense = to.dtype != term.dtype and to.stride() == term.stride() and is_dense(to)
    if dense and (kernels := fused(to, term)) is not None:
        kernels.add(to, term, times)
    else:
        to.add_(term, alpha=times)


def computed(term: Tensor | Activated) -> Tensor:
    """The term's value."""
    return term.value() if isinstance(term, Activated) else term


def is_dense(x: Tensor) -> bool:
    """Whether the values of `x` lie in memory without a gap, in one of the two formats."""
    return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)


def add_scaled(x: Tensor, y: Tensor, factor: Tensor) -> None:
    """x <- x + y factor, in place; `x` and `y` in the same memory format."""
    tiled_x, tiled_y = tile(x), tile(y)
    if tiled_x.repeat == tiled_y.repeat:
        tiled_x.x.addcmul_(tiled_y.x, tiled_x.spread(factor))
    else:
        x.addcmul_(y, factor.view(1, -1, 1, 1))
