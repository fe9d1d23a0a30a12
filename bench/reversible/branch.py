"""The functions F and G of a reversible block, as the block needs them: run, run again for the gradient, pull back.

An `OrdinaryBranch` is any module; recomputing it stores its hidden activations until its gradient is done (the local
bottleneck of section 3.4). A `ChainBranch` is a sequence of invertible layers; only its output is recomputed, and the
hidden activations are restored layer by layer while the gradient passes (section 4.2).
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from bench.reversible.chain import InvertibleChain
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted, join, memory_format
from bench.reversible.random_state import random_state, replaying
from bench.reversible.recorded import Recording, pull_back, record, run_again


class Branch(Protocol):
    """x -> f(x) on states; the input is only read."""

    def differentiable(self, x: State) -> State: ...

    def trace(self, x: State) -> tuple[State, Memo]:
        """f(x) without a graph, and what is needed to compute the same again."""

    def rerun(self, x: State, memo: Memo, wanted: Wanted) -> tuple[State, Any]:
        """f(x) again, without counting statistics, and a tape for `pull_back`."""

    def pull_back(self, tape: Any, grad: State, wanted: Wanted) -> tuple[State, Gradients]:
        """Given the gradient of f(x), which is only read: the gradient of x, and the parameters' gradients."""

    def again(self, x: State, memo: Memo) -> State:
        """f(x) again, when no gradient is wanted."""

    def latest(self) -> Memo: ...


class OrdinaryBranch:
    """Any module that keeps the shape of its input. Random numbers that it draws are replayed, buffers left alone."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def differentiable(self, x: State) -> State:
        return _parted(self.module(join(x)), x)

    def trace(self, x: State) -> tuple[State, Tensor | None]:
        device = x[0].device
        before = random_state(device)
        with torch.no_grad():
            y = self.module(join(x))
        drew = not torch.equal(before, random_state(device))
        return _parted(y, x), before if drew else None

    def rerun(self, x: State, memo: Tensor | None, wanted: Wanted) -> tuple[State, Recording]:
        with replaying(memo, x[0].device):
            y, recording = record(self.module, join(x), wanted)
        return _parted(y, x), recording

    def pull_back(self, tape: Recording, grad: State, wanted: Wanted) -> tuple[State, Gradients]:
        grad_x, gradients = pull_back(tape, join(grad))
        if grad_x is None:
            return [torch.zeros_like(g) for g in grad], gradients
        return _parted(grad_x, grad), gradients

    def again(self, x: State, memo: Tensor | None) -> State:
        with replaying(memo, x[0].device):
            return _parted(run_again(self.module, join(x)), x)

    def latest(self) -> None:
        return None


class ChainBranch:
    """A chain of invertible layers."""

    def __init__(self, chain: InvertibleChain) -> None:
        self.chain = chain

    def differentiable(self, x: State) -> State:
        return self.chain.differentiable(x)

    def trace(self, x: State) -> tuple[State, Memo]:
        y = _copy(x)
        return y, self.chain.trace(y)

    def rerun(self, x: State, memo: Memo, wanted: Wanted) -> tuple[State, tuple[State, Memo]]:
        y = self.again(x, memo)
        # The tape is the output itself: the layer-wise inverse starts from it, so F is recomputed once, not twice.
        return y, (y, memo)

    def pull_back(self, tape: tuple[State, Memo], grad: State, wanted: Wanted) -> tuple[State, Gradients]:
        state, memo = tape
        grad_x = _copy(grad)
        return grad_x, self.chain.retrace(state, grad_x, memo, wanted)

    def again(self, x: State, memo: Memo) -> State:
        y = _copy(x)
        self.chain.replay(y, memo)
        return y

    def latest(self) -> Memo:
        return self.chain.latest()


def branch(module: nn.Module) -> Branch:
    """The kind of branch that `module` can be."""
    if not isinstance(module, InvertibleLayer):
        return OrdinaryBranch(module)
    return ChainBranch(module if isinstance(module, InvertibleChain) else InvertibleChain(module))


def _copy(state: State) -> State:
    return [part.clone() for part in state]


def _parted(y: Tensor, like: State) -> State:
    """`y` cut into the channel parts of `like`."""
    if y.shape[1] != sum(part.shape[1] for part in like) or y.shape[2:] != like[0].shape[2:]:
        raise ValueError(
            f"F or G of a reversible block must keep the shape of its input; it returned {tuple(y.shape)} for"
            f" {sum(part.shape[1] for part in like)} channels and {tuple(like[0].shape[2:])} pixels."
        )
    if len(like) == 1:
        return [y]
    return [part.contiguous(memory_format=memory_format(like[0])) for part in y.chunk(len(like), dim=1)]
