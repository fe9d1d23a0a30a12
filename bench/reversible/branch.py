"""The functions F and G of a reversible block, as the block needs them: run, run again, retrace.

An `OrdinaryBranch` is any module; recomputing it stores its hidden activations until its gradient is done (the local
bottleneck of section 3.4). A `ChainBranch` is any chain of invertible layers; only its output is recomputed, and the
hidden activations are restored layer by layer while the gradient passes (section 4.2), in two buffers as large as its
input. Where it can, a `SlicedBranch` takes its place, which needs one or none. A `StreamedBranch` recomputes ordinary
convolutions, batch norms and ReLUs slice by slice.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from bench.reversible.addition import Terms
from bench.reversible.chain import InvertibleChain, flat, own_modules
from bench.reversible.contract import (
    Call,
    call_of,
    in_modes,
    left_as_it_is,
    left_as_they_are,
    parameters_left,
    require_own_leaves,
    require_unchanged,
)
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Subtract, Wanted, join, parted
from bench.reversible.random_state import capturing, random_state, replaying, same
from bench.reversible.recorded import pull_back, record, run_again
from bench.reversible.sliced_branch import SlicedBranch, sliceable
from bench.reversible.slices import add_to
from bench.reversible.streamed import StreamedUnits
from bench.reversible.streamed_branch import StreamedBranch


class Branch(Protocol):
    """x -> f(x) on states; the input is only read.

    buffers: how many of f's inputs in size `retrace` holds besides state and gradient (slices apart); None: what the
    module stores. recomputations: how often it runs f's convolutions once more, inverses included.
    """

    @property
    def buffers(self) -> int | None: ...

    @property
    def recomputations(self) -> float: ...

    def differentiable(self, x: State) -> State: ...

    def trace(self, x: State) -> tuple[Terms, Memo]:
        """f(x) without a graph, to be added, and what is needed to compute the same again."""

    def retrace(
        self, x: State, y: State, grad_y: State, grad_x: State, memo: Memo, wanted: Wanted, subtract: Subtract
    ) -> Gradients:
        """Undo y += f(x) by `subtract(y, f(x))` and add the gradient of x to `grad_x`, in place; `grad_y` is only
        read. f is computed once more, without counting statistics; returns the wanted parameters' gradients.
        """

    def again(self, x: State, memo: Memo) -> State:
        """f(x) again, when no gradient is wanted."""

    def latest(self) -> Memo: ...


class OrdinaryBranch:
    """Any module that keeps the shape of its input and to the contract in `bench.reversible.contract`."""

    buffers, recomputations = None, 1.0

    def __init__(self, module: nn.Module) -> None:
        self.module, self.drew = module, False

    def differentiable(self, x: State) -> State:
        return parted(self._called(join(x)), x)

    def trace(self, x: State) -> tuple[State, Call]:
        if not isinstance(x[0], Tensor):
            raise TypeError(
                "F and G of blocks with a state in 16 bits must be StreamedUnits, which read it slice by slice, not"
                f" {type(self.module).__name__}."
            )
        device = x[0].device
        recorded = capturing(device)
        if recorded and self.drew:
            raise RuntimeError(
                "F or G of a reversible block draws random numbers, which a CUDA graph cannot draw again."
            )
        before, call = None if recorded else random_state(device), self.latest()
        with torch.no_grad(), parameters_left(call):
            y = self._called(join(x))
        require_unchanged(call)
        if before is not None:
            self.drew = not same(before, random_state(device))
        return parted(y, x), call._replace(random=before if self.drew else None)

    def retrace(
        self, x: State, y: State, grad_y: State, grad_x: State, memo: Call, wanted: Wanted, subtract: Subtract
    ) -> Gradients:
        with self._as_in(memo, x[0].device):
            output, recording = record(self.module, join(x), wanted, memo.buffers)
        require_own_leaves(recording)
        subtract(y, parted(output, x))
        del output  # it need not live through the backward pass
        found, gradients = pull_back(recording, join(grad_y))
        if found is not None:
            add_to(grad_x, parted(found, grad_x))
        return gradients

    def again(self, x: State, memo: Call) -> State:
        with self._as_in(memo, x[0].device):
            return parted(run_again(self.module, join(x), memo.buffers), x)

    def latest(self) -> Call:
        return call_of(self.module)

    def _called(self, x: Tensor) -> Tensor:
        with left_as_it_is(x):
            y: Tensor = self.module(x)
        if y.shape != x.shape:
            raise ValueError(
                "F or G of a reversible block must keep the shape of its input; it returned"
                f" {tuple(y.shape)} for {tuple(x.shape)}."
            )
        return y

    @contextlib.contextmanager
    def _as_in(self, call: Call, device: torch.device) -> Iterator[None]:
        """Make the module do what it did in `call`."""
        require_unchanged(call)
        with replaying(call.random, device), in_modes(call.modes):
            yield


class ChainBranch:
    """A chain of invertible layers."""

    buffers, recomputations = 2, 2.0

    def __init__(self, chain: InvertibleChain) -> None:
        self.chain = chain

    def differentiable(self, x: State) -> State:
        with left_as_they_are(x):
            return self.chain.differentiable(x)

    def trace(self, x: State) -> tuple[State, Memo]:
        y = _copy(x)
        return y, self.chain.trace(y)

    def retrace(
        self, x: State, y: State, grad_y: State, grad_x: State, memo: Memo, wanted: Wanted, subtract: Subtract
    ) -> Gradients:
        # The layer-wise inverse starts from the recomputed output, so F is recomputed once, not twice.
        state, grad = self.again(x, memo), _copy(grad_y)
        subtract(y, state)
        gradients = self.chain.retrace(state, grad, memo, wanted)
        add_to(grad_x, grad)
        return gradients

    def again(self, x: State, memo: Memo) -> State:
        y = _copy(x)
        self.chain.replay(y, memo)
        return y

    def latest(self) -> Memo:
        return self.chain.latest()


def branch(module: nn.Module, slice_bytes: int | None = None) -> Branch:
    """The kind of branch that `module` can be; `slice_bytes` sets the size of slices of the batch.

    What is made of StreamedUnits with a forward pass of its own is an ordinary module: the engine would not call it.
    """
    if isinstance(module, StreamedUnits) and type(module).forward is StreamedUnits.forward:
        return StreamedBranch(module, slice_bytes)
    if not isinstance(module, InvertibleLayer):
        return OrdinaryBranch(module)
    layers = flat(module)
    chain = InvertibleChain(*layers)  # which refuses what it cannot train
    return SlicedBranch(layers, slice_bytes) if sliceable(layers) else ChainBranch(chain)


def made_of(module: nn.Module) -> list[tuple[nn.Module, type, tuple[str, ...]]]:
    """The modules that a branch of `module` computes with, and their parameters: others need another branch."""
    layers = flat(module) if isinstance(module, InvertibleLayer) else []
    modules = [module, *(each for layer in layers for each in own_modules(layer))]
    return [(each, type(each), tuple(each._parameters)) for each in modules]


def _copy(state: State) -> State:
    return [part.clone() for part in state]
