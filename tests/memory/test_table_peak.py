"""The peak at the table's batch size: measured where it fits, else along the slope."""

import pytest
import torch

from bench.errors import InputError
from bench.memory import table_peak as module
from bench.memory.peak import Peak
from bench.memory.table_peak import extrapolated, measured_or_refused, table_peak

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


def test_a_batch_that_does_not_fit_is_extrapolated(monkeypatch):
    monkeypatch.setattr(module, "free_bytes", lambda device: 1000)
    assert table_peak([peak(2), peak(4)], 16, peak, CPU) == (peak(16).peak_bytes, True)
    assert extrapolated([peak(4), peak(2)], 512) == peak(512).peak_bytes


def test_running_out_of_memory_is_told_in_one_sentence():
    def exhausted(batch_size: int) -> Peak:
        raise torch.OutOfMemoryError

    with pytest.raises(InputError, match="batch of 64 images does not fit"):
        measured_or_refused(exhausted, 64)
