"""Invertible poolings (eq. 29): they move pixels and keep every value, so their inverse is exact."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted, memory_format
from bench.reversible.slices import batch_slices

ONE_COPY = {"cuda"}  # kinds of device


class _Rearrangement(InvertibleLayer):
    """A layer that only moves values: its gradient is rearranged like its input."""

    exact = True
    images_made = 1  # of one image

    def arrange(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def restore(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def differentiable(self, state: State) -> State:
        return [self.arrange(part) for part in state]

    def trace(self, state: State) -> torch.memory_format:
        # Images of one pixel look the same in every memory format, so the format that they came in is kept.
        memo = _format(state[0])
        self.replay(state, memo)
        return memo

    def replay(self, state: State, memo: torch.memory_format) -> None:
        state[:] = [_in_place(part, self.arrange, 1, memory_format(part)) for part in state]

    def undo(self, state: State, memo: torch.memory_format | None) -> None:
        state[:] = [_in_place(part, self.restore, self.images_made, memo or memory_format(part)) for part in state]

    def retrace(self, state: State, grad: State, memo: torch.memory_format, wanted: Wanted) -> Gradients:
        self.undo(state, memo)
        self.undo(grad, memo)
        return {}


class ChannelPooling(_Rearrangement):
    """Space-to-depth (eq. 29a-b): (N, C, H, W) -> (N, 4 C, H / 2, W / 2); H and W must be even.

    The four pixels of a 2x2 cell become four neighbouring channels, so pooling the channel parts of an activation is
    the same as pooling the whole.
    """

    def arrange(self, x: Tensor) -> Tensor:
        _check_even(x)
        if _in_one_copy(x):
            n, c, h, w = x.shape
            cells = x.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 5, 2, 4)
            return cells.reshape(n, h // 2, w // 2, 4 * c).permute(0, 3, 1, 2)
        return functional.pixel_unshuffle(x, 2).contiguous(memory_format=memory_format(x))

    def restore(self, y: Tensor) -> Tensor:
        if _in_one_copy(y):
            n, c, h, w = y.shape
            cells = y.permute(0, 2, 3, 1).reshape(n, h, w, c // 4, 2, 2).permute(0, 1, 4, 2, 5, 3)
            return cells.reshape(n, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)
        return functional.pixel_shuffle(y, 2).contiguous(memory_format=memory_format(y))


class BatchPooling(_Rearrangement):
    """Space-to-batch (eq. 29c-d): (N, C, H, W) -> (4 N, C, H / 2, W / 2); H and W must be even.

    Image i's four sub-images are at 4 i ... 4 i + 3. They share the statistics of later batch normalisations, and the
    head must pool over them (`GlobalPooling(images_per_group=4 ** poolings)`).
    """

    images_made = 4

    def arrange(self, x: Tensor) -> Tensor:
        _check_even(x)
        n, c, h, w = x.shape
        cells = x.view(n, c, h // 2, 2, w // 2, 2) if x.is_contiguous() else x.reshape(n, c, h // 2, 2, w // 2, 2)
        moved = cells.permute(0, 3, 5, 1, 2, 4).reshape(4 * n, c, h // 2, w // 2)
        return moved.contiguous(memory_format=memory_format(x))

    def restore(self, y: Tensor) -> Tensor:
        n, c, h, w = y.shape
        cells = y.reshape(n // 4, 2, 2, c, h, w).permute(0, 3, 4, 1, 5, 2)
        return cells.reshape(n // 4, c, 2 * h, 2 * w).contiguous(memory_format=memory_format(y))


def _in_one_copy(x: Tensor) -> bool:
    """Whether torch's own rearrangement takes two copies: on CUDA it knows one memory format only."""
    return x.device.type in ONE_COPY and memory_format(x) == torch.channels_last


def _format(x: Tensor) -> torch.memory_format:
    """`memory_format`, of a part with one channel too, which lies in memory the same way in both: by its strides."""
    last = x.shape[1] == 1 and x.stride(1) == 1 and x.shape[2] * x.shape[3] > 1
    return torch.channels_last if last else memory_format(x)


def _in_place(x: Tensor, move: Callable[[Tensor], Tensor], group: int, layout: torch.memory_format) -> Tensor:
    """`move(x)` in the memory of `x` and the format `layout`, with a temporary of one slice of the batch.

    `move` keeps the values of `group` consecutive images together, and images lie one after the other in memory, so
    each slice can be written back where it was.
    """
    images, *shape = move(x[:group].to("meta")).shape
    whole = torch.empty((images * (x.shape[0] // group), *shape), device="meta", memory_format=layout)
    y = x.as_strided(whole.shape, whole.stride())
    for s in batch_slices(x.unflatten(0, (-1, group))):
        cells = x[s.start * group : s.stop * group]
        moved = move(cells)
        # Where a rearrangement is the identity in memory (2x2 pixels pooled to one), torch returns a view.
        y[s.start * images : s.stop * images] = moved.clone() if moved.data_ptr() == cells.data_ptr() else moved
    return y


def _check_even(x: Tensor) -> None:
    if x.shape[-1] % 2 or x.shape[-2] % 2:
        raise ValueError(f"A 2x2 pooling got an image of {x.shape[-2]}x{x.shape[-1]} pixels; both sides must be even.")


class GlobalPooling(torch.nn.Module):
    """Mean or maximum over an image's pixels, and over its `images_per_group` sub-images after batch pooling.

    (N images_per_group, C, H, W) -> (N, C). Not invertible; `ReversibleSequential` retraces it one channel part at a
    time from the state that it reads, which thereby needs no copy.
    """

    def __init__(self, kind: str = "mean", images_per_group: int = 1) -> None:
        super().__init__()
        if kind not in ("mean", "max"):
            raise ValueError(f"Global pooling of kind {kind!r} was asked for; the kinds are 'mean' and 'max'.")
        self.kind, self.images_per_group = kind, images_per_group

    def extra_repr(self) -> str:
        return f"{self.kind!r}, images_per_group={self.images_per_group}"

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.mean((2, 3)) if self.kind == "mean" else x.amax((2, 3))
        groups = pixels.unflatten(0, (-1, self.images_per_group))
        return groups.mean(1) if self.kind == "mean" else groups.amax(1)
