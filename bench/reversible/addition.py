"""How a reversible block adds a branch's output to the other half of the state, and takes it away again."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.reversible.channelwise import Activated, add
from bench.reversible.layer import State

Terms = Sequence[Tensor | Activated]  # what a branch gives, computed or not


class Addition:
    """In floating point: what was added is taken away up to rounding errors, the noise of noisy reconstruction.

    Both arguments are lists of parts of equal shapes; the second one is only read. `bench.reversible.grid.Grid` is
    the addition that loses nothing.
    """

    def read(self, x: State) -> State:
        """What F reads of the state `x`, or of its gradient: parts that give floating-point values when sliced."""
        return x

    def gradient_like(self, x: Tensor) -> Tensor:
        """A tensor for the gradient of the part `x` of the state, its values not set."""
        return torch.empty_like(x)

    def add(self, to: State, what: Terms) -> None:
        """to <- to + what, in place."""
        for target, term in zip(to, what, strict=True):
            add(target, term)

    def subtract(self, to: State, what: Terms) -> None:
        """to <- to - what, in place: undoes `add`."""
        for target, term in zip(to, what, strict=True):
            add(target, term, times=-1.0)

    def differentiable(self, x: State, fx: State) -> State:
        """x + fx as new tensors, recorded by autograd."""
        return [a + b for a, b in zip(x, fx, strict=True)]


FLOATING = Addition()
