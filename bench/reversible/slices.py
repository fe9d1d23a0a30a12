"""Slices of the batch: convolutions treat every image alone, so a temporary need only be as large as one slice."""

from collections.abc import Iterator

from torch import Tensor

from bench.reversible.channelwise import add
from bench.reversible.layer import State

# Bytes of one temporary. On a CPU a slice and what is computed from it should stay in the cache that its core has for
# itself; on a GPU a slice must be large enough to keep every multiprocessor busy.
SLICE_BYTES = {"cpu": 2 * 2**20, "cuda": 24 * 2**20}


def batch_slices(x: Tensor, slice_bytes: int | None = None) -> Iterator[slice]:
    """Slices that cover the batch of `x` (N, ...), each of about `slice_bytes` bytes of `x` and at least one image."""
    images = x.shape[0]
    if not images:
        return
    limit = slice_bytes or SLICE_BYTES.get(x.device.type, SLICE_BYTES["cuda"])
    bytes_per_image = max(1, x.numel() // images * x.element_size())
    count = max(1, -(-images * bytes_per_image // limit))
    length = -(-images // min(count, images))
    for start in range(0, images, length):
        yield slice(start, min(start + length, images))


def viewed(state: State, images: slice) -> State:
    """Some images of a state, in its memory."""
    return [part[images] for part in state]


def copied(state: State, images: slice) -> State:
    """Some images of a state, to be overwritten."""
    return [part[images].clone() for part in state]


def put(state: State, whole: State, images: slice) -> None:
    """Write `state` to its place in `whole`, if it does not lie there already."""
    for part, target in zip(state, viewed(whole, images), strict=True):
        if part.data_ptr() != target.data_ptr():
            target.copy_(part)


def add_to(whole: State, state: State, images: slice = slice(None)) -> None:
    """Add `state` to its place in `whole`, by default all of it."""
    for part, target in zip(state, viewed(whole, images), strict=True):
        add(target, part)
