"""Reversible training of convolutional networks: one activation and one gradient in memory, whatever the depth.

    trunk = ReversibleSequential(InvertibleConv2d(32), InvertibleBatchNorm2d(32), InvertibleLeakyReLU(0.2), ...)

An invertible layer knows its forward map, its inverse, and how to *retrace* itself: given its output and the gradient
of its output, to return its input, the gradient of its input, and its parameters' gradients. `ReversibleSequential`
runs forward without recording and backward by retracing; everything else is ordinary PyTorch. This package imports
nothing but torch, and Triton on a GPU if it is there.
"""

from bench.reversible.activation import InvertibleLeakyReLU
from bench.reversible.batch_norm import InvertibleBatchNorm2d
from bench.reversible.block import ReversibleBlock
from bench.reversible.chain import InvertibleChain
from bench.reversible.checksum import InexactReconstruction
from bench.reversible.convolution import InvertibleConv2d
from bench.reversible.grid import Grid
from bench.reversible.int16_stem import Int16Stem
from bench.reversible.layer import InvertibleLayer
from bench.reversible.observer import Observer, Work, observing
from bench.reversible.pooling import BatchPooling, ChannelPooling, GlobalPooling
from bench.reversible.renormalised import RenormalisedBatchNorm2d
from bench.reversible.sequential import RECONSTRUCTIONS, ReversibleSequential
from bench.reversible.streamed import StreamedUnits

__all__ = [
    "RECONSTRUCTIONS",
    "BatchPooling",
    "ChannelPooling",
    "GlobalPooling",
    "Grid",
    "InexactReconstruction",
    "Int16Stem",
    "InvertibleBatchNorm2d",
    "InvertibleChain",
    "InvertibleConv2d",
    "InvertibleLayer",
    "InvertibleLeakyReLU",
    "Observer",
    "RenormalisedBatchNorm2d",
    "ReversibleBlock",
    "ReversibleSequential",
    "StreamedUnits",
    "Work",
    "observing",
]
