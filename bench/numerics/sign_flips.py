"""Leaky ReLU where noise reaches the signal: the regime that the paper leaves open (end of 4.1.2).

Noise that flips the sign of an output sends it through the wrong branch of the inverse. For a Gaussian input the
expected error is an integral over one variable, since for a given output the noisy one is Gaussian, and the moments of
a Gaussian on either side of 0 are known.
"""

import numpy as np
from scipy.special import ndtr

# Points of the integral over |x|, in equal steps of log |x|: noise of any size is resolved.
GRID = np.geomspace(1e-9, 9.0, 6000)


def leaky_relu(slope: float, noise: float) -> float:
    """alpha for input of mean 0 and deviation 1 and white noise of deviation `noise` on the output.

    Tends to eq. 28c (`theory.leaky_relu`) as the noise goes to 0.
    """
    error = _expected(_squared_error(GRID, slope, noise) + _squared_error(-GRID, slope, noise))
    output_power = (1 + slope**2) / 2
    return noise**2 / output_power / error


def _squared_error(x: np.ndarray, slope: float, noise: float) -> np.ndarray:
    """E (x_restored - x)^2 over the noise, for each input x: eq. 25's four cases."""
    y = np.where(x > 0, x, slope * x)
    above = ndtr(y / noise)  # probability that the noisy output is positive
    density = noise * np.exp(-((y / noise) ** 2) / 2) / np.sqrt(2 * np.pi)
    first_above, first_below = y * above + density, y * (1 - above) - density
    second = y**2 + noise**2
    second_above = second * above + y * density
    second_below = second * (1 - above) - y * density
    kept = second_above - 2 * x * first_above + x**2 * above
    scaled = second_below / slope**2 - 2 * x * first_below / slope + x**2 * (1 - above)
    return kept + scaled


def _expected(values: np.ndarray) -> float:
    """Integral of `values` over the grid with the standard normal density."""
    density = np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.trapezoid(values * density * GRID, np.log(GRID)))
