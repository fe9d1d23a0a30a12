"""The peak at the batch size of Table 1: measured where the machine can hold it, else told by the slope.

Where not even smaller batches fit, a record says so.
"""

from collections.abc import Callable, Sequence
from typing import Any

import psutil
import torch

from bench.memory.peak import Peak, bytes_per_pixel
from bench.training.outcome import first_line, is_memory_refusal

MARGIN = 0.8  # of the memory that is free: workspaces and the rest of the process need some too

# What a record holds in place of measurements for which memory ran out.
NO_PEAK: dict[str, Any] = {
    "peaks": [],
    "bytes_per_pixel": None,
    "table_peak_bytes": None,
    "table_peak_extrapolated": False,
}


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
    try:
        return measure(batch_size).peak_bytes, False
    except Exception as error:
        if not is_memory_refusal(error):
            raise
        return expected, True


def extrapolated(peaks: Sequence[Peak], batch_size: int) -> int:
    """The larger batch's peak moved along the slope."""
    largest = max(peaks, key=lambda peak: peak.batch_size)
    pixels = (batch_size - largest.batch_size) * largest.image_size**2
    return largest.peak_bytes + round(bytes_per_pixel(peaks) * pixels)


def free_bytes(device: torch.device) -> int:
    """Memory of the device that is free now."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # free to whom torch gives it
    return torch.cuda.mem_get_info(device)[0] + cached


def ended(measure: Callable[[], dict[str, Any]], nothing: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what `measure` found, how it ended). Memory that runs out is a result, and no failure: it found `nothing`."""
    try:
        return measure(), {"status": "ok", "reason": None}
    except Exception as error:
        if not is_memory_refusal(error):
            raise
        return nothing, {"status": "out-of-memory", "reason": first_line(error)}
