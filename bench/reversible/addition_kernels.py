"""Triton kernels that add to an activation: in floating point, or on the grid of exact reconstruction.

Of the same tiles as the other passes (`kernels.py`).
"""

import triton
import triton.language as tl

from bench.reversible.kernels import _activated, _places, _tile


@triton.jit
def add_activated(
    x, x_strides, out, out_strides, factor, shift,
    channels, area, pixels, TIMES: tl.constexpr, SLOPE: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """out <- out + TIMES leaky(x factor + shift)."""
    image, pixel, channel, known, there = _tile(tl.program_id(0), channels, area, pixels, PIXELS, CHANNELS)
    y = _activated(_places(x, x_strides, image, pixel, channel), factor + channel, shift + channel, known, there, SLOPE)
    place = _places(out, out_strides, image, pixel, channel)
    tl.store(place, tl.load(place, there, 0.0) + TIMES * y, there)


@triton.jit
def add(x, out, values, TIMES: tl.constexpr, SIZE: tl.constexpr):
    """out <- out + TIMES x, of `values` numbers that lie in the same order."""
    at = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
    there = at < values
    place = out + at
    tl.store(place, tl.load(place, there, 0.0) + TIMES * tl.load(x + at, there, 0.0).to(out.dtype.element_ty), there)


@triton.jit
def _nearest(x):
    """The nearest whole number, to even between two: added to a power of 2, the digits behind the point are lost."""
    WHOLE: tl.constexpr = 4503599627370496.0 if x.dtype == tl.float64 else 8388608.0  # 2^52, 2^23
    magnitude = tl.abs(x)
    rounded = (magnitude + WHOLE) - WHOLE
    return tl.where(magnitude < WHOLE, tl.where(x < 0, -rounded, rounded), x)


@triton.jit
def add_multiples(
    x, x_strides, out, out_strides, overflows, factor, shift,
    channels, area, pixels, TIMES: tl.constexpr, STEP: tl.constexpr, LIMIT: tl.constexpr,
    SLOPE: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """out <- out + TIMES r, r the multiple of STEP that is nearest to leaky(x factor + shift).

    An `out` of int16 counts steps, and its sums wrap. If TIMES is 1, sums of magnitude LIMIT or more are counted.
    """
    image, pixel, channel, known, there = _tile(tl.program_id(0), channels, area, pixels, PIXELS, CHANNELS)
    y = _activated(_places(x, x_strides, image, pixel, channel), factor + channel, shift + channel, known, there, SLOPE)
    steps = _nearest(y * (1 / STEP))
    place = _places(out, out_strides, image, pixel, channel)
    if out.dtype.element_ty == tl.int16:
        FAR: tl.constexpr = 2147352576.0  # 2^31 - 2^17 steps, `int16.FAR`: of NaN, and of what int32 cannot hold
        steps = tl.where(tl.abs(steps) < FAR, steps, FAR)
        total = tl.load(place, there, 0).to(tl.int32) + (TIMES * steps).to(tl.int32)
        tl.store(place, total.to(tl.int16), there)
    else:
        total = tl.load(place, there, 0.0) + (TIMES * STEP) * steps
        tl.store(place, total, there)
    if TIMES == 1:
        found = tl.sum(tl.sum(((tl.abs(total) >= LIMIT) & there).to(tl.int64), axis=1), axis=0)
        tl.atomic_add(overflows, found, found > 0)
