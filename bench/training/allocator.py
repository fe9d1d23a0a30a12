"""What the allocator does with memory that is freed, which decides what a step costs.

On the CPU it is glibc's. By default it returns large freed blocks to the kernel and asks for them again at the next
step. Mapping pages then takes a large part of a step that stores its activations, and reversible networks, which store
little, look faster than they are. So timed runs keep freed pages. Runs under a cap return them at once: there, what
counts is what is in use.

On a GPU it is torch's, which keeps freed memory in segments of the sizes that were asked for. Near a cap a tensor may
fit into none of them, and be refused, though enough is free in pieces. So runs under a cap have segments that grow and
shrink.
"""

import ctypes

import torch

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # the parameters of mallopt(3)
NEVER, SMALL_BLOCK_BYTES = -1, 64 * 1024


def set_allocator(device: torch.device, capped: bool) -> str:
    """Choose how freed memory is treated from here on; returns it in words, for the record."""
    if device.type == "cuda" and capped:
        torch._C._accelerator_setAllocatorSettings("expandable_segments:True")
        return "expandable segments"
    if device.type != "cpu":
        return "default"
    if capped:
        settings = ((MMAP_THRESHOLD, SMALL_BLOCK_BYTES), (TRIM_THRESHOLD, SMALL_BLOCK_BYTES))
        words = "glibc, freed blocks returned"
    else:
        settings = ((MMAP_MAX, 0), (TRIM_THRESHOLD, NEVER))
        words = "glibc, freed blocks kept"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return "default"
    done = [mallopt(parameter, value) for parameter, value in settings]
    return words if all(done) else "default"
