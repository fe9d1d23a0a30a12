"""A streamed block's F or G, recomputed slice by slice: what it holds besides state and gradient.

F's input is known from the block's inverse, and batch norm's mean and deviation from the forward pass. Then only batch
norm's two sums a channel couple the images of the backward pass, which is done in passes over the batch, a slice at a
time, as many as F has units (convolution, batch norm, ReLU) and one more:

1. Recompute F's output, take it away from the block's, and gather the sums of the last batch norm.
2. With these, pull the gradient back through that unit, and gather the sums of the unit below, and so on.

With one unit nothing of the batch's size is needed: state and gradient, the floor. With two or more, or where the
module asks for it (`hold`), one buffer as large as F's input carries the last convolution's output from the first pass
to the second, and from then on each slice's gradient from pass to pass.

So much is computed in units of one convolution of F forward, its gradients counting 2: 5 with one unit, 4 if its
convolution's output is held, 10 with two.
"""

from typing import Any

import torch
from torch import Tensor

from bench.reversible.addition import Terms
from bench.reversible.channelwise import Activated, computed
from bench.reversible.fused import fused
from bench.reversible.layer import (
    Gradients,
    State,
    Subtract,
    Wanted,
    accumulate,
    join,
    memory_format,
    parted,
    per_channel,
)
from bench.reversible.moments import Moments
from bench.reversible.passes import buffers, recomputations
from bench.reversible.recorded import run_again
from bench.reversible.slices import add_to, batch_slices, viewed
from bench.reversible.statistics import Statistics
from bench.reversible.streamed import StreamedUnits
from bench.reversible.streamed_unit import StreamedUnit

threshold_backward = torch.ops.aten.threshold_backward.grad_input

Memo = list[Statistics]  # one for each unit


class StreamedBranch:
    """`module` as `Branch` asks."""

    def __init__(self, module: StreamedUnits, slice_bytes: int | None) -> None:
        self.module, self.slice_bytes = module, slice_bytes
        self._make_units()
        count = len(self.units)
        self.buffers, self.recomputations = buffers(count, module.hold), recomputations(count, module.hold)

    def differentiable(self, x: State) -> State:
        return parted(self.module(join(x)), x)

    def trace(self, x: State) -> tuple[Terms, Memo]:
        memo: Memo = []
        if self.module.layers() != self.layers:  # one has been replaced
            self._make_units()
        slices = list(batch_slices(x[0], self.slice_bytes))
        y: Any = None  # made when the first slice's c is there
        for index, unit in enumerate(self.units):
            moments = Moments()
            for s in slices:
                below = self.units[index - 1].activate(y[s], memo[-1]) if index else join(viewed(x, s))
                c = unit.convolved(below)
                if unit.norm.training:
                    moments.add([c])
                y = c if len(slices) == 1 else _put(c, y, s, x)
                del below, c  # here and below: one slice at a time is held, not two
            memo.append(unit.statistics(moments))
        if y is None:
            return parted(_like(x), x), memo
        if fused(y) is not None:
            return _terms(self.units[-1].output(y, memo[-1]), x), memo
        for s in slices:
            self.units[-1].activate(y[s], memo[-1])
        return parted(y, x), memo

    def again(self, x: State, memo: Memo | None) -> State:
        if memo is None:  # the block's inverse by hand: the statistics are those of the batch, as in any module
            return parted(run_again(self.module, join(x), {}), x)
        y = _like(x)
        for s in batch_slices(x[0], self.slice_bytes):
            y[s] = computed(self.units[-1].output(self._last_convolved(x, s, memo), memo[-1]))
        return parted(y, x)

    def retrace(
        self, x: State, y: State, grad_y: State, grad_x: State, memo: Memo, wanted: Wanted, subtract: Subtract
    ) -> Gradients:
        held: Any = _like(x) if self.buffers else None
        sums = self._undo_addition(x, y, grad_y, held, memo, subtract)
        gradients: Gradients = {}
        for index, unit in reversed(list(enumerate(self.units))):
            sums_below: Any = 0.0
            for s in batch_slices(x[0], self.slice_bytes):
                below, c_below = self._replayed(x, s, memo, index)
                below = unit.taken(below)
                if index + 1 == len(self.units):
                    c = unit.convolved(below) if held is None else held[s]
                    grad = unit.pull_back_activated(join(viewed(grad_y, s)), c, memo[index], sums, per_channel(x[0]))
                else:
                    c, grad = unit.convolved(below), held[s]
                    unit.pull_back(grad, c, memo[index], sums, per_channel(x[0]))
                grad, found = unit.pull_back_convolution(grad, below, wanted)
                accumulate(gradients, found)
                if index:
                    threshold_backward(grad, below, 0.0, grad_input=grad)
                    sums_below = sums_below + self.units[index - 1].gradient_sums(grad, c_below, memo[index - 1])
                    held[s] = grad
                else:
                    add_to(grad_x, parted(grad, grad_x), s)
                del below, c_below, c, grad
            accumulate(gradients, unit.norm_gradients(sums, wanted))
            sums = sums_below
        return gradients

    def latest(self) -> None:
        return None

    def _make_units(self) -> None:
        self.layers = self.module.layers()
        self.units = [StreamedUnit(*pair) for pair in self.module.pairs()]

    def _undo_addition(
        self, x: State, y: State, grad_y: State, held: Tensor | None, memo: Memo, subtract: Subtract
    ) -> Tensor:
        """The first pass; returns the last batch norm's sums."""
        sums: Any = 0.0
        for s in batch_slices(x[0], self.slice_bytes):
            c = self._last_convolved(x, s, memo)
            output = self.units[-1].output(c, memo[-1])
            subtract(viewed(y, s), _terms(output, x))
            if held is not None:
                held[s] = c
            sums = sums + self.units[-1].activated_sums(join(viewed(grad_y, s)), output, c, memo[-1])
            del output, c
        return sums

    def _last_convolved(self, x: State, s: slice, memo: Memo) -> Tensor:
        """What the last batch norm was given for one slice, computed anew."""
        return self.units[-1].convolved(self._replayed(x, s, memo, len(self.units) - 1)[0])

    def _replayed(self, x: State, s: slice, memo: Memo, end: int) -> tuple[Tensor, Any]:
        """(input of unit `end`, what the batch norm below it was given or None) for one slice, computed anew."""
        z = join(viewed(x, s))
        c: Any = None
        for unit, known in zip(self.units[:end], memo[:end], strict=True):
            c = unit.convolved(z)
            z = unit.activated(c, known)
        return z, c


def _like(x: State, dtype: torch.dtype | None = None) -> Tensor:
    """An activation as large as all parts of `x`, in their memory format."""
    shape = (x[0].shape[0], sum(part.shape[1] for part in x), *x[0].shape[2:])
    return torch.empty(shape, dtype=dtype or x[0].dtype, device=x[0].device, memory_format=memory_format(x[0]))


def _put(c: Tensor, whole: Tensor | None, s: slice, x: State) -> Tensor:
    """`whole` with `c` in its place."""
    whole = _like(x, c.dtype) if whole is None else whole
    whole[s] = c
    return whole


def _terms(output: Tensor | Activated, x: State) -> Terms:
    """The branch's output in the parts of `x`."""
    return [output] if len(x) == 1 else parted(computed(output), x)
