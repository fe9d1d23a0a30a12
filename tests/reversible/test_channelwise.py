"""Sums and scalings by channel against plain float64 arithmetic, over shapes and memory formats."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.reversible.channelwise import add_scaled, channel_sum, scale_and_shift, tile, weighted_sums

SHAPES = {
    "seed": st.integers(0, 2**31),
    "shape": st.tuples(*(st.integers(1, 7) for _ in range(4))),
    "formats": st.tuples(st.booleans(), st.booleans()),
}


@settings(max_examples=60, deadline=None)
@given(**SHAPES)
def test_sums_and_scalings_equal_plain_arithmetic(seed, shape, formats):
    torch.manual_seed(seed)
    x, g = (
        torch.randn(shape, dtype=torch.float64).to(
            memory_format=torch.channels_last if last else torch.contiguous_format
        )
        for last in formats
    )
    mean, factor = torch.randn(2, shape[1], dtype=torch.float64)
    wide_mean, wide_factor = mean.view(1, -1, 1, 1), factor.view(1, -1, 1, 1)
    plain, weighted = weighted_sums(g, x, mean, factor)
    torch.testing.assert_close(channel_sum(x), x.sum((0, 2, 3)))
    torch.testing.assert_close(plain, g.sum((0, 2, 3)))
    torch.testing.assert_close(weighted, (g * (x - wide_mean) * wide_factor).sum((0, 2, 3)))
    expected = x * wide_factor + wide_mean
    scaled = x.clone(memory_format=torch.preserve_format)
    scale_and_shift(scaled, factor, mean)
    torch.testing.assert_close(scaled, expected)
    expected = x + g * wide_factor
    add_scaled(x, g, factor)
    torch.testing.assert_close(x, expected)


@pytest.mark.parametrize("last", [False, True])
def test_the_variance_of_a_large_batch_keeps_its_digits(last):
    torch.manual_seed(0)
    x = 3 + 2 * torch.randn(256, 8, 32, 32)
    x = x.to(memory_format=torch.channels_last if last else torch.contiguous_format)
    mean = x.mean((0, 2, 3))
    _, squares = weighted_sums(x, x, mean, torch.ones(8))
    exact = (x.double() * (x.double() - mean.double().view(1, -1, 1, 1))).sum((0, 2, 3))
    # Over channels of channels-last memory as they are, the error is 1e-4.
    assert float(((squares - exact) / exact).abs().max()) < 2e-6


def test_a_tile_is_a_view():
    x = torch.zeros(2, 4, 8, 8).to(memory_format=torch.channels_last)
    tile(x).x.add_(1)
    assert tile(x).repeat > 1
    assert torch.equal(x, torch.ones_like(x))
