"""Exact reconstruction: every bit of every reconstructed activation, gradient and training step is the stored one."""

import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from bench.reversible import (
    BatchPooling,
    ChannelPooling,
    GlobalPooling,
    InvertibleBatchNorm2d,
    InvertibleConv2d,
    InvertibleLeakyReLU,
    ReversibleBlock,
    ReversibleSequential,
    exact,
)
from bench.reversible import grid as grid_module
from bench.reversible.checksum import InexactReconstruction, checksum, finite
from bench.reversible.determinism import require_determinism
from bench.reversible.grid import Grid
from tests.reversible.networks import all_gradients, hybrid_block, images, ordinary_block, relative_error


def network(blocks, channels=4, block=ordinary_block, grid_bits=None, pooling=None):
    """Stem, batch norm and leaky ReLU, `blocks` blocks with a pooling in their middle, head."""
    layers = [nn.Conv2d(3, channels, 3, padding=1), InvertibleBatchNorm2d(channels), InvertibleLeakyReLU(0.5, True)]
    wide = channels * 4 if pooling is ChannelPooling else channels
    layers += [block(channels) for _ in range(blocks - blocks // 2)]
    layers += [pooling()] if pooling else []
    layers += [block(wide) for _ in range(blocks // 2)]
    layers += [GlobalPooling("mean", 4 if pooling is BatchPooling else 1), nn.Linear(wide, 5)]
    return ReversibleSequential(*layers, reconstruction="exact", grid_bits=grid_bits)


def train(model, steps, batch, side, seed=0, rate=0.05):
    """Losses of a short training; a fresh batch each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    for step in range(steps):
        x, labels = images(seed + step, batch, 3, side, side, dtype=torch.float32), torch.arange(batch) % 5
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture
def every_bit(monkeypatch):
    """The whole state in the place of its checksum, so that the engine's own comparison is of every bit."""
    compared = []

    def bits(state):
        compared.append(len(state))
        return torch.cat([part.flatten().view(torch.int32).long() for part in state])

    for place in (exact, grid_module):
        monkeypatch.setattr(place, "checksum", bits)
    return compared


BLOCKS = {"ordinary": ordinary_block, "hybrid": hybrid_block}


@pytest.mark.parametrize("block", BLOCKS)
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(1, 5),
    channels=st.sampled_from([4, 8, 12]),
    side=st.sampled_from([2, 4, 6]),
    grid_bits=st.sampled_from([None, 4, 12, 18]),
    pooling=st.sampled_from([None, ChannelPooling, BatchPooling]),
    channels_last=st.booleans(),
)
def test_every_activation_is_restored_bit_for_bit(
    block, seed, batch, channels, side, grid_bits, pooling, channels_last
):
    with pytest.MonkeyPatch.context() as patch:
        for place in (exact, grid_module):
            patch.setattr(place, "checksum", lambda state: torch.cat([p.flatten().view(torch.int32) for p in state]))
        torch.manual_seed(seed)
        model = network(4, channels, BLOCKS[block], grid_bits, pooling)
        if side == 2 and pooling:
            batch = max(batch, 2)  # batch norm in training refuses one value a channel
        if channels_last:
            model = model.to(memory_format=torch.channels_last)
        train(model, 2, batch, side, seed)
    assert model.grid.overflows == 0


@pytest.mark.parametrize("blocks", [8, 32, 128])
def test_any_depth_is_exact_before_and_during_training(blocks, every_bit):
    torch.manual_seed(blocks)
    model = network(blocks)
    train(model, 2, batch=4, side=4)
    assert len(every_bit) == 2 * 2 * blocks  # in the forward pass and after the reconstruction, two steps
    assert model.grid.overflows == 0


@pytest.mark.parametrize("batch", [1, 2, 7, 64, 512])
def test_any_batch_is_exact(batch, every_bit):
    torch.manual_seed(batch)
    train(network(4), 2, batch, side=4)
    assert every_bit


@pytest.mark.parametrize("block", BLOCKS)
def test_training_with_reconstruction_is_training_with_storage_bit_for_bit(block):
    torch.manual_seed(3)
    model = network(4, 8, BLOCKS[block], pooling=ChannelPooling)
    twin = copy.deepcopy(model)
    twin.store = True
    assert train(model, 5, 8, 4) == train(twin, 5, 8, 4)
    for ours, stored in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, stored)


def test_a_hundred_blocks_train_along_the_same_curve_bit_for_bit():
    torch.manual_seed(0)
    model = network(100)
    twin = copy.deepcopy(model)
    twin.store = True
    noisy = copy.deepcopy(model)
    noisy.reconstruction = "noisy"
    curve = train(model, 3, 8, 4, rate=0.02)
    assert curve == train(twin, 3, 8, 4, rate=0.02)
    assert curve != train(noisy, 3, 8, 4, rate=0.02)
    assert torch.equal(all_gradients(model), all_gradients(twin))


@pytest.mark.parametrize("pooling", [None, ChannelPooling, BatchPooling])
def test_gradients_are_those_of_plain_autograd_bit_for_bit(pooling):
    """Stored by PyTorch's autograd: the same blocks, with the rounding's gradient straight through."""
    torch.manual_seed(1)
    wide = 32 if pooling is ChannelPooling else 8
    layers = [nn.Conv2d(3, 8, 3, padding=1), ordinary_block(8), ordinary_block(8), ordinary_block(wide)]
    if pooling:
        layers.insert(2, pooling()) if pooling is BatchPooling else layers.insert(3, pooling())
    model = ReversibleSequential(*layers, reconstruction="exact", grid_bits=14)
    plain = copy.deepcopy(model)
    x = images(0, 4, 3, 8, 8, dtype=torch.float32)
    weights = images(1, *model(x).shape, dtype=torch.float32)
    model = copy.deepcopy(plain)
    (model(x) * weights).sum().backward()
    (stored_by_autograd(plain, x) * weights).sum().backward()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)


def stored_by_autograd(model, x):
    """The same layers on the same grid, with nothing of the engine's but each layer's `differentiable`."""
    first, *rest = model
    grid = Grid(14)
    state = list(grid.straight_through(first(x)).chunk(2, dim=1))
    for layer in rest:
        if isinstance(layer, ReversibleBlock):
            layer.addition = grid
        state = layer.differentiable([part.contiguous() for part in state])
    return torch.cat(state, dim=1)


def test_gradients_in_float64_agree_with_autograd():
    torch.manual_seed(2)
    model = network(4, 8, grid_bits=40, pooling=ChannelPooling).double()
    ideal = copy.deepcopy(model)
    ideal.reconstruction = "ideal"
    x = images(5, 4, 3, 8, 8)
    for each in (model, ideal):
        each(x).square().sum().backward()
    assert relative_error(all_gradients(model), all_gradients(ideal)) < 1e-8  # the grid's step is 1e-12


def test_values_beyond_the_range_are_counted_and_only_rounded():
    torch.manual_seed(0)
    model, ideal = network(8, grid_bits=23), network(8)  # range 2
    ideal.load_state_dict(model.state_dict(), strict=False)
    ideal.reconstruction = "ideal"
    x = images(0, 8, 3, 4, 4, dtype=torch.float32)
    for each in (model, ideal):
        each(x).square().sum().backward()
    assert model.grid.overflows > 0
    assert relative_error(all_gradients(model), all_gradients(ideal)) < 1e-3


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), bits=st.integers(2, 20), scale=st.floats(1e-3, 0.9), double=st.booleans())
def test_addition_on_the_grid_loses_nothing(seed, bits, scale, double):
    dtype, digits = (torch.float64, 53) if double else (torch.float32, 24)
    grid, limit = Grid(bits), 2.0 ** (digits - bits)
    x, term = (images(seed + i, 2, 3, 4, 5, dtype=dtype).clamp_(-4, 4) * limit * scale / 8 for i in (0, 1))
    state = [x.clone()]
    grid.enter(state)
    before = state[0].clone()
    assert torch.equal(before * 2**bits, (before * 2**bits).round()) and (before - x).abs().max() <= 2.0**-bits / 2
    grid.add(state, [term])
    assert torch.equal(state[0], grid.differentiable([before], [term])[0])
    grid.subtract(state, [term])
    assert torch.equal(state[0], before) and grid.overflows == 0


