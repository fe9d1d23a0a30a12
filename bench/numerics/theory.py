"""The factor alpha = snr_i / snr_o by which a layer's inverse changes the signal-to-noise ratio (eqs. 15 to 28).

snr_o is that of the layer's output, which the inverse is given; snr_i that of the input, which it restores. Powers are
sums of squares over all values (the mean counts as signal), the noise is white: the same variance everywhere.

Where input and noise are both white and the layer is linear, every formula here is the same: with the singular values
s of the layer, alpha = 1 / (mean(s^2) mean(1 / s^2)), which is 1 where they are equal and less otherwise.
"""

import math
from typing import TypeVar

from torch import Tensor

Value = TypeVar("Value", float, Tensor)


def toy_batch_norm(rho: Value) -> Value:
    """Eq. 19c: two channels with gamma = (1, rho), beta = 0, input of mean 0 and variance 1."""
    return 4 / ((1 + 1 / rho**2) * (1 + rho**2))


def leaky_relu(slope: Value) -> Value:
    """Eq. 28c: input of mean 0, symmetric, noise far below the output signal. The same for `slope` and 1 / `slope`.

    Eq. 24 divides by n where the text multiplies; here and in the engine y = slope x for x <= 0.
    """
    return 4 / ((1 + 1 / slope**2) * (1 + slope**2))


def batch_norm(mean: Tensor, variance: Tensor, scale: Tensor, shift: Tensor, eps: float = 0.0) -> float:
    """Eq. 22c, corrected, for any batch norm y = w (x - mean) / sqrt(var + eps) + beta; all (C,).

    alpha = [sum(mean^2 + var) / sum(w^2 var / (var + eps) + beta^2)] * C / sum((var + eps) / w^2).

    Eqs. 21c to 21f are upside down in the draft: the restored input is off by sqrt(var + eps) / w times the output's
    noise, so the last factor is C over a sum and not C times the sum of inverses. Eqs. 14, 21 and 23 write one symbol
    for mean, variance and deviation. `scale` is w: gamma, or |gamma + eps_i| with eq. 23 (`bounded_scale`).
    """
    signal_in = (mean**2 + variance).sum()
    signal_out = (scale**2 * variance / (variance + eps) + shift**2).sum()
    noise_gain = ((variance + eps) / scale**2).mean()
    return float(signal_in / signal_out / noise_gain)


def bounded_scale(gamma: Tensor, eps_i: float) -> Tensor:
    """The scale |gamma + eps_i| of eq. 23, which keeps the inverse from dividing by a gamma near 0."""
    return (gamma + eps_i).abs()


def linear(singular_values: Tensor) -> float:
    """alpha of any linear layer for white input and white noise: harmonic over arithmetic mean of the squares."""
    squares = singular_values**2
    return float(1 / (squares.mean() * (1 / squares).mean()))


def coupling(gain: float) -> float:
    """An additive coupling of two random linear maps of `gain` (variance gain^2 / fan-in), far from any border.

    With A = [[1, F], [G, 1 + G F]], mean(s^2) = |A|^2 / n = 1 + gain^2 + gain^4 / 2 in expectation, and the inverse
    [[1 + F G, -F], [-G, 1]] has the same: alpha = 1 / (1 + gain^2 + gain^4 / 2)^2. The paper (4.1.3) calls this
    negligible: at gain 1/4 it is 0.5 dB a layer, at gain 1 it is 8 dB, as much as a leaky ReLU of slope 0.2.
    """
    return 1 / (1 + gain**2 + gain**4 / 2) ** 2


def decibel(ratio: float) -> float:
    """A ratio of powers in dB."""
    return 10 * math.log10(ratio)
