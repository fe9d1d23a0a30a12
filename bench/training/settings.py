"""How torch is set for a run: threads, number formats, determinism. No other place touches its global switches."""

import os

import torch

from bench.errors import InputError

# precision -> whether TF32, which keeps 10 bits of the fraction, may stand for float32 (see `precision`)
PRECISIONS = {"float32": False, "tf32": True, "mixed": True}


def set_threads(threads: int) -> int:
    """Let torch compute with `threads` threads, 0 for all CPUs that the process may use; returns their number."""
    threads = threads or available_cpus()
    torch.set_num_threads(threads)
    return threads


def available_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_precision(precision: str) -> None:
    """Set what float32 means on a GPU: by default convolutions take TF32, at the cost of the inverses' accuracy."""
    if precision not in PRECISIONS:
        raise InputError(f"training.precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}.")
    torch.backends.cudnn.allow_tf32 = PRECISIONS[precision]
    torch.backends.cuda.matmul.allow_tf32 = PRECISIONS[precision]


def set_determinism(device: torch.device, seed: int, capped: bool, exact: bool = False) -> None:
    """Seed torch. On the CPU the same seed gives the same bits; a GPU tries which kernels are fastest.

    Not under a cap, though: trying them takes work space. `exact` reconstruction needs the same kernels and bits every
    time.
    """
    torch.manual_seed(seed)
    # Not `use_deterministic_algorithms`, which imports the compiler as well: a second more for every run.
    torch.set_deterministic_debug_mode("error" if device.type == "cpu" else "default")
    # Otherwise every new tensor would be filled with NaN first, which costs time and finds nothing here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    set_kernels(device, capped, exact)


def set_kernels(device: torch.device, capped: bool, exact: bool) -> None:
    """Let cuDNN try which kernels are fastest, or take deterministic ones by rule; see `set_determinism`."""
    torch.backends.cudnn.deterministic = exact
    torch.backends.cudnn.benchmark = device.type == "cuda" and not capped and not exact