def test_the_grid_is_chosen_with_head_room_at_the_first_batch_and_then_stays():
    grid = Grid()
    grid.enter([torch.tensor([0.0, -5.0]), torch.tensor([1.0])])
    assert grid.bits == 24 - 3 - 6  # 5 < 2^3, and six bits more
    grid.enter([torch.tensor([1e6])])
    assert grid.bits == 15 and grid.overflows == 1
    for small in (0.0, 0.01):  # what branches add is of order 1, whatever the stem gives
        grid = Grid()
        grid.enter([torch.tensor([small])])
        assert grid.bits == 18
    with pytest.raises(RuntimeError, match="there was none yet"):
        Grid().limit(torch.zeros(1))
    with pytest.raises(ValueError, match=r"not torch\.bfloat16"):
        Grid(3).enter([torch.zeros(1, dtype=torch.bfloat16)])


@pytest.mark.parametrize("bits", [2000, -127, 14.5, "15"])
def test_a_step_that_is_no_number_is_told(bits):
    with pytest.raises(ValueError, match=f"grid_bits is {bits!r}, .* a whole number from -126 to 126"):
        network(1, grid_bits=bits)


def test_overflows_are_counted_from_the_end_of_the_range_and_over_all_batches():
    grid = Grid(23)  # range 2
    for count in (1, 2):
        grid.enter([torch.tensor([2.0, -1.0])])
        assert grid.overflows == count


@pytest.mark.parametrize("differing", [0, 1])
def test_a_difference_is_kept_whatever_the_batches_before_and_after_it(differing):
    grid, true = Grid(10), [torch.zeros(3)]
    grid.deferred = True
    for batch in range(3):
        grid.compare("a layer", [true[0] + (batch == differing)], checksum(true), 0)
    with pytest.raises(InexactReconstruction, match="input of a layer"):
        grid.check()


