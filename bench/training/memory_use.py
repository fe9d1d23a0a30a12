"""How much memory a run took, as the operating system and CUDA's allocator saw it."""

import contextlib
import re
from pathlib import Path
from typing import Any

import psutil
import torch

STATUS, FORGET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peaks(device: torch.device) -> None:
    """Begin to count peaks anew: reading a data set may take more memory than training on it."""
    with contextlib.suppress(OSError):
        FORGET_PEAK.write_text("5")  # Linux: resets the peak resident size; not every container allows it
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peaks(device: torch.device) -> dict[str, Any]:
    """Peak resident bytes of the process (interpreter, libraries and data set included), and CUDA's two peaks."""
    cuda = device.type == "cuda"
    return {
        "process_resident_bytes": status_bytes("VmHWM") or psutil.Process().memory_info().rss,
        "cuda_allocated_bytes": torch.cuda.max_memory_allocated(device) if cuda else None,
        "cuda_reserved_bytes": torch.cuda.max_memory_reserved(device) if cuda else None,
    }


def highest(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The larger of two processes' peaks, each by itself; of a run that was resumed."""
    return {name: max((peak for peak in (one[name], other[name]) if peak is not None), default=None) for name in one}


def status_bytes(field: str) -> int | None:
    """A size of /proc/self/status in bytes, VmHWM (peak resident) or VmData (private writable); else None."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
