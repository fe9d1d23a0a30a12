"""A memory cap: what a run may use, as on a smaller card.

On the CPU the process's private writable memory may grow by the cap and no further. On CUDA the caching allocator's
limit stands for the card: what libraries took through it before counts (cuBLAS's work space, 67 MB on a Hopper GPU),
and the CUDA context does not, which takes some hundred MB of a real card. Memory beyond the cap is refused, which
training meets as an exception (`outcome.is_memory_refusal`).
"""

import contextlib
import resource
from collections.abc import Iterator

import torch

from bench.errors import InputError
from bench.training.memory_use import status_bytes

MEGABYTE = 10**6


@contextlib.contextmanager
def memory_cap(device: torch.device, cap_mb: float | None) -> Iterator[None]:
    """Inside, at most `cap_mb` megabytes (10^6 bytes) can be had; None caps nothing. Lifted at the end."""
    if cap_mb is None:
        yield
    elif device.type == "cuda":
        with cuda_cap(device, cap_mb):
            yield
    else:
        with process_cap(cap_mb):
            yield


@contextlib.contextmanager
def cuda_cap(device: torch.device, cap_mb: float) -> Iterator[None]:
    """Limit PyTorch's caching allocator on this GPU."""
    # torch takes the allocator's limit for a numbered device only.
    index = torch.cuda.current_device() if device.index is None else device.index
    total = torch.cuda.get_device_properties(index).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, cap_mb * MEGABYTE / total), index)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, index)


@contextlib.contextmanager
def process_cap(cap_mb: float) -> Iterator[None]:
    """Limit the private writable memory (RLIMIT_DATA) to what there is now and the cap."""
    wake_threads()
    held = status_bytes("VmData")
    if held is None:
        raise InputError("memory_cap_mb on the CPU needs Linux (/proc/self/status); run without a cap or on Linux.")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + int(cap_mb * MEGABYTE)
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def wake_threads() -> None:
    """One small training step: thread stacks and libraries' own buffers are no part of what the cap is about."""
    convolution = torch.nn.Conv2d(16, 16, 3, padding=1)
    state = torch.get_rng_state()
    convolution(torch.ones(32, 16, 32, 32)).sum().backward()
    torch.set_rng_state(state)
