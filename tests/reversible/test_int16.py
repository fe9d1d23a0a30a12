"""A 16-bit state: nothing is lost however far sums wrap around, and training is that of the stored twin."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bench.architectures import build
from bench.errors import InputError
from bench.memory.cost_model import pixel_cost
from bench.memory.peak import bytes_per_pixel, measure_peak
from bench.reversible.int16 import Int16Grid
from tests.reversible.networks import all_gradients, images, relative_error


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), bits=st.integers(0, 14), scale=st.floats(0.1, 1e4))
def test_addition_modulo_a_power_of_two_is_undone_even_where_it_wraps(seed, bits, scale):
    grid = Int16Grid(bits)
    state = [grid.stored(images(seed, 2, 3, 4, 5, dtype=torch.float32))]
    before = state[0].clone()
    term = [images(seed + 1, 2, 3, 4, 5, dtype=torch.float32) * scale]
    grid.add(state, term)
    wrapped = (before.double() + (term[0].double() * 2**bits).round()).abs() > 2**15
    assert grid.overflows >= int(wrapped.sum())
    grid.subtract(state, term)
    assert torch.equal(state[0], before)


@pytest.mark.parametrize("value", [8e6, -8e6, 1e9, -1e9, 1e30, float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("held", [-(2**15), 0, 2**15 - 1])
def test_what_the_whole_numbers_of_the_computation_cannot_hold_is_counted_and_undone(value, held):
    grid, term = Int16Grid(8), [torch.full((2, 3, 4, 5), value)]
    state = [torch.full((2, 3, 4, 5), held, dtype=torch.int16)]
    grid.add(state, term)
    assert grid.overflows == 120
    grid.subtract(state, term)
    assert (state[0] == held).all()
    grid.stored(term[0])
    assert grid.overflows == 240


def test_an_image_may_lie_in_memory_as_it_likes():
    sixteen, twin, _ = networks()
    grey, wide = images(0, 4, 1, 8, 8, dtype=torch.float32), images(1, 4, 3, 8, 16, dtype=torch.float32)
    for model, image in ((sixteen, grey.expand(-1, 3, -1, -1)), (twin, wide[..., ::2])):
        expected = torch.autograd.grad(model(image.clone()).square().sum(), list(model.parameters()))
        found = torch.autograd.grad(model(image).square().sum(), list(model.parameters()))
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_stem_that_computes_no_numbers_is_counted():
    sixteen, _, _ = networks()
    with torch.no_grad():
        sixteen[0].convolution.weight[0, 0, 0, 0] = torch.nan
    assert sixteen.grid.overflows == 0
    assert sixteen(images(0, 8, 3, 8, 8, dtype=torch.float32)).isfinite().all()  # nothing else tells
    assert sixteen.grid.overflows >= 8 * 8 * 8


def networks(depths=(2, 2), **options):
    """The 16-bit network, its stored twin, and the float32 network of the same weights."""
    torch.manual_seed(0)
    sixteen = build("streamed-int16", "exact", initial_channels=8, depths=depths, **options)
    twin = copy.deepcopy(sixteen)
    twin.store = True
    single = build("streamed", "ideal", initial_channels=8, depths=depths, **options)
    weights = [value for name, value in sixteen.state_dict().items() if name != "grid_bits"]
    single.load_state_dict(dict(zip(single.state_dict(), weights, strict=True)))
    return sixteen, twin, single


def train(model, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images(step, 8, 3, 8, 8, dtype=torch.float32)), torch.arange(8))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("pooling", ["channel", "batch"])
def test_training_is_that_of_the_stored_twin_bit_for_bit(pooling):
    sixteen, twin, _ = networks(pooling=(pooling,))
    assert train(sixteen, 5) == train(twin, 5)
    for ours, stored in zip(sixteen.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, stored)
    assert sixteen.grid.overflows == 0


def test_loss_and_gradients_are_near_those_of_float32():
    sixteen, _, single = networks(pooling=("batch",))
    x = images(0, 16, 3, 8, 8, dtype=torch.float32)
    losses = [functional.cross_entropy(model(x), torch.arange(16) % 10) for model in (sixteen, single)]
    for loss in losses:
        loss.backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=0.02)
    # The gradient is rounded to 8 binary digits (4e-3) once a block; ReLUs and maxima near a tie go the other way.
    assert relative_error(all_gradients(sixteen), all_gradients(single)) < 0.2


def test_evaluation_agrees_with_float32():
    sixteen, _, single = networks()
    train(sixteen, 2)
    trained = [value for name, value in sixteen.state_dict().items() if name != "grid_bits"]
    single.load_state_dict(dict(zip(single.state_dict(), trained, strict=True)))
    x = images(9, 4, 3, 8, 8, dtype=torch.float32)
    with torch.no_grad():
        assert relative_error(sixteen.eval()(x), single.eval()(x)) < 0.05


def test_it_holds_140_bytes_per_pixel_at_32_channels():
    model = build("streamed-int16", "exact", initial_channels=32, depths=(1,))
    theory = pixel_cost(model, image_size=32)
    assert theory.total == 128 and theory.image == 12
    measured = bytes_per_pixel([measure_peak(model, batch_size, image_size=32) for batch_size in (64, 96)])
    assert measured == pytest.approx(theory.total + theory.image, rel=0.05)


def test_what_16_bits_cannot_do_is_refused():
    with pytest.raises(InputError, match="goes with exact reconstruction"):
        build("streamed", "noisy", state="int16")
    with pytest.raises(InputError, match="and one unit"):
        build("streamed", "exact", state="int16", units=2)
    model = build("streamed", "exact", initial_channels=4, depths=(1,), state="int16")
    with pytest.raises(ValueError, match="no gradient of its input"):
        model(torch.zeros(2, 3, 4, 4, requires_grad=True))
