"""Single layers, noise put on their output by hand: theory against measurement (figures 6 and 7, and beyond).

Everything is computed in float64, so that the noise of standard deviation 1e-5 is the only one: in float32 the rounding
of an output of 1000 would be larger. Each function returns rows, one a point, for a CSV.
"""

import math
from typing import Any

import torch
from torch import Generator, Tensor

from bench.numerics import sign_flips, theory
from bench.numerics.coupling import singular_values
from bench.reversible import InvertibleBatchNorm2d, InvertibleConv2d, InvertibleLayer, InvertibleLeakyReLU

NOISE = 1e-5  # standard deviation, as in the captions of figures 6 and 7
VALUES, SIDE = 262_144, 32  # of an input, and of an image: a measured power is within 1 % of the expected one
Row = dict[str, Any]


def measured_alpha(layer: InvertibleLayer, x: Tensor, noise: float, generator: Generator) -> tuple[float, float]:
    """(alpha, noise power over signal power at the output) for input `x` (N, C, H, W) and white noise of `noise`."""
    with torch.no_grad():
        y = layer(x)
        error_out = noise * torch.randn(y.shape, generator=generator, dtype=y.dtype)
        error_in = layer.inverse(y + error_out) - x
    powers = [float(value.square().sum()) for value in (x, error_in, y, error_out)]
    return powers[0] / powers[1] * powers[3] / powers[2], powers[3] / powers[2]


def compared(measured: float, expected: float) -> Row:
    """The columns that every row ends with."""
    return {
        "alpha_theory": expected,
        "alpha_measured": measured,
        "alpha_theory_db": theory.decibel(expected),
        "alpha_measured_db": theory.decibel(measured),
        "relative_error": measured / expected - 1,
    }


def toy_batch_norm(seed: int, points: int) -> list[Row]:
    """Figure 6, left: gamma = (1, rho), standard normal input, against eq. 19c."""
    generator, rows = Generator().manual_seed(seed), []
    for rho in torch.logspace(-2, 2, points, dtype=torch.float64).tolist():
        layer = _batch_norm(torch.tensor([1.0, rho]), torch.zeros(2))
        alpha, _ = measured_alpha(layer, _normal(generator, 2), NOISE, generator)
        rows.append({"rho": rho, **compared(alpha, theory.toy_batch_norm(rho))})
    return rows


def any_batch_norm(seed: int, points: int, layers: int = 3, channels: int = 8) -> list[Row]:
    """Figure 6, right: random layers and random input means and deviations, against the corrected eq. 22c.

    gamma is log-uniform between 1 and rho, beta and the means are normal, the deviations log-uniform in [0.3, 3].
    """
    generator, rows = Generator().manual_seed(seed), []
    for rho in torch.logspace(-2, 2, points, dtype=torch.float64).tolist():
        for number in range(1, layers + 1):
            gamma = rho ** torch.rand(channels, generator=generator, dtype=torch.float64)
            beta, mean = torch.randn(2, channels, generator=generator, dtype=torch.float64)
            deviation = 0.3 * 10 ** torch.rand(channels, generator=generator, dtype=torch.float64)
            layer = _batch_norm(gamma, 0.5 * beta)
            x = _normal(generator, channels) * deviation.view(-1, 1, 1) + mean.view(-1, 1, 1)
            alpha, _ = measured_alpha(layer, x, NOISE, generator)
            expected = theory.batch_norm(mean, deviation**2, layer.scale().detach(), 0.5 * beta, layer.eps)
            rows.append({"rho": rho, "layer": number, **compared(alpha, expected)})
    return rows


def leaky_relu(seed: int, points: int) -> list[Row]:
    """Figure 7: slopes from 1e-3 to 1e3, standard normal input, against eq. 28c."""
    generator, rows = Generator().manual_seed(seed), []
    for slope in torch.logspace(-3, 3, points, dtype=torch.float64).tolist():
        alpha, ratio = measured_alpha(InvertibleLeakyReLU(slope), _normal(generator, 2), NOISE, generator)
        row = {"slope": slope, "noise_to_signal_db": theory.decibel(ratio)}
        rows.append(row | compared(alpha, theory.leaky_relu(slope)))
    return rows


def noise_near_signal(seed: int, points: int, slopes: tuple[float, ...] = (0.02, 0.2, 0.5)) -> list[Row]:
    """What the paper leaves open: noise up to and beyond the signal, against eq. 28c and against `sign_flips`."""
    generator, rows = Generator().manual_seed(seed), []
    for slope in slopes:
        power = (1 + slope**2) / 2
        for level in torch.linspace(-60, 20, points, dtype=torch.float64).tolist():
            noise = math.sqrt(power * 10 ** (level / 10))
            alpha, _ = measured_alpha(InvertibleLeakyReLU(slope), _normal(generator, 2), noise, generator)
            flips = sign_flips.leaky_relu(slope, noise)
            row = {"layer": "leaky ReLU", "parameter": slope, "noise_to_signal_db": level}
            row |= {"alpha_with_flips": flips, "alpha_with_flips_db": theory.decibel(flips)}
            row["flips_relative_error"] = alpha / flips - 1
            rows.append(row | compared(alpha, theory.leaky_relu(slope)))
    return rows + _batch_norm_near_signal(generator, points)


def _batch_norm_near_signal(generator: Generator, points: int, rho: float = 0.1) -> list[Row]:
    """The same for the toy batch norm, which is linear: its formula knows no limit."""
    rows, expected = [], theory.toy_batch_norm(rho)
    for level in torch.linspace(-60, 20, points, dtype=torch.float64).tolist():
        noise = math.sqrt((1 + rho**2) / 2 * 10 ** (level / 10))
        layer = _batch_norm(torch.tensor([1.0, rho]), torch.zeros(2))
        alpha, _ = measured_alpha(layer, _normal(generator, 2), noise, generator)
        row = {"layer": "batch norm", "parameter": rho, "noise_to_signal_db": level}
        row |= {"alpha_with_flips": expected, "alpha_with_flips_db": theory.decibel(expected)}
        row["flips_relative_error"] = alpha / expected - 1
        rows.append(row | compared(alpha, expected))
    return rows


def coupling_convolution(seed: int, gains: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0)) -> list[Row]:
    """The invertible convolution on 8 channels of 8x8: singular values, the closed form, and measurement."""
    generator, rows = Generator().manual_seed(seed), []
    for gain in gains:
        torch.manual_seed(seed)
        layer = InvertibleConv2d(8, gain=gain).double()
        values = singular_values(layer, side=8)
        x = torch.randn(256, 8, 8, 8, generator=generator, dtype=torch.float64)
        alpha, _ = measured_alpha(layer, x, NOISE, generator)
        row = {"gain": gain, "largest_singular_value": float(values[0]), "smallest_singular_value": float(values[-1])}
        row["closed_form_db"] = theory.decibel(theory.coupling(gain))
        rows.append(row | compared(alpha, theory.linear(values)))
    return rows


def _batch_norm(gamma: Tensor, beta: Tensor) -> InvertibleBatchNorm2d:
    """A batch norm of these parameters; eps is 0 so that a deviation is one."""
    layer = InvertibleBatchNorm2d(len(gamma), eps=0.0).double()
    with torch.no_grad():
        layer.weight.copy_(gamma)
        layer.bias.copy_(beta)
    return layer


def _normal(generator: Generator, channels: int) -> Tensor:
    images = VALUES // (channels * SIDE**2)
    return torch.randn(images, channels, SIDE, SIDE, generator=generator, dtype=torch.float64)
