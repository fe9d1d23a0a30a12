"""Computation of a training step, in forward passes (sections 3.4 and 4.2)."""

from torch import nn

from bench.architectures.baselines import CheckpointedResNet18
from bench.reversible import InvertibleConv2d, InvertibleLayer, ReversibleBlock, ReversibleSequential
from bench.reversible.branch import branch


def forward_equivalents(network: nn.Module) -> float:
    """1 for the forward pass, 2 for the gradients of activations and of weights, and what is recomputed.

    1 more where inputs are restored or recomputed once (revnet, irevnet and layerwise unless ideal; checkpointing); 2
    more in a hybrid and a streamed network with one or two units in F: each layer's passes over slices of the batch run
    its convolutions so often (`bench.reversible.passes`; the paper counts 2 for the hybrid too). The count is as if
    every layer of the network were recomputed; ordinary down-sampling, stem and head are not.
    Batch norms and activations alone (in-place ABN) run no convolution again.
    Rounding to the grid of exact reconstruction is no convolution and counts nothing.
    """
    return 3.0 + (1 if isinstance(network, CheckpointedResNet18) else _recomputations(network))


def _recomputations(network: nn.Module) -> float:
    """How often the backward pass runs an invertible layer's convolution again, at most."""
    retraced = [m for m in network.modules() if isinstance(m, ReversibleSequential) and m.reconstruction != "ideal"]
    layers = [layer for each in retraced for layer in each.modules() if isinstance(layer, InvertibleLayer)]
    blocks = [layer for layer in layers if isinstance(layer, ReversibleBlock)]
    convolutions = float(any(isinstance(layer, InvertibleConv2d) for layer in layers))
    return max([convolutions, *(branch(each).recomputations for block in blocks for each in (block.f, block.g))])
