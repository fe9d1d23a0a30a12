"""The peak at the batch size of Table 1: measured where the machine can hold it, else told by the slope."""

from collections.abc import Callable, Sequence

import psutil
import torch

from bench.errors import InputError
from bench.memory.peak import Peak, bytes_per_pixel

MARGIN = 0.8  # of the memory that is free: workspaces and the rest of the process need some too


def table_peak(
    peaks: Sequence[Peak], batch_size: int, measure: Callable[[int], Peak], device: torch.device
) -> tuple[int, bool]:
    """(bytes at `batch_size`, whether they were extrapolated). `peaks` are those measured already, of two sizes."""
    known = {peak.batch_size: peak for peak in peaks}
    if batch_size in known:
        return known[batch_size].peak_bytes, False
    expected = extrapolated(peaks, batch_size)
    if expected > MARGIN * free_bytes(device):
        return expected, True
    return measure(batch_size).peak_bytes, False


def extrapolated(peaks: Sequence[Peak], batch_size: int) -> int:
    """The larger batch's peak moved along the slope."""
    largest = max(peaks, key=lambda peak: peak.batch_size)
    pixels = (batch_size - largest.batch_size) * largest.image_size**2
    return largest.peak_bytes + round(bytes_per_pixel(peaks) * pixels)


def free_bytes(device: torch.device) -> int:
    """Memory of the device that is free now."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available


def measured_or_refused(measure: Callable[[int], Peak], batch_size: int) -> Peak:
    """`measure(batch_size)`; memory that runs out is bad input: the configuration asked for too large a batch."""
    try:
        return measure(batch_size)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(
            f"A batch of {batch_size} images does not fit into memory; choose smaller memory.batch_sizes."
        ) from error
