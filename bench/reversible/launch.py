"""The Triton kernels (`kernels.py`, `addition_kernels.py`) as functions of activations: tiles, strides, sums of tiles.

Activations are (N, C, H, W) in float32, float64 or, beside float32, bfloat16 or float16; vectors are (C,). `slope` is
that of the leaky ReLU after batch norm: 1 where there is none, 0 for a ReLU.
"""

from typing import Any

import torch
from torch import Tensor
from triton import language

from bench.reversible import addition_kernels, kernels
from bench.reversible.channelwise import Activated

TILE = 2048  # values
TILE_CHANNELS = 128  # at most
# Programs that reduce an activation to sums, at most: some for each multiprocessor, and few sums to add up at the end.
PROGRAMS = 1024


def scale_and_shift(x: Tensor, factor: Tensor, shift: Tensor, slope: float, out: Tensor) -> None:
    """out <- leaky(x factor + shift); `out` may be `x`."""
    _launch(kernels.scale_and_shift, x, [x, out], [factor, shift], SLOPE=slope)


def output_sums(g: Tensor, y: Tensor, mean: Tensor, factor: Tensor, slope: float) -> Tensor:
    """(sum g', sum g' (y' - mean) factor), (2, C) in float64: y', g' the input of a leaky ReLU and its gradient, from
    its output y and gradient g.
    """
    return _gradient_sums(g, y, [mean, factor, mean, factor], SLOPE=slope, INVERSE=1 / slope)


def input_sums(g: Tensor, x: Tensor, mean: Tensor, factor: Tensor, gate: tuple[Tensor, Tensor], slope: float) -> Tensor:
    """(sum g', sum g' (x - mean) factor), (2, C) in float64: g' the gradient of y = x gate[0] + gate[1], from the
    gradient g of leaky(y).
    """
    return _gradient_sums(g, x, [mean, factor, *gate], SLOPE=slope, INVERSE=0)


def pull_back_output(
    g: Tensor, y: Tensor, of_g: Tensor, of_y: Tensor, constant: Tensor, undo: tuple[Tensor, Tensor], slope: float
) -> None:
    """g, y <- g' of_g + y' of_y + constant, y' undo[0] + undo[1], in place; y', g' as in `output_sums`."""
    _launch(kernels.pull_back, y, [g, y, g], [of_g, of_y, constant, *undo], SLOPE=slope, INVERSE=1 / slope)


