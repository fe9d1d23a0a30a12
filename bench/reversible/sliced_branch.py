"""F or G of a hybrid block (section 4.2) in slices of the batch: what it holds besides state and gradient.

Only batch norm's two sums a channel (`gradient_sums`) couple the images of F's backward pass, so it is done in passes
over the batch, a slice at a time, as many as F has batch norms and one more:

1. Recompute F's output, take it away from the block's, and gather the sums of the last batch norm.
2. With these, retrace down to the batch norm below and gather its sums, and so on.
3. In the pass of the first batch norm, retrace to F's input.

With one batch norm nothing of the batch's size is needed: each pass recomputes its slice from F's input. With two or
more, one buffer as large as F's input carries F's output from the first pass to the second, which retraces it by the
inverse, and from then on each slice's gradient from pass to pass. Where one kernel does the work of a batch norm and of
the leaky ReLU after it (`ActivatedNorm`), "a batch norm" here is both. The activations of later passes are computed
anew from F's input, as far up as they are needed: as much work as inverting them and, as the input is the best known
of all, less noise. The lowest layer is never undone, since its input is at hand.

So much is computed in units of one convolution of F forward, its gradients counting 2: 5 with one conv-BN-activation
unit, 10 with two, 17 with three, where stored activations take 3, 6 and 9.
"""

import itertools
from typing import Any

import torch
from torch import Tensor

from bench.reversible.activated import ActivatedNorm, activated, steps
from bench.reversible.batch_norm import InvertibleBatchNorm2d
from bench.reversible.contract import left_as_they_are
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Subtract, Wanted, accumulate, per_channel
from bench.reversible.moments import Moments
from bench.reversible.observer import working
from bench.reversible.passes import buffers, recomputations
from bench.reversible.slices import add_to, batch_slices, copied, put, viewed


