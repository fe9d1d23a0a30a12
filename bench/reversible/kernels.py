"""Triton kernels of the passes over an activation: each reads what it needs once, and writes what it makes once.

All work on tiles of some pixels by some channels, in either memory format: where a pixel's channels lie side by side a
tile has many of them, else one. What differs from channel to channel is given as vectors (C,), in whose type all is
computed, whatever the activations' types are. Sums are taken over a program's tiles, then over the places of a tile,
then in float64 over all programs, in an order that is always the same. Products are added by `fma`, so that a value has
the same bits whichever kernel computes it. How the kernels are launched: `launch.py`.
"""

import triton
import triton.language as tl


@triton.jit
def _tile(number, channels, area, pixels, PIXELS: tl.constexpr, CHANNELS: tl.constexpr):
    """Of tile `number`: image, pixel in it, channel, which channels there are, which values there are."""
    at = number * PIXELS + tl.arange(0, PIXELS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    known = channel < channels
    return (at // area).to(tl.int64), at % area, channel, known, (at < pixels) & known


@triton.jit
def _places(x, strides, image, pixel, channel):
    """Where in memory the tile's values of `x` are; `strides` of image, channel and pixel."""
    return x + image * strides[0] + channel * strides[1] + pixel * strides[2]


@triton.jit
def _row(channels, CHANNELS: tl.constexpr):
    """Where this program writes what it found of its channels, in (programs, C), and which of them there are."""
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    return tl.program_id(0).to(tl.int64) * channels + channel, channel < channels


@triton.jit
def _leaky(x, gate, SLOPE: tl.constexpr):
    """x where `gate` is above 0, else SLOPE x."""
    low = tl.zeros_like(x) if SLOPE == 0 else x * SLOPE  # 0 of infinite values too
    return tl.where(gate <= 0, low, x)


@triton.jit
def _activated(x, factor, shift, known, there, SLOPE: tl.constexpr):
    """leaky(x factor + shift) of the values at these places."""
    value = tl.load(x, there, 0.0).to(factor.dtype.element_ty)
    y = tl.fma(value, tl.load(factor, known, 0.0), tl.load(shift, known, 0.0))
    return _leaky(y, y, SLOPE)


@triton.jit
def _before(g, u, factor, shift, SLOPE: tl.constexpr, INVERSE: tl.constexpr):
    """(gradient, value) before an activation, from the gradient after it.

    With INVERSE, which is 1 / SLOPE, `u` is the activation's output; at 0 it is batch norm's input, which is the value
    returned, and u factor + shift is what the activation was given.
    """
    if INVERSE == 0:
        value = u
        gradient = _leaky(g, tl.fma(u, factor, shift), SLOPE)
    else:
        value = _leaky(u, u, INVERSE)
        gradient = _leaky(g, u, SLOPE)
    return gradient, value


@triton.jit
def scale_and_shift(
    x, x_strides, out, out_strides, factor, shift,
    channels, area, pixels, SLOPE: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """out <- y where y = x factor + shift is above 0, else SLOPE y."""
    image, pixel, channel, known, there = _tile(tl.program_id(0), channels, area, pixels, PIXELS, CHANNELS)
    y = _activated(_places(x, x_strides, image, pixel, channel), factor + channel, shift + channel, known, there, SLOPE)
    tl.store(_places(out, out_strides, image, pixel, channel), y, there)


@triton.jit
def gradient_sums(
    g, g_strides, u, u_strides, sums, mean, deviation, factor, shift,
    channels, area, pixels,
    SLOPE: tl.constexpr, INVERSE: tl.constexpr, STEPS: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """sums (2, programs, C) <- sum of g and of g (v - mean) deviation, over STEPS tiles each; g, v, factor, shift as in
    `_before`.
    """
    row, inside = _row(channels, CHANNELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    scale, offset = tl.load(factor + channel, inside[None, :], 0.0), tl.load(shift + channel, inside[None, :], 0.0)
    about, per = tl.load(mean + channel, inside[None, :], 0.0), tl.load(deviation + channel, inside[None, :], 0.0)
    sum_g = tl.zeros([PIXELS, CHANNELS], factor.dtype.element_ty)
    sum_gx = tl.zeros([PIXELS, CHANNELS], factor.dtype.element_ty)
    for step in range(STEPS):
        number = tl.program_id(0) * STEPS + step
        image, pixel, channel, _, there = _tile(number, channels, area, pixels, PIXELS, CHANNELS)
        gradient = tl.load(_places(g, g_strides, image, pixel, channel), there, 0.0).to(factor.dtype.element_ty)
        value = tl.load(_places(u, u_strides, image, pixel, channel), there, 0.0).to(factor.dtype.element_ty)
        gradient, value = _before(gradient, value, scale, offset, SLOPE, INVERSE)
        sum_g += gradient
        sum_gx += gradient * ((value - about) * per)
    tl.store(sums + row, tl.sum(sum_g, axis=0).to(tl.float64), inside)
    tl.store(sums + row + tl.num_programs(0).to(tl.int64) * channels, tl.sum(sum_gx, axis=0).to(tl.float64), inside)


@triton.jit
def pull_back(
    g, g_strides, u, u_strides, out, out_strides, of_g, of_v, constant, factor, shift,
    channels, area, pixels,
    SLOPE: tl.constexpr, INVERSE: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """out <- g of_g + v of_v + constant; g, v as in `_before`. With INVERSE also u <- v factor + shift."""
    image, pixel, channel, known, there = _tile(tl.program_id(0), channels, area, pixels, PIXELS, CHANNELS)
    gradient = tl.load(_places(g, g_strides, image, pixel, channel), there, 0.0).to(factor.dtype.element_ty)
    place = _places(u, u_strides, image, pixel, channel)
    value = tl.load(place, there, 0.0).to(factor.dtype.element_ty)
    scale, offset = tl.load(factor + channel, known, 0.0), tl.load(shift + channel, known, 0.0)
    gradient, value = _before(gradient, value, scale, offset, SLOPE, INVERSE)
    pulled = tl.fma(value, tl.load(of_v + channel, known, 0.0), tl.load(constant + channel, known, 0.0))
    pulled = tl.fma(gradient, tl.load(of_g + channel, known, 0.0), pulled)
    tl.store(_places(out, out_strides, image, pixel, channel), pulled, there)
    if INVERSE != 0:
        tl.store(place, tl.fma(value, scale, offset), there)


@triton.jit
def moments(
    x, x_strides, found, channels, area, pixels,
    TYPE: tl.constexpr, STEPS: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """found (2, programs, C) <- mean of STEPS tiles each, and their sum of squared deviations from it."""
    row, inside = _row(channels, CHANNELS)
    image, pixel, channel, _, there = _tile(tl.program_id(0) * STEPS, channels, area, pixels, PIXELS, CHANNELS)
    value = tl.load(_places(x, x_strides, image, pixel, channel), there, 0.0).to(TYPE)
    first = tl.minimum(pixels - tl.program_id(0) * STEPS * PIXELS, PIXELS)
    # Deviations from about the mean, so that no large numbers are subtracted.
    about = (tl.sum(value, axis=0) / first.to(TYPE))[None, :]
    deviation = tl.where(there, value - about, 0.0)
    total, squares = deviation, deviation * deviation
    for step in range(1, STEPS):
        number = tl.program_id(0) * STEPS + step
        image, pixel, channel, _, there = _tile(number, channels, area, pixels, PIXELS, CHANNELS)
        value = tl.load(_places(x, x_strides, image, pixel, channel), there, 0.0).to(TYPE)
        deviation = tl.where(there, value - about, 0.0)
        total += deviation
        squares += deviation * deviation
    count = tl.minimum(pixels - tl.program_id(0) * STEPS * PIXELS, STEPS * PIXELS).to(tl.float64)
    rest = tl.sum(total, axis=0).to(tl.float64)
    mean = tl.sum(about, axis=0).to(tl.float64) + rest / count
    tl.store(found + row, mean, inside)
    spread = tl.sum(squares, axis=0).to(tl.float64) - rest * rest / count
    tl.store(found + row + tl.num_programs(0).to(tl.int64) * channels, spread, inside)
