"""Memory of one training step: the paper's cost model (theory), the measured peak, and the time that a step takes."""

from bench.memory.peak import Peak, bytes_per_pixel, measure_peak

__all__ = ["Peak", "bytes_per_pixel", "measure_peak"]
