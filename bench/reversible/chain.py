"""A chain of invertible layers, itself an invertible layer: F and G of a hybrid block, or a run of a network."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from bench.reversible.activated import ActivatedNorm, steps
from bench.reversible.addition import FLOATING, Addition
from bench.reversible.ends import Cut
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted, accumulate
from bench.reversible.observer import working


class InvertibleChain(InvertibleLayer):
    """Layers applied one after the other; retraced in the opposite order."""

    computes = ("layers",)
    addition: Addition = FLOATING  # which knows in what numbers the state is held

    def __init__(self, *layers: InvertibleLayer) -> None:
        super().__init__()
        for layer in layers:
            if not isinstance(layer, InvertibleLayer):
                raise TypeError(f"A chain of invertible layers got a {type(layer).__name__}, which is not invertible.")
            if any(_computes_a_parameter(each) for each in own_modules(layer)):
                raise TypeError(
                    f"{type(layer).__name__} computes a parameter from others (parametrize, prune or weight_norm),"
                    " which would get no gradient; an ordinary module may, as F or G of a ReversibleBlock."
                )
        self.layers = cast(Sequence[InvertibleLayer], nn.ModuleList(layers))  # which does not tell what it holds
        self.parts = max((layer.parts for layer in layers), default=1)

    @property
    def has_stem(self) -> bool:
        """Whether the first layer makes the state itself, from a network's input as it is."""
        return bool(self.layers) and self.layers[0].is_stem

    @property
    def inputs(self) -> int:
        """How many tensors `begin` makes."""
        return 1 if self.has_stem else self.parts

    def begin(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the first layer is given of `x`: new parts, or of a stem `x` itself, without gaps in memory."""
        if not self.has_stem:
            return Cut.apply(self.parts, x)
        if x.requires_grad:
            raise ValueError("A 16-bit stem gives no gradient of its input; detach the images.")
        dense = any(x.is_contiguous(memory_format=layout) for layout in (torch.contiguous_format, torch.channels_last))
        return (x if dense else x.contiguous(),)  # an image of one channel may have been expanded to three

    def differentiable(self, state: State) -> State:
        state = list(state)
        for layer in self.layers:
            with working("forward", layer, state):
                state[:] = layer.differentiable(state)
        return state

    def trace(self, state: State) -> list[Memo]:
        memo = []
        for layer, _ in steps(self.layers, [None] * len(self.layers), state):
            with working("forward", layer, state):
                memo.append(layer.trace(state))
            if isinstance(layer, ActivatedNorm):
                memo.append(None)  # the activation's
        return memo

    def replay(self, state: State, memo: list[Memo]) -> None:
        for layer, part in steps(self.layers, memo, state):
            with working("replay", layer, state):
                layer.replay(state, part)

    def undo(self, state: State, memo: list[Memo]) -> None:
        for layer, part in zip(reversed(self.layers), reversed(memo), strict=True):
            layer.undo(state, part)

    def retrace(self, state: State, grad: State, memo: list[Memo], wanted: Wanted) -> Gradients:
        gradients: Gradients = {}
        for layer, part in reversed(list(steps(self.layers, memo, state))):
            with working("retrace", layer, state, grad):
                accumulate(gradients, layer.retrace(state, grad, part, wanted))
        return gradients

    def latest(self) -> list[Memo]:
        return [layer.latest() for layer in self.layers]


def flat(layer: InvertibleLayer) -> list[InvertibleLayer]:
    """The layers of a chain, and of chains in it, in order; any other layer alone."""
    return [each for inner in layer.layers for each in flat(inner)] if isinstance(layer, InvertibleChain) else [layer]


def own_modules(module: nn.Module) -> Iterator[nn.Module]:
    """The modules whose parameters a layer computes with itself: not those that it calls."""
    yield module
    for name, child in module.named_children():
        if isinstance(child, InvertibleLayer) or not isinstance(module, InvertibleLayer) or name in module.computes:
            yield from own_modules(child)


def _computes_a_parameter(module: nn.Module) -> bool:
    """Whether a parameter of its own is made from others, by a parametrisation, by pruning or by weight_norm."""
    sources = {name.rpartition("_")[0] for name in module._parameters if name.endswith(("_orig", "_g", "_v"))}
    made = any(name in module.__dict__ and name not in module._parameters for name in sources)
    return "parametrizations" in module._modules or made
