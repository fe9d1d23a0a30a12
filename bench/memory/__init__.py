"""Memory of one training step: the paper's cost model (theory), the measured peak, and the time that a step takes."""

from bench.memory.cost_model import PixelCost, pixel_cost
from bench.memory.peak import Peak, bytes_per_pixel, measure_peak
from bench.memory.tracker import LiveBytes

__all__ = ["LiveBytes", "Peak", "PixelCost", "bytes_per_pixel", "measure_peak", "pixel_cost"]
