"""Small networks that the engine's tests share: every kind of layer, and the ways to put them together."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.reversible import (
    BatchPooling,
    ChannelPooling,
    GlobalPooling,
    InvertibleBatchNorm2d,
    InvertibleChain,
    InvertibleConv2d,
    InvertibleLayer,
    InvertibleLeakyReLU,
    ReversibleBlock,
    ReversibleSequential,
    StreamedUnits,
)


def unit(channels: int) -> list[InvertibleLayer]:
    return [
        InvertibleConv2d(channels, gain=0.5),
        InvertibleBatchNorm2d(channels, gamma_eps=0.1),
        InvertibleLeakyReLU(0.5, inplace=True),
    ]


def ordinary_block(channels: int, dropout: float = 0.0) -> ReversibleBlock:
    def function() -> nn.Sequential:
        half = channels // 2
        return nn.Sequential(
            nn.Conv2d(half, half, 3, padding=1, bias=False),
            nn.BatchNorm2d(half),
            nn.Tanh(),
            nn.Dropout(dropout),
        )

    return ReversibleBlock(function(), function())


def hybrid_block(channels: int, units: int = 2, slice_bytes: int | None = None) -> ReversibleBlock:
    """`units` of them in F, one in G."""
    f = InvertibleChain(*(layer for _ in range(units) for layer in unit(channels // 2)))
    return ReversibleBlock(f, InvertibleChain(*unit(channels // 2)), slice_bytes)


def streamed_block(channels: int, units: int, slice_bytes: int | None = None, hold: bool = False) -> ReversibleBlock:
    """`units` of them in F, one in G."""
    half = channels // 2
    return ReversibleBlock(StreamedUnits(half, units, hold=hold), StreamedUnits(half, hold=hold), slice_bytes)


LAYERS: dict[str, Callable[[int], InvertibleLayer]] = {
    "batch norm": InvertibleBatchNorm2d,
    "bounded batch norm": lambda channels: InvertibleBatchNorm2d(channels, gamma_eps=0.1),
    "leaky relu": lambda channels: InvertibleLeakyReLU(0.2),
    "convolution": InvertibleConv2d,
    "1x1 convolution": lambda channels: InvertibleConv2d(channels, kernel_size=1),
    "sliced convolution": lambda channels: InvertibleConv2d(channels, slice_bytes=1),
    "channel pooling": lambda channels: ChannelPooling(),
    "batch pooling": lambda channels: BatchPooling(),
    "reversible block": ordinary_block,
    "hybrid block": hybrid_block,
    "sliced hybrid block": lambda channels: hybrid_block(channels, units=3, slice_bytes=1),
    "streamed block": lambda channels: streamed_block(channels, units=1),
    "holding streamed block": lambda channels: streamed_block(channels, units=1, slice_bytes=1, hold=True),
    "sliced streamed block": lambda channels: streamed_block(channels, units=3, slice_bytes=1),
    "chain": lambda channels: InvertibleChain(*unit(channels), ChannelPooling(), *unit(4 * channels)),
}


def whole_network() -> ReversibleSequential:
    """Every layer, blocks of both kinds, ordinary modules between, both poolings, a readout and a classifier."""
    return ReversibleSequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        *unit(8),
        hybrid_block(8),
        ChannelPooling(),
        ordinary_block(32),
        nn.Conv2d(32, 16, 1, bias=False),
        BatchPooling(),
        hybrid_block(16, slice_bytes=1),
        *unit(16),
        GlobalPooling("mean", images_per_group=4),
        nn.Linear(16, 5),
    )


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """Parameters away from their initial values, so that no term of a gradient vanishes by symmetry."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 0.5
            parameter += (0.3 * noise).to(parameter.dtype)
    return module


def stored_twin(network: ReversibleSequential) -> ReversibleSequential:
    """The same network and weights, differentiated by ordinary autograd."""
    twin = copy.deepcopy(network)
    twin.reconstruction = "ideal"
    return twin


def images(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def relative_error(measured: Tensor, true: Tensor) -> float:
    """||measured - true|| / ||true||, both flattened and in float64."""
    measured, true = measured.detach().double(), true.detach().double()
    return float((measured - true).norm() / true.norm())


def all_gradients(module: nn.Module) -> Tensor:
    """Every parameter's gradient in one vector."""
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
