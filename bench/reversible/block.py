"""The reversible block (RevNet; section 3.4): y1 = x1 + F(x2), y2 = x2 + G(y1) on the channel halves."""

from typing import Any

from torch import nn

from bench.reversible.addition import FLOATING, Addition
from bench.reversible.branch import Branch, branch, made_of
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted, accumulate


class ReversibleBlock(InvertibleLayer):
    """`f` and `g` map (N, C / 2, H, W) to the same shape and need not be invertible.

    They are called again in the backward pass and keep to the contract in `bench.reversible.contract`, or are refused.

    Where they are invertible layers (an `InvertibleChain`: the paper's hybrid, section 4.2) the block's inverse
    restores its input, and their hidden activations are restored layer by layer; else they are stored while their
    gradient passes. `slice_bytes` sets the size of the slices of the batch that they are worked on in. `addition` is
    how their outputs are added: in floating point, or (`reconstruction="exact"`) on a grid, where nothing is lost.
    """

    exact = True

    def __init__(self, f: nn.Module, g: nn.Module, slice_bytes: int | None = None) -> None:
        super().__init__()
        for module in (f, g):
            if not isinstance(module, nn.Module):
                raise TypeError(f"F and G of a reversible block must be modules, not a {type(module).__name__}.")
        self.f, self.g, self.slice_bytes = f, g, slice_bytes
        self.addition: Addition = FLOATING
        self._made: Any = None
        self.parts = 2 * max(getattr(module, "parts", 1) for module in (f, g))

    @property
    def _branches(self) -> tuple[Branch, Branch]:
        parts = [self.slice_bytes, made_of(self.f), made_of(self.g)]
        if self._made is None or self._made[0] != parts:
            self._made = parts, (branch(self.f, self.slice_bytes), branch(self.g, self.slice_bytes))
        return self._made[1]

    def differentiable(self, state: State) -> State:
        f, g = self._branches
        x1, x2 = _halves(state)
        y1 = self.addition.differentiable(x1, f.differentiable(x2))
        y2 = self.addition.differentiable(x2, g.differentiable(y1))
        return [*y1, *y2]

    def trace(self, state: State) -> tuple[Memo, Memo]:
        f, g = self._branches
        x1, x2 = _halves(state)
        added, memo_f = f.trace(self.addition.read(x2))
        self.addition.add(x1, added)
        del added
        added, memo_g = g.trace(self.addition.read(x1))
        self.addition.add(x2, added)
        return memo_f, memo_g

    def replay(self, state: State, memo: tuple[Memo, Memo]) -> None:
        f, g = self._branches
        x1, x2 = _halves(state)
        self.addition.add(x1, f.again(self.addition.read(x2), memo[0]))
        self.addition.add(x2, g.again(self.addition.read(x1), memo[1]))

    def undo(self, state: State, memo: tuple[Memo, Memo]) -> None:
        f, g = self._branches
        y1, y2 = _halves(state)
        self.addition.subtract(y2, g.again(self.addition.read(y1), memo[1]))
        self.addition.subtract(y1, f.again(self.addition.read(y2), memo[0]))

    def retrace(self, state: State, grad: State, memo: tuple[Memo, Memo], wanted: Wanted) -> Gradients:
        f, g = self._branches
        (y1, y2), (g1, g2) = _halves(state), _halves(grad)
        read, subtract = self.addition.read, self.addition.subtract
        gradients = g.retrace(read(y1), y2, read(g2), g1, memo[1], wanted, subtract)
        accumulate(gradients, f.retrace(read(y2), y1, read(g1), g2, memo[0], wanted, subtract))
        return gradients

    def latest(self) -> tuple[Memo, Memo]:
        f, g = self._branches
        return f.latest(), g.latest()


def _halves(state: State) -> tuple[State, State]:
    middle = len(state) // 2
    return state[:middle], state[middle:]
