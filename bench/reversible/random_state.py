"""Replay of random numbers: dropout inside a recomputed function must draw the same mask as the first time."""

import contextlib
from collections.abc import Iterator

import torch


def random_state(device: torch.device) -> torch.Tensor:
    """The state of the generator that random layers on `device` draw from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def capturing(device: torch.device) -> bool:
    """Whether a CUDA graph is being recorded, in which no state of a generator can be read or set."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


@contextlib.contextmanager
def replaying(state: torch.Tensor | None, device: torch.device) -> Iterator[None]:
    """Draw random numbers from `state` inside the block, and leave the generator as it was; `None` does nothing."""
    if state is None:
        yield
        return
    before = random_state(device)
    _set(state, device)
    try:
        yield
    finally:
        _set(before, device)


def _set(state: torch.Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
