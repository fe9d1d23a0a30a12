"""In-place activated batch normalisation (Rota Bulo et al., 2018; [15] in the paper) on ResNet-18."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from bench.architectures.registry import register
from bench.architectures.resnet import ResNet18
from bench.architectures.search import StageWidths
from bench.architectures.trunk import positive
from bench.reversible import InvertibleBatchNorm2d, InvertibleLeakyReLU, ReversibleSequential


@register(
    "inplace-abn",
    kind="baseline",
    summary="ResNet-18 with leaky ReLU, batch norm and activation inverted from their output (in-place ABN)",
    reconstructions=("ideal", "noisy"),
    search=StageWidths(),
)
def inplace_abn(
    reconstruction: str = "noisy",
    initial_channels: int = 64,
    depths: tuple[int, ...] = (2, 2, 2, 2),
    classes: int = 10,
    in_channels: int = 3,
    widths: tuple[int, ...] | None = None,
    negative_slope: float = 0.01,
    gamma_eps: float = 0.1,
) -> nn.Module:
    """ResNet-18 whose batch norms before an activation keep that activation's output, which the next layer stores too.

    One of the four maps that a residual block stores is spared, and the stem's. The second batch norm of a block keeps
    its input: the addition that follows is no activation, and its output is not the batch norm's.
    """
    positive("inplace-abn", negative_slope=negative_slope)
    model = ResNet18(initial_channels, depths, classes, in_channels, widths)

    def activated(channels: int) -> nn.Module:
        inverted = InvertibleBatchNorm2d(channels, gamma_eps=gamma_eps)
        leaky = InvertibleLeakyReLU(negative_slope, inplace=True)
        return ReversibleSequential(inverted, leaky, reconstruction=reconstruction)

    convolution, *_ = model.stem
    model.stem = nn.Sequential(convolution, activated(initial_channels))
    blocks: Iterable[Any] = model.blocks
    for block in blocks:
        block.norm1, block.inner_activation = activated(block.norm1.num_features), nn.Identity()
        block.activation = nn.LeakyReLU(negative_slope, inplace=True)
    return model