def pull_back_input(
    g: Tensor,
    x: Tensor,
    of_g: Tensor,
    of_x: Tensor,
    constant: Tensor,
    gate: tuple[Tensor, Tensor],
    slope: float,
    out: Tensor,
) -> None:
    """out <- g' of_g + x of_x + constant; g' as in `input_sums`, `out` may be `g`."""
    _launch(kernels.pull_back, x, [g, x, out], [of_g, of_x, constant, *gate], SLOPE=slope, INVERSE=0)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, sum of squared deviations from it), (C,) each, in float64: the rule of `Moments`, of tiles."""
    channels, pixels = x.shape[1], x.numel() // x.shape[1]
    steps, programs = _steps(x)
    size = steps * _tile_shape(x)[0]
    means, squares = found = torch.empty(2, programs, channels, dtype=torch.float64, device=x.device)
    _launch(kernels.moments, x, [x], [], found, steps=steps, TYPE=_TYPES[wide(x.dtype)])
    counts = torch.full((programs, 1), float(size), dtype=torch.float64, device=x.device)
    counts[-1] -= programs * size - pixels
    mean = (counts * means).sum(0) / pixels
    return mean, squares.sum(0) + (counts * (means - mean).square()).sum(0)


def add_activated(to: Tensor, x: Tensor, factor: Tensor, shift: Tensor, slope: float, times: float) -> None:
    """to <- to + times leaky(x factor + shift)."""
    _launch(addition_kernels.add_activated, to, [x, to], [factor, shift], TIMES=times, SLOPE=slope)


def add(to: Tensor, x: Tensor, times: float) -> None:
    """to <- to + times x, where both lie in memory in the same order without a gap."""
    with torch.cuda.device_of(to):
        addition_kernels.add[(-(-to.numel() // TILE),)](x, to, to.numel(), TIMES=times, SIZE=TILE)


def add_multiples(
    to: Tensor, term: Tensor | Activated, times: float, step: float, limit: float, overflows: Tensor
) -> None:
    """to <- to + times term, rounded to multiples of `step`; adds to `overflows` (one int64) how many sums of `to` come
    to `limit`, if `times` is 1. A `to` of int16 holds steps.
    """
    if isinstance(term, Activated):
        x, factor, shift, slope = term.x, term.factor, term.shift, term.slope
    else:
        x, slope = term, 1.0
        factor, shift = (x.new_full((x.shape[1],), value, dtype=wide(x.dtype)) for value in (1.0, 0.0))
    constants: dict[str, Any] = {"TIMES": times, "STEP": step, "LIMIT": limit, "SLOPE": slope}
    _launch(addition_kernels.add_multiples, to, [x, to], [factor, shift], overflows, **constants)


def takes_multiples(to: Tensor, x: Tensor) -> bool:
    """Whether `add_multiples` can add an `x` of this type to this state."""
    held = torch.float32 if to.dtype == torch.int16 else to.dtype
    return held == wide(x.dtype) and is_even(to)


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type that values of `dtype` are computed with in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


_TYPES = {torch.float32: language.float32, torch.float64: language.float64}


def _gradient_sums(g: Tensor, u: Tensor, vectors: list[Tensor], **constants: float) -> Tensor:
    steps, programs = _steps(u)
    sums = torch.empty(2, programs, u.shape[1], dtype=torch.float64, device=u.device)
    _launch(kernels.gradient_sums, u, [g, u], vectors, sums, steps=steps, **constants)
    return sums.sum(1)


def _launch(
    kernel: Any,
    like: Tensor,
    activations: list[Tensor],
    vectors: list[Tensor],
    *sums: Tensor,
    steps: int | None = None,
    **constants: Any,
) -> None:
    """Run `kernel` on the tiles of `activations`, which have the shape of `like`; `steps` of them a program."""
    images, channels, height, width = like.shape
    pixels = images * height * width
    size, together = _tile_shape(like)
    arguments = [argument for x in activations for argument in (x, _strides(x))]
    spread = [vector.to(wide(like.dtype)).contiguous() for vector in vectors]
    if steps is not None:
        constants["STEPS"] = steps
    with torch.cuda.device_of(like):
        kernel[(-(-pixels // (size * (steps or 1))), -(-channels // together))](
            *arguments, *sums, *spread, channels, height * width, pixels, **constants, PIXELS=size, CHANNELS=together
        )


def _steps(x: Tensor) -> tuple[int, int]:
    """Tiles of each program that reduces `x`, and the number of programs."""
    tiles = -(-x.numel() // x.shape[1] // _tile_shape(x)[0])
    steps = -(-tiles // PROGRAMS)
    return steps, -(-tiles // steps)


def _tile_shape(x: Tensor) -> tuple[int, int]:
    """(pixels, channels) of a tile, powers of 2: many channels only where they lie side by side."""
    together = min(1 << (x.shape[1] - 1).bit_length(), TILE_CHANNELS) if _strides(x)[1] == 1 else 1
    return max(1, TILE // together), together


def _strides(x: Tensor) -> tuple[int, int, int]:
    """Of image, channel and pixel, of an activation whose rows follow each other without a gap (`is_even`)."""
    return x.stride(0), x.stride(1), x.stride(3) if x.shape[3] > 1 else x.stride(2)


def is_even(x: Tensor) -> bool:
    """Whether a pixel of `x` is always as far from the next, from row to row as well."""
    return x.shape[2] == 1 or x.shape[3] == 1 or x.stride(2) == x.shape[3] * x.stride(3)