class SlicedBranch:
    """`layers` treat every image alone, but for batch norms, of which there is at least one."""

    def __init__(self, layers: list[InvertibleLayer], slice_bytes: int | None) -> None:
        self.layers, self.slice_bytes = layers, slice_bytes
        self.norm_at = {at: layer for at, layer in enumerate(layers) if isinstance(layer, InvertibleBatchNorm2d)}
        self.norms = list(self.norm_at)
        self.buffers, self.recomputations = buffers(len(self.norms)), recomputations(len(self.norms))

    def differentiable(self, x: State) -> State:
        state = list(x)
        with left_as_they_are(x):
            for layer in self.layers:
                with working("forward", layer, state):
                    state[:] = layer.differentiable(state)
        return state

    def trace(self, x: State) -> tuple[State, list[Memo]]:
        y = [torch.empty_like(part) for part in x]
        memo: list[Memo] = [None] * len(self.layers)
        # A batch norm is applied in the pass after the one that gathers its statistics, with the layers above it.
        for start, end in itertools.pairwise([0, *self.norms, len(self.layers)]):
            moments = Moments()
            for s in batch_slices(x[0], self.slice_bytes):
                state = viewed(y, s)
                if not start:
                    put(viewed(x, s), y, s)
                for layer, known in steps(self.layers[start:end], memo[start:end], state):
                    with working("forward", layer, state, None, s):
                        layer.replay(state, known)
                if end < len(self.layers) and self.layers[end].training:
                    moments.add(state)
                put(state, y, s)
                del state  # here and below: one slice at a time is held, not two
            if end < len(self.layers):
                norm = self.norm_at[end]
                memo[end] = norm.counted(moments) if norm.training else norm.latest()
        return y, memo

    def again(self, x: State, memo: list[Memo]) -> State:
        y = [torch.empty_like(part) for part in x]
        for s in batch_slices(x[0], self.slice_bytes):
            put(self._replayed(x, s, memo, len(self.layers)), y, s)
        return y

    def retrace(
        self, x: State, y: State, grad_y: State, grad_x: State, memo: list[Memo], wanted: Wanted, subtract: Subtract
    ) -> Gradients:
        held = [torch.empty_like(part) for part in x] if len(self.norms) > 1 else []
        sums = self._undo_addition(x, y, grad_y, held, memo, subtract)
        gradients: Gradients = {}
        for below, norm in reversed(list(itertools.pairwise([-1, *self.norms]))):
            step, _ = self._step(norm, x)
            step_below, bottom = self._step(below, x) if below >= 0 else (None, 0)
            sums_below: Any = 0.0
            for s in batch_slices(x[0], self.slice_bytes):
                state, grad = self._output_of(norm, x, grad_y, held, s, memo, gradients, wanted)
                with working("retrace", step, state, grad, s):
                    step.pull_back(state, grad, memo[norm], sums, per_channel(x[0]))
                known = viewed(x, s) if below < 0 else None
                accumulate(gradients, self._retraced(bottom, norm, state, grad, s, memo, wanted, known))
                if step_below is None:
                    add_to(grad_x, grad, s)
                else:
                    sums_below = sums_below + step_below.gradient_sums(state, grad)
                    put(grad, held, s)
                del state, grad
            accumulate(gradients, self.norm_at[norm].parameter_gradients(sums, wanted))
            sums = sums_below
        return gradients

    def latest(self) -> list[Memo]:
        return [layer.latest() for layer in self.layers]

    def _undo_addition(
        self, x: State, y: State, grad_y: State, held: State, memo: list[Memo], subtract: Subtract
    ) -> Tensor:
        """The first pass; returns the last batch norm's sums."""
        sums: Any = 0.0
        last, above = self._step(self.norms[-1], x)
        for s in batch_slices(x[0], self.slice_bytes):
            state = self._replayed(x, s, memo, len(self.layers))
            subtract(viewed(y, s), state)
            if held:
                put(state, held, s)
            # Layers above the last batch norm work in place; without any, sums are all that is wanted of the gradient.
            grad = copied(grad_y, s) if above < len(self.layers) else viewed(grad_y, s)
            for layer, known in reversed(list(zip(self.layers[above:], memo[above:], strict=True))):
                layer.retrace(state, grad, known, lambda parameter: False)
            sums = sums + last.gradient_sums(state, grad)
            del state, grad
        return sums

    def _output_of(
        self,
        norm: int,
        x: State,
        grad_y: State,
        held: State,
        s: slice,
        memo: list[Memo],
        gradients: Gradients,
        wanted: Wanted,
    ) -> tuple[State, State]:
        """(output of the batch norm at `norm`, its gradient) for one slice."""
        _, above = self._step(norm, x)
        if norm < self.norms[-1]:
            return self._replayed(x, s, memo, above), viewed(held, s)
        state = viewed(held, s) if held else self._replayed(x, s, memo, len(self.layers))
        grad = copied(grad_y, s)
        accumulate(gradients, self._retraced(above, len(self.layers), state, grad, s, memo, wanted))
        return state, grad

    def _step(self, norm: int, x: State) -> tuple[InvertibleBatchNorm2d | ActivatedNorm, int]:
        """What the passes take as the batch norm at `norm`, for a branch whose input is `x`, and the layer after it."""
        pair = activated(self.layers, norm, x)
        return (pair, norm + 2) if pair else (self.norm_at[norm], norm + 1)

    def _replayed(self, x: State, s: slice, memo: list[Memo], end: int) -> State:
        """The input of layer `end` for one slice, computed anew."""
        state = copied(x, s)
        for layer, known in steps(self.layers[:end], memo[:end], state):
            with working("replay", layer, state, None, s):
                layer.replay(state, known)
        return state

    def _retraced(
        self,
        start: int,
        end: int,
        state: State,
        grad: State,
        s: slice,
        memo: list[Memo],
        wanted: Wanted,
        known: State | None = None,
    ) -> Gradients:
        """Retrace the layers from `end` (excluded) down to `start`, whose input is `known` or is restored."""
        gradients: Gradients = {}
        for index in reversed(range(start, end)):
            layer = self.layers[index]
            with working("retrace", layer, state, grad, s):
                if known is not None and index == start:
                    more = layer.retrace_from(known, state, grad, memo[index], wanted)
                else:
                    more = layer.retrace(state, grad, memo[index], wanted)
            accumulate(gradients, more)
        return gradients


def sliceable(layers: list[InvertibleLayer]) -> bool:
    """Whether `SlicedBranch` can work on these layers."""
    norms = [layer for layer in layers if isinstance(layer, InvertibleBatchNorm2d)]
    return bool(norms) and all(layer.per_image or layer in norms for layer in layers)
