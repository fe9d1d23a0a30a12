"""The paper's hybrid network (4.2): reversible blocks whose F and G are chains of invertible layers."""

from torch import nn

from bench.architectures.layerwise import unit
from bench.architectures.registry import register
from bench.architectures.search import VolumePreserving
from bench.architectures.trunk import entry, positive, volume_preserving
from bench.reversible import (
    InvertibleChain,
    ReversibleBlock,
    ReversibleSequential,
)


@register(
    "hybrid",
    summary="the proposed network: reversible blocks of layer-wise invertible chains (4.2)",
    reconstructions=("ideal", "noisy", "exact"),
    search=VolumePreserving(multiple=4),
)
def hybrid(
    reconstruction: str = "noisy",
    initial_channels: int = 32,
    depths: tuple[int, ...] = (1, 2, 2),
    classes: int = 10,
    in_channels: int = 3,
    pooling: tuple[str, ...] | None = None,
    units: int = 2,
    negative_slope: float = 0.2,
    gamma_eps: float = 0.1,
    gain: float = 0.5,
    norm_inverse: str = "statistics",
    head_pooling: str = "max",
    logit_scale: float = 0.125,
    grid_bits: int | None = None,
) -> nn.Module:
    """Images (N, in_channels, H, W) -> logits (N, classes).

    `depths[i]` reversible blocks at resolution i, with `units` invertible conv-BN-leaky-ReLU units in each of F and G;
    `pooling[i]` ("channel" or "batch") before resolution i + 1; `grid_bits` is the k of exact reconstruction, which
    restores the inputs of F and G bit for bit (None: chosen at the first batch); the other options as in the layer-wise
    network.
    """
    positive("hybrid", units=units, negative_slope=negative_slope, logit_scale=logit_scale)

    def chain(width: int) -> InvertibleChain:
        told = (width, negative_slope, gamma_eps, gain, norm_inverse)
        return InvertibleChain(*(layer for _ in range(units) for layer in unit(*told)))

    layers = volume_preserving(
        "hybrid",
        entry(in_channels, initial_channels, negative_slope, gamma_eps, norm_inverse),
        lambda channels: [ReversibleBlock(chain(channels // 2), chain(channels // 2))],
        initial_channels,
        depths,
        pooling,
        classes,
        head_pooling,
        logit_scale,
    )
    return ReversibleSequential(*layers, reconstruction=reconstruction, grid_bits=grid_bits)
