"""How far a layer-wise chain is exact: powers of two scale without loss, but every one below 1 costs a bit of range.

A unit is an additive coupling on the grid, batch normalisation whose mean is on the grid and whose scale is the nearest
power of two, and a leaky ReLU of slope 2^-s. Run as a script it prints the table of docs/exact.md.
"""

import pytest
import torch
from torch import Tensor

from bench.reversible import Grid
from tests.reversible.networks import images


def exact_layers(slope_bits: int, grid_bits: int, seed: int = 0, at_most: int = 24) -> int:
    """The largest number of units, up to `at_most`, whose inverses give back every bit of the input."""
    return next((n - 1 for n in range(1, at_most + 1) if not _is_exact(n, slope_bits, grid_bits, seed)), at_most)


def _is_exact(units: int, slope_bits: int, grid_bits: int, seed: int) -> bool:
    grid, generator = Grid(grid_bits), torch.Generator().manual_seed(seed)
    x = images(seed, 8, 16, 8, 8, dtype=torch.float32)
    grid.enter([x])
    y, undo = x.clone(), []
    for _ in range(units):
        kernels = torch.randn(2, 8, 8, 3, 3, generator=generator) * 0.5 / (8 * 9) ** 0.5
        y = _couple(y, kernels, grid, inverse=False)
        mean = grid.straight_through(y.mean((0, 2, 3), keepdim=True))
        scale = torch.exp2(torch.round(-torch.log2(y.std((0, 2, 3), keepdim=True))))
        y = (y - mean) * scale
        y = torch.where(y > 0, y, y * 2.0**-slope_bits)
        undo.append((kernels, mean, scale))
    for kernels, mean, scale in reversed(undo):
        y = torch.where(y > 0, y, y * 2.0**slope_bits)
        y = _couple(y / scale + mean, kernels, grid, inverse=True)
    return torch.equal(y, x)


def _couple(x: Tensor, kernels: Tensor, grid: Grid, inverse: bool) -> Tensor:
    """y1 = x1 + f * x2, y2 = x2 + g * y1 on the channel halves, or its inverse."""
    x1, x2 = (part.clone() for part in x.chunk(2, dim=1))
    steps = [(x1, x2, kernels[0]), (x2, x1, kernels[1])]
    for to, source, kernel in reversed(steps) if inverse else steps:
        change = grid.subtract if inverse else grid.add
        change([to], [torch.conv2d(source, kernel, padding=1)])
    return torch.cat([x1, x2], dim=1)


@pytest.mark.parametrize(("slope_bits", "grid_bits", "least"), [(1, 8, 12), (2, 8, 6), (3, 8, 4)])
def test_short_chains_are_exact_and_long_ones_are_not(slope_bits, grid_bits, least):
    found = exact_layers(slope_bits, grid_bits)
    assert least <= found < 24


def test_a_slope_nearer_to_one_and_a_coarser_grid_reach_further():
    assert exact_layers(0, 8) > exact_layers(2, 8) > exact_layers(3, 8)
    assert exact_layers(2, 6) > exact_layers(2, 14)


if __name__ == "__main__":
    for grid_bits in (4, 6, 8, 10, 12):
        row = [min(exact_layers(slope_bits, grid_bits, seed) for seed in range(5)) for slope_bits in (0, 1, 2, 3)]
        print(grid_bits, row)
