"""What the volume-preserving networks share: the stem, the poolings between resolutions, and the head."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bench.errors import InputError
from bench.reversible import (
    BatchPooling,
    ChannelPooling,
    GlobalPooling,
    InvertibleBatchNorm2d,
    InvertibleLayer,
    InvertibleLeakyReLU,
    RenormalisedBatchNorm2d,
)

POOLINGS = {"channel": ChannelPooling, "batch": BatchPooling}
# How batch norm restores its input: from its stored statistics, or from the statistics of the output that it is given.
NORM_INVERSES = {"statistics": InvertibleBatchNorm2d, "renormalised": RenormalisedBatchNorm2d}


def positive(name: str, **options: float) -> None:
    """Refuse options of the network `name` that are not above 0."""
    for option, value in options.items():
        if not value > 0:
            raise InputError(f"{name}: the option {option} must be above 0, not {value!r}.")


def entry(
    in_channels: int, channels: int, negative_slope: float, gamma_eps: float, norm_inverse: str = "statistics"
) -> list[nn.Module]:
    """The stem with its batch normalisation and leaky ReLU."""
    activation = InvertibleLeakyReLU(negative_slope, inplace=True)
    return [stem(in_channels, channels), norm_layer(channels, gamma_eps, norm_inverse), activation]


def volume_preserving(
    name: str,
    first: Sequence[nn.Module],
    block: Callable[[int], Sequence[nn.Module]],
    initial_channels: int,
    depths: tuple[int, ...],
    pooling: tuple[str, ...] | None,
    classes: int,
    head_pooling: str,
    logit_scale: float,
) -> list[nn.Module]:
    """The layers of the network `name`: `first`, `depths[i]` blocks at resolution i with poolings between, the head.

    `block` makes the layers of one block of that many channels; `pooling` is one kind before each resolution but the
    first, "channel" or "batch" (None: channel pooling throughout).
    """
    kinds = poolings(pooling, depths, name)
    channels = stage_channels(initial_channels, kinds)
    layers = list(first)
    for stage, depth in enumerate(depths):
        if stage:
            layers.append(pooling_layer(kinds[stage - 1]))
        for _ in range(depth):
            layers += block(channels[stage])
    return [*layers, *head(channels[-1], classes, kinds, head_pooling, logit_scale)]


def poolings(kinds: tuple[str, ...] | None, depths: tuple[int, ...], name: str) -> tuple[str, ...]:
    """The pooling before each resolution but the first; default: channel pooling throughout."""
    if kinds is None:
        return ("channel",) * (len(depths) - 1)
    if len(kinds) != len(depths) - 1 or set(kinds) - set(POOLINGS):
        raise InputError(
            f"{name}: {len(depths)} depths need {len(depths) - 1} poolings, each of {', '.join(POOLINGS)}; got {kinds}."
        )
    return tuple(kinds)


def stage_channels(initial_channels: int, kinds: tuple[str, ...]) -> list[int]:
    """Channels at each resolution: channel pooling makes four of one, batch pooling keeps them (eq. 29)."""
    channels = [initial_channels]
    for kind in kinds:
        channels.append(channels[-1] * 4 if kind == "channel" else channels[-1])
    return channels


def pooling_layer(kind: str) -> InvertibleLayer:
    """One invertible 2x2 pooling."""
    return POOLINGS[kind]()


def norm_layer(channels: int, gamma_eps: float, inverse: str) -> InvertibleLayer:
    """Batch normalisation with one of the `NORM_INVERSES`."""
    if inverse not in NORM_INVERSES:
        raise InputError(f"norm_inverse is {inverse!r}; it is one of {', '.join(NORM_INVERSES)}.")
    return NORM_INVERSES[inverse](channels, gamma_eps=gamma_eps)


def stem(in_channels: int, channels: int) -> nn.Conv2d:
    """The 3x3 convolution that makes `channels` of the image; it stores the image and nothing else."""
    return nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)


def head(channels: int, classes: int, kinds: tuple[str, ...], pooling: str, logit_scale: float) -> list[nn.Module]:
    """Pooling over all that is left of each image, sub-images of batch pooling included, and a linear classifier."""
    return [GlobalPooling(pooling, 4 ** kinds.count("batch")), ScaledLinear(channels, classes, logit_scale)]


class ScaledLinear(nn.Linear):
    """Linear classifier without bias whose logits are multiplied by a constant, as the authors do (by 0.125)."""

    def __init__(self, channels: int, classes: int, scale: float) -> None:
        super().__init__(channels, classes, bias=False)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels) -> (N, classes)."""
        return torch.nn.functional.linear(x, self.weight * self.scale)
