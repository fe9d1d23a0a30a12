"""What every invertible layer offers, and how activations travel between layers.

Inside the engine an activation is a *state*: a list of contiguous channel parts, in channel order. Couplings work on
parts as they are, so no layer concatenates or slices channels, and a layer that changes one part at a time needs a
temporary of one part only. The engine owns the tensors of a state: layers overwrite them.
"""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

State = list[Tensor]
Memo = Any
Gradients = dict[Tensor, Tensor]  # by parameter, which torch's own modules declare as plain tensors
Wanted = Callable[[Tensor], bool]
Subtract = Callable[[State, Any], None]  # the first minus the second, which need not be computed yet, in place


def split(x: Tensor, parts: int) -> State:
    """Copy `x` (N, C, H, W) into `parts` equal channel parts, each contiguous in the memory format of `x`."""
    if x.dim() != 4 or x.shape[1] % parts:
        raise ValueError(
            f"An invertible layer got a tensor of shape {tuple(x.shape)};"
            f" it needs (N, C, H, W) with C a multiple of {parts}."
        )
    layout = memory_format(x)
    return [part.clone(memory_format=layout) for part in x.chunk(parts, dim=1)]


def split_view(x: Tensor, parts: int) -> State:
    """The same parts as views that autograd follows."""
    return list(x.chunk(parts, dim=1))


def join(state: State) -> Tensor:
    """The whole activation (N, C, H, W); a copy unless there is one part."""
    return state[0] if len(state) == 1 else torch.cat(state, dim=1)


def parted(y: Tensor, like: State) -> State:
    """`y` cut into the channel parts of `like`."""
    if y.shape[1] != sum(part.shape[1] for part in like) or y.shape[2:] != like[0].shape[2:]:
        raise ValueError(
            f"F or G of a reversible block must keep the shape of its input; it returned {tuple(y.shape)} for"
            f" {sum(part.shape[1] for part in like)} channels and {tuple(like[0].shape[2:])} pixels."
        )
    if len(like) == 1:
        return [y]
    return [part.contiguous(memory_format=memory_format(like[0])) for part in y.chunk(len(like), dim=1)]


def channel_slices(state: State) -> list[slice]:
    """Which channels of the whole activation each part holds."""
    ends = list(itertools.accumulate((part.shape[1] for part in state), initial=0))
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


def per_channel(x: Tensor) -> int:
    """Values that each channel of `x` (B, C, H, W) has."""
    return x.numel() // x.shape[1]


def memory_format(x: Tensor) -> torch.memory_format:
    """The memory format in which `x` is dense (channels last only where that differs from the usual one)."""
    if x.is_contiguous():
        return torch.contiguous_format
    narrowed = x.stride(1) == 1 and x.shape[1] > 1
    return (
        torch.channels_last
        if narrowed or x.is_contiguous(memory_format=torch.channels_last)
        else torch.contiguous_format
    )


def accumulate(into: Gradients, more: Gradients) -> None:
    """Add the gradients in `more` to `into`; a parameter that two layers share gets the sum."""
    for parameter, gradient in more.items():
        into[parameter] = into[parameter] + gradient if parameter in into else gradient


class InvertibleLayer(nn.Module):
    """A bijection of activations that can retrace itself.

    `layer(x)` and `layer.inverse(y)` take and return tensors (N, C, H, W) and touch nothing of the caller's. The other
    methods are the engine's: they work on states in place and build no graph, except `differentiable`.
    """

    parts: int = 1  # into how many channel parts this layer needs its input cut, at least
    per_image: bool = False  # whether it keeps the shape, treats every image alone, and needs no memo
    exact: bool = False  # whether its inverse gives back the very bits of a state on a grid
    from_output: bool = False  # whether its gradient needs its output only, not its input
    is_stem: bool = False  # whether it makes the state from a network's input, in parts of its own
    computes: tuple[
        str, ...
    ] = ()  # its modules, beside layers, that it does not call: it computes with their parameters
    observer: Any = None  # who is told of this layer's work (see `observing`)

    def forward(self, x: Tensor) -> Tensor:
        """The layer as ordinary autograd sees it: every tensor that its gradient needs is stored."""
        return join(self.differentiable(split_view(x, self.parts)))

    @torch.no_grad()
    def inverse(self, y: Tensor) -> Tensor:
        """The input whose output is `y`; batch norm in training uses the statistics of its latest forward pass."""
        state = split(y, self.parts)
        self.undo(state, self.latest())
        return join(state)

    def differentiable(self, state: State) -> State:
        """The forward map, recorded by autograd; returns new tensors."""
        raise NotImplementedError

    def trace(self, state: State) -> Memo:
        """The forward map in place; returns the little that `replay`, `undo` and `retrace` need besides the output."""
        raise NotImplementedError

    def replay(self, state: State, memo: Memo) -> None:
        """The forward map again, in place, from what `trace` kept: no statistic is computed or counted twice."""
        raise NotImplementedError

    def undo(self, state: State, memo: Memo) -> None:
        """The inverse map in place."""
        raise NotImplementedError

    def retrace(self, state: State, grad: State, memo: Memo, wanted: Wanted) -> Gradients:
        """Turn (output, its gradient) into (input, its gradient) in place; returns the wanted parameters' gradients."""
        raise NotImplementedError

    def retrace_from(self, x: State, state: State, grad: State, memo: Memo, wanted: Wanted) -> Gradients:
        """`retrace` where the input `x`, which is only read, is known; a layer may save the work of restoring it."""
        return self.retrace(state, grad, memo, wanted)

    def latest(self) -> Memo:
        """The memo of the latest forward pass, for `inverse` by hand."""
        return None
