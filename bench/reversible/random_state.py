"""Replay of random numbers: dropout inside a recomputed function must draw the same mask as the first time."""

import contextlib
from collections.abc import Iterator

import torch

Generators = list[torch.Tensor]


def random_state(device: torch.device) -> Generators:
    """The states of the generators that a module on `device` may draw from: the CPU's, and a GPU's own."""
    own = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *own]


def same(one: Generators, other: Generators) -> bool:
    """Whether nothing was drawn between the two."""
    return all(map(torch.equal, one, other))


def capturing(device: torch.device) -> bool:
    """Whether a CUDA graph is being recorded, in which no state of a generator can be read or set."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


@contextlib.contextmanager
def replaying(state: Generators | None, device: torch.device) -> Iterator[None]:
    """Draw random numbers from `state` inside the block, and leave the generators as they were; `None` does nothing."""
    if state is None:
        yield
        return
    before = random_state(device)
    _set(state, device)
    try:
        yield
    finally:
        _set(before, device)


def _set(state: Generators, device: torch.device) -> None:
    torch.set_rng_state(state[0])
    for own in state[1:]:
        torch.cuda.set_rng_state(own, device)
