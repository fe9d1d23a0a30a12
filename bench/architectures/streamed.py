"""Reversible blocks of ordinary units that are recomputed in slices: the paper's memory floor without its noise.

As in the hybrid the block's inverse restores its input (3.4), but F and G are ordinary convolution, batch norm and
ReLU; nothing in them is inverted. With one unit a training step holds one activation and its gradient (eq. 30).
"""

import functools
from typing import Any

from torch import nn

from bench.architectures.registry import register
from bench.architectures.search import VolumePreserving
from bench.architectures.trunk import entry, positive, volume_preserving
from bench.errors import InputError
from bench.reversible import (
    Int16Stem,
    ReversibleBlock,
    ReversibleSequential,
    StreamedUnits,
)

STATES = ("float32", "int16")


@register(
    "streamed",
    summary="reversible blocks of ordinary units, recomputed slice by slice (not in the paper)",
    reconstructions=("ideal", "noisy", "exact"),
    search=VolumePreserving(multiple=2),
)
def streamed(
    reconstruction: str = "noisy",
    initial_channels: int = 32,
    depths: tuple[int, ...] = (1, 2, 2),
    classes: int = 10,
    in_channels: int = 3,
    pooling: tuple[str, ...] | None = None,
    units: int = 1,
    negative_slope: float = 0.2,
    gamma_eps: float = 0.1,
    head_pooling: str = "max",
    logit_scale: float = 0.125,
    grid_bits: int | None = None,
    state: str = "float32",
) -> nn.Module:
    """Images (N, in_channels, H, W) -> logits (N, classes).

    `depths[i]` reversible blocks at resolution i, with `units` conv-BN-ReLU units in each of F and G; `pooling[i]`
    ("channel" or "batch") before resolution i + 1. Stem, head and the other options are the hybrid's. `state` "int16"
    holds the state in 16 bits, its gradient in bfloat16, and needs exact reconstruction (docs/exact.md).
    """
    if state not in STATES or (state == "int16" and (reconstruction == "noisy" or units > 1)):
        raise InputError(
            f"streamed: state is one of {', '.join(STATES)}, and int16 goes with exact reconstruction (or ideal, which"
            f" stores float32) and one unit; got state {state!r}, reconstruction {reconstruction!r} and {units} units."
        )
    positive("streamed", units=units, negative_slope=negative_slope, logit_scale=logit_scale)
    first: list[Any] = entry(in_channels, initial_channels, negative_slope, gamma_eps)
    layers = volume_preserving(
        "streamed",
        [Int16Stem(*first)] if state == "int16" else first,
        lambda channels: [ReversibleBlock(StreamedUnits(channels // 2, units), StreamedUnits(channels // 2, units))],
        initial_channels,
        depths,
        pooling,
        classes,
        head_pooling,
        logit_scale,
    )
    return ReversibleSequential(*layers, reconstruction=reconstruction, grid_bits=grid_bits)


@register(
    "streamed-int16",
    summary="the streamed network with its state in 16 bits (not in the paper)",
    reconstructions=("exact",),
    search=VolumePreserving(multiple=2),
)
@functools.wraps(streamed)
def streamed_int16(**arguments: Any) -> nn.Module:
    """`streamed` with `state="int16"`."""
    return streamed(**{"reconstruction": "exact", **arguments, "state": "int16"})
