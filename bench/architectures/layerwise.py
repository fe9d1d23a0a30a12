"""The paper's layer-wise invertible network (4.1.5): every layer between stem and head restores its own input."""

from torch import nn

from bench.architectures.registry import register
from bench.architectures.search import VolumePreserving
from bench.architectures.trunk import entry, norm_layer, positive, volume_preserving
from bench.reversible import (
    InvertibleConv2d,
    InvertibleLayer,
    InvertibleLeakyReLU,
    ReversibleSequential,
)


@register(
    "layerwise",
    summary="layer-wise invertible convolutions, batch norm and leaky ReLU (4.1.5)",
    reconstructions=("ideal", "noisy"),
    search=VolumePreserving(multiple=2),
)
def layerwise(
    reconstruction: str = "noisy",
    initial_channels: int = 32,
    depths: tuple[int, ...] = (1, 2, 2),
    classes: int = 10,
    in_channels: int = 3,
    pooling: tuple[str, ...] | None = None,
    negative_slope: float = 0.2,
    gamma_eps: float = 0.1,
    gain: float = 0.5,
    norm_inverse: str = "statistics",
    head_pooling: str = "max",
    logit_scale: float = 0.125,
) -> nn.Module:
    """Images (N, in_channels, H, W) -> logits (N, classes).

    `depths[i]` units of convolution, batch norm and leaky ReLU at resolution i; `pooling[i]` ("channel" or "batch")
    before resolution i + 1. `gamma_eps` is eq. 23's eps_i, `gain` scales the convolutions' initialisation.
    `norm_inverse`: batch norm restores its input from the stored "statistics", or, as in the authors' code, from its
    "renormalised" output.
    """
    positive("layerwise", negative_slope=negative_slope, logit_scale=logit_scale)
    layers = volume_preserving(
        "layerwise",
        entry(in_channels, initial_channels, negative_slope, gamma_eps, norm_inverse),
        lambda channels: unit(channels, negative_slope, gamma_eps, gain, norm_inverse),
        initial_channels,
        depths,
        pooling,
        classes,
        head_pooling,
        logit_scale,
    )
    return ReversibleSequential(*layers, reconstruction=reconstruction)


def unit(
    channels: int, negative_slope: float, gamma_eps: float, gain: float, norm_inverse: str
) -> list[InvertibleLayer]:
    """Invertible convolution, batch normalisation and leaky ReLU."""
    return [
        InvertibleConv2d(channels, gain=gain),
        norm_layer(channels, gamma_eps, norm_inverse),
        InvertibleLeakyReLU(negative_slope, inplace=True),
    ]
