"""i-RevNet (3.5): reversible blocks and channel pooling, so that no activation between stem and head is stored.

As in the paper, each block has one module for each half of the channels (RevNet's), not the original's single one.
"""

from torch import nn

from bench.architectures.registry import register
from bench.architectures.revnet import residual_block
from bench.architectures.search import NearestWidth
from bench.architectures.trunk import head, pooling_layer, positive, stage_channels, stem
from bench.reversible import InvertibleBatchNorm2d, ReversibleSequential


@register(
    "irevnet",
    summary="i-RevNet: reversible blocks and invertible down-sampling (3.5)",
    reconstructions=("ideal", "noisy", "exact"),
    search=NearestWidth(multiple=2),
)
def irevnet(
    reconstruction: str = "noisy",
    initial_channels: int = 32,
    depths: tuple[int, ...] = (1, 1, 1, 1),
    classes: int = 10,
    in_channels: int = 3,
    logit_scale: float = 1.0,
    grid_bits: int | None = None,
) -> nn.Module:
    """Images (N, in_channels, H, W) -> logits (N, classes).

    `depths[i]` reversible blocks at resolution i; channel pooling before every other resolution, so the channels are
    initial_channels times 1, 4, 16, ... Logits are multiplied by `logit_scale`: what the many channels of a wide
    network add up to is otherwise too much for a high learning rate (docs/time.md). `grid_bits` is the k of exact
    reconstruction (None: chosen at the first batch).
    """
    positive("irevnet", logit_scale=logit_scale)
    kinds = ("channel",) * (len(depths) - 1)
    channels = stage_channels(initial_channels, kinds)
    layers: list[nn.Module] = [stem(in_channels, initial_channels), InvertibleBatchNorm2d(initial_channels)]
    for stage, depth in enumerate(depths):
        if stage:
            layers.append(pooling_layer("channel"))
        layers += [residual_block(channels[stage]) for _ in range(depth)]
    layers += head(channels[-1], classes, kinds, "mean", logit_scale)
    return ReversibleSequential(*layers, reconstruction=reconstruction, grid_bits=grid_bits)
