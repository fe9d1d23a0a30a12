"""Computation of a training step, in forward passes (sections 3.4 and 4.2)."""

from torch import nn

from bench.architectures.baselines import CheckpointedResNet18
from bench.reversible import InvertibleConv2d, InvertibleLayer, ReversibleBlock, ReversibleSequential


def forward_equivalents(network: nn.Module) -> float:
    """1 for the forward pass, 2 for the gradients of activations and of weights, and what is recomputed.

    1 more where inputs are restored or recomputed once (revnet, irevnet and layerwise unless ideal; checkpointing); 2
    more in a hybrid, which recomputes F's output to undo the block and then inverts F layer by layer. This is the
    paper's count, as if every layer of the network were recomputed; ordinary down-sampling, stem and head are not.
    Batch norms and activations alone (in-place ABN) run no convolution again.
    Rounding to the grid of exact reconstruction is no convolution and counts nothing.
    """
    return 3.0 + (1 if isinstance(network, CheckpointedResNet18) else _recomputations(network))


def _recomputations(network: nn.Module) -> int:
    """How often the backward pass runs an invertible layer's convolution again, at most."""
    retraced = [m for m in network.modules() if isinstance(m, ReversibleSequential) and m.reconstruction != "ideal"]
    layers = [layer for each in retraced for layer in each.modules() if isinstance(layer, InvertibleLayer)]
    blocks = [layer for layer in layers if isinstance(layer, ReversibleBlock)]
    hybrid = any(isinstance(branch, InvertibleLayer) for block in blocks for branch in (block.f, block.g))
    return 2 if hybrid else int(any(isinstance(layer, InvertibleConv2d | ReversibleBlock) for layer in layers))