def test_the_grid_goes_with_the_weights():
    model = network(2)
    model(images(0, 2, 3, 4, 4, dtype=torch.float32))
    other = network(2)
    other.load_state_dict(model.state_dict())
    assert other.grid.bits == model.grid.bits is not None
    noisy = ReversibleSequential(ordinary_block(4))
    assert "grid_bits" not in noisy.state_dict()


def test_a_copy_made_before_the_first_batch_has_the_same_keys():
    """Averages of weights are often made by going through two state dicts side by side."""
    model = network(2)
    average, start = copy.deepcopy(model), copy.deepcopy(model.state_dict())
    model(images(0, 2, 3, 4, 4, dtype=torch.float32))
    assert list(average.state_dict()) == list(model.state_dict())
    average.load_state_dict(model.state_dict())
    assert average.grid.bits == model.grid.bits is not None
    average.load_state_dict(start)
    assert average.grid.bits is None


def test_a_branch_that_computes_otherwise_the_second_time_ends_in_an_error_that_names_the_layer():
    class Unsteady(nn.Conv2d):
        calls = itertools.count()

        def forward(self, x):
            return super().forward(x) + 0.01 * next(self.calls)

    block = ReversibleBlock(Unsteady(2, 2, 1), nn.Conv2d(2, 2, 1))
    model = ReversibleSequential(ordinary_block(4), block, ordinary_block(4), reconstruction="exact")
    output = model(images(0, 2, 4, 4, 4, dtype=torch.float32))
    with pytest.raises(InexactReconstruction, match=r"reconstructed input of layer 1 \(ReversibleBlock\)"):
        output.sum().backward()
    model.grid.deferred = True
    model(images(0, 2, 4, 4, 4, dtype=torch.float32)).sum().backward()
    with pytest.raises(InexactReconstruction, match=r"reconstructed input of layer 1 \(ReversibleBlock\)"):
        model.grid.check()


@pytest.mark.parametrize("pooling", [[], [ChannelPooling()], [BatchPooling()]])
def test_parts_of_one_channel_keep_channels_last(pooling):
    """Dropout draws its mask in the order of memory, which such a part has in either format."""
    half = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Dropout(0.4))
    model = ReversibleSequential(hybrid_block(4), ReversibleBlock(half, half), *pooling, reconstruction="exact")
    twin = copy.deepcopy(model)
    twin.store = True
    x, found = images(0, 3, 4, 8, 8, dtype=torch.float32).contiguous(memory_format=torch.channels_last), []
    for each in (model, twin):
        torch.manual_seed(3)
        found.append(torch.autograd.grad(each(x).square().sum(), list(each.parameters())))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_states_that_are_not_finite_are_left_to_the_loss():
    model = network(2)
    model(torch.full((2, 3, 4, 4), torch.inf)).sum().backward()
    assert not torch.isfinite(all_gradients(model)).all()


def test_a_checksum_sees_every_bit_of_its_sample_and_no_order():
    state = [torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)]
    sums = checksum(state)
    assert torch.equal(sums, checksum([part.clone() for part in state]))
    state[1][1, 3, 2, 2] *= -1
    assert torch.equal(checksum(state) == sums, torch.tensor([True, False]))
    assert finite(state)
    state[0][0, 0, 0, 0] = torch.nan
    assert not finite(state)


def test_batch_norm_after_blocks_starts_a_run_of_its_own():
    torch.manual_seed(0)
    layers = [ordinary_block(4), InvertibleBatchNorm2d(4), ordinary_block(4)]
    model = ReversibleSequential(*layers, reconstruction="exact")
    twin = copy.deepcopy(model)
    twin.store = True
    x = images(0, 2, 4, 4, 4, dtype=torch.float32)
    for each in (model, twin):
        each(x).square().sum().backward()
    assert torch.equal(all_gradients(model), all_gradients(twin))


def test_the_inverse_by_hand_is_exact_too():
    torch.manual_seed(0)
    model = ReversibleSequential(ordinary_block(4), ordinary_block(4), reconstruction="exact", grid_bits=14)
    x = torch.round(images(0, 2, 4, 4, 4, dtype=torch.float32) * 2**14) / 2**14
    with torch.no_grad():
        assert torch.equal(model.eval().inverse(model(x)), x)


def test_what_cannot_be_exact_is_refused_at_once(monkeypatch):
    model = ReversibleSequential(InvertibleConv2d(4), reconstruction="exact")
    with pytest.raises(ValueError, match="InvertibleConv2d has no exact reconstruction"):
        model(torch.zeros(1, 4, 2, 2))
    with pytest.raises(RuntimeError, match="not on 'mps'"):
        require_determinism(torch.device("mps"))
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    with pytest.raises(RuntimeError, match=r"deterministic = True .* they are False and True"):
        require_determinism(torch.device("cuda"))
