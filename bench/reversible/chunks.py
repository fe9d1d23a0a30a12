"""Views of some values of a large tensor at a time: what is computed of a chunk stays in the cache."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.reversible.layer import memory_format

# Values worked on at a time: on a CPU a megabyte of float32, which stays in its cache; else enough to keep a GPU busy.
CHUNK = {"cpu": 2**18}
OTHER_CHUNK = 2**24


def chunks(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of the same values of `x`, which is dense, and of `y`, in the order of memory, a chunk at a time."""
    y = y.contiguous(memory_format=memory_format(x))
    if not x.numel():
        return
    yield from zip(_in_memory(x).split(_chunk(x)), _in_memory(y).split(_chunk(x)), strict=True)


def scratch(like: Tensor) -> Tensor:
    """Memory for a chunk of `like`, its values not set."""
    return torch.empty(min(_chunk(like), like.numel()), dtype=like.dtype, device=like.device)


def shaped(scratch: Tensor, like: Tensor) -> Tensor:
    """As much of `scratch` as the chunk `like` has, in its shape."""
    return scratch[: like.numel()].view(like.shape)


def _chunk(x: Tensor) -> int:
    return CHUNK.get(x.device.type, OTHER_CHUNK)


def _in_memory(x: Tensor) -> Tensor:
    """The values of a dense tensor as one row, in the order in which they lie in memory."""
    return x.as_strided((x.numel(),), (1,))
