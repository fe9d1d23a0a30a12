"""RevNet (Gomez et al., 2017; 3.4): reversible blocks, with ordinary down-sampling whose activations are stored."""

from torch import nn

from bench.architectures.registry import register
from bench.architectures.search import StageWidths
from bench.architectures.trunk import stem
from bench.errors import InputError
from bench.reversible import GlobalPooling, InvertibleBatchNorm2d, ReversibleBlock, ReversibleSequential
from bench.reversible.initialisation import he_normal_


@register(
    "revnet",
    summary="RevNet: reversible blocks, down-sampling stored (3.4)",
    reconstructions=("ideal", "noisy", "exact"),
    search=StageWidths(multiple=2),
)
def revnet(
    reconstruction: str = "noisy",
    initial_channels: int = 64,
    depths: tuple[int, ...] = (2, 2, 2, 2),
    classes: int = 10,
    in_channels: int = 3,
    widths: tuple[int, ...] | None = None,
    grid_bits: int | None = None,
) -> nn.Module:
    """Images (N, in_channels, H, W) -> logits (N, classes).

    Stage i has `depths[i]` reversible blocks of `widths[i]` channels (default: initial_channels times 1, 2, 4, 8),
    after a 3x3 convolution of stride 2 with batch normalisation in every stage but the first. `grid_bits` is the k of
    exact reconstruction (None: chosen at the first batch).
    """
    widths = tuple(initial_channels * 2**stage for stage in range(len(depths))) if widths is None else widths
    if len(widths) != len(depths) or any(width % 2 for width in widths):
        raise InputError(f"revnet: depths {depths} need {len(depths)} even widths, not {widths}.")
    layers: list[nn.Module] = [stem(in_channels, initial_channels), InvertibleBatchNorm2d(initial_channels)]
    channels = initial_channels
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage or width != channels:
            layers += convolution(channels, width, 2 if stage else 1)
            channels = width
        layers += [residual_block(channels) for _ in range(depth)]
    layers += [GlobalPooling("mean"), nn.Linear(channels, classes)]
    return ReversibleSequential(*layers, reconstruction=reconstruction, grid_bits=grid_bits)


def residual_block(channels: int) -> ReversibleBlock:
    """A reversible block whose F and G are ResNet's residual function on half of the channels."""
    return ReversibleBlock(residual_function(channels // 2), residual_function(channels // 2))


def residual_function(channels: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU, convolution, batch norm: (N, C, H, W) -> (N, C, H, W)."""
    return nn.Sequential(
        *convolution(channels, channels, 1), nn.ReLU(inplace=True), *convolution(channels, channels, 1)
    )


def convolution(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """3x3 convolution and batch normalisation."""
    kernel = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
    he_normal_(kernel.weight)
    return [kernel, nn.BatchNorm2d(out_channels)]
