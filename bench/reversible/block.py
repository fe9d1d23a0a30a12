"""The reversible block (RevNet; section 3.4): y1 = x1 + F(x2), y2 = x2 + G(y1) on the channel halves."""

import functools

from torch import nn

from bench.reversible.addition import FLOATING, Addition
from bench.reversible.branch import Branch, branch
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted, accumulate


class ReversibleBlock(InvertibleLayer):
    """`f` and `g` map (N, C / 2, H, W) to the same shape and need not be invertible.

    Where they are invertible layers (an `InvertibleChain`: the paper's hybrid, section 4.2) the block's inverse
    restores its input, and their hidden activations are restored layer by layer; else they are stored while their
    gradient passes. Either way each of them is computed once more in the backward pass. `addition` is how their
    outputs are added: in floating point, or (`reconstruction="exact"`) on a grid, where nothing is lost.
    """

    exact = True

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.f, self.g = f, g
        self.addition: Addition = FLOATING
        self.parts = 2 * max(getattr(module, "parts", 1) for module in (f, g))

    @functools.cached_property
    def _branches(self) -> tuple[Branch, Branch]:
        return branch(self.f), branch(self.g)

    def differentiable(self, state: State) -> State:
        f, g = self._branches
        x1, x2 = _halves(state)
        y1 = self.addition.differentiable(x1, f.differentiable(x2))
        y2 = self.addition.differentiable(x2, g.differentiable(y1))
        return [*y1, *y2]

    def trace(self, state: State) -> tuple[Memo, Memo]:
        f, g = self._branches
        x1, x2 = _halves(state)
        added, memo_f = f.trace(x2)
        self.addition.add(x1, added)
        added, memo_g = g.trace(x1)
        self.addition.add(x2, added)
        return memo_f, memo_g

    def replay(self, state: State, memo: tuple[Memo, Memo]) -> None:
        f, g = self._branches
        x1, x2 = _halves(state)
        self.addition.add(x1, f.again(x2, memo[0]))
        self.addition.add(x2, g.again(x1, memo[1]))

    def undo(self, state: State, memo: tuple[Memo, Memo]) -> None:
        f, g = self._branches
        y1, y2 = _halves(state)
        self.addition.subtract(y2, g.again(y1, memo[1]))
        self.addition.subtract(y1, f.again(y2, memo[0]))

    def retrace(self, state: State, grad: State, memo: tuple[Memo, Memo], wanted: Wanted) -> Gradients:
        f, g = self._branches
        (y1, y2), (g1, g2) = _halves(state), _halves(grad)
        gradients = self._retrace_half(g, y1, y2, g2, g1, memo[1], wanted)
        accumulate(gradients, self._retrace_half(f, y2, y1, g1, g2, memo[0], wanted))
        return gradients

    def latest(self) -> tuple[Memo, Memo]:
        f, g = self._branches
        return f.latest(), g.latest()

    def _retrace_half(
        self, function: Branch, x: State, y: State, grad_y: State, grad_x: State, memo: Memo, wanted: Wanted
    ) -> Gradients:
        """Undo y += function(x) in place and add the function's gradient to `grad_x`."""
        output, tape = function.rerun(x, memo, wanted)
        self.addition.subtract(y, output)
        del output  # an ordinary branch's output need not live through its backward pass
        added, gradients = function.pull_back(tape, grad_y, wanted)
        FLOATING.add(grad_x, added)
        return gradients


def _halves(state: State) -> tuple[State, State]:
    middle = len(state) // 2
    return state[:middle], state[middle:]
