"""The peak at the table's batch size: measured where it fits, else along the slope."""

from typing import Any

import pytest
import torch

from bench.memory import table_peak as module
from bench.memory.peak import Peak
from bench.memory.table_peak import NO_PEAK, ended, extrapolated, table_peak

CPU = torch.device("cpu")


def peak(batch_size: int) -> Peak:
    """A network that costs 100 bytes per pixel and 5,000 bytes besides."""
    growing = 100 * batch_size * 8 * 8
    return Peak(batch_size, 8, growing + 5000, {}, "backward", "aten.add.Tensor", growing, None)


def test_a_batch_that_was_measured_already_is_not_measured_again():
    def refuse(batch_size: int) -> Peak:
        raise AssertionError(batch_size)

    assert table_peak([peak(2), peak(4)], 4, refuse, CPU) == (peak(4).peak_bytes, False)


def test_a_batch_that_fits_is_measured():
    asked = []

    def measure(batch_size: int) -> Peak:
        asked.append(batch_size)
        return peak(batch_size)

    assert table_peak([peak(2), peak(4)], 16, measure, CPU) == (peak(16).peak_bytes, False)
    assert asked == [16]


def test_memory_of_a_gpu_that_torch_keeps_and_nobody_uses_is_free(monkeypatch):
    bytes_of = {"memory_reserved": 700, "memory_allocated": 200, "mem_get_info": (1000, 5000)}
    for name, value in bytes_of.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert module.free_bytes(torch.device("cuda")) == 1500


def test_a_batch_that_does_not_fit_is_extrapolated(monkeypatch):
    monkeypatch.setattr(module, "free_bytes", lambda device: 1000)
    assert table_peak([peak(2), peak(4)], 16, peak, CPU) == (peak(16).peak_bytes, True)
    assert extrapolated([peak(4), peak(2)], 512) == peak(512).peak_bytes


def exhausted(*_: object) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def test_a_batch_that_does_not_fit_after_all_is_extrapolated():
    assert table_peak([peak(2), peak(4)], 16, exhausted, CPU) == (peak(16).peak_bytes, True)


def test_running_out_of_memory_is_an_outcome_and_a_fault_is_not():
    assert ended(exhausted, NO_PEAK) == (NO_PEAK, {"status": "out-of-memory", "reason": "CUDA out of memory."})
    assert ended(lambda: {"a": 1}, NO_PEAK) == ({"a": 1}, {"status": "ok", "reason": None})
    with pytest.raises(ZeroDivisionError):
        ended(lambda: 1 // 0, NO_PEAK)
