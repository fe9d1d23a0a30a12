"""The fused passes: Triton kernels against plain torch and autograd, on a GPU or in Triton's interpreter, and without.

On a CPU build of torch, Triton is what `make test` installs from envs/triton.txt.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.reversible import Grid, ReversibleSequential, channelwise, fused, observing
from bench.reversible.int16 import Int16Grid
from bench.reversible.moments import Moments
from tests.reversible.networks import LAYERS, all_gradients, images, randomise, relative_error, stored_twin, unit

ROOT = Path(__file__).parents[2]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TRITON = find_spec("triton") is not None and (DEVICE == "cuda" or os.environ.get("TRITON_INTERPRET") == "1")
needs_triton = pytest.mark.skipif(not TRITON, reason="needs Triton (envs/triton.txt), on a CPU in its interpreter")
FORMATS = torch.contiguous_format, torch.channels_last
# Two activations of one shape, each in a memory format of its own.
ACTIVATIONS = {
    "seed": st.integers(0, 2**31),
    "shape": st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)),
    "formats": st.tuples(st.sampled_from(FORMATS), st.sampled_from(FORMATS)),
}


@contextlib.contextmanager
def kernels(tile=2048, programs=1024):
    """The kernels on tensors of this machine, on tiles of so many values, summed up by so many programs; yields the
    names of those that were run.
    """
    from bench.reversible import launch

    run, names = launch._launch, []

    def noted(kernel, *arguments, **constants):
        names.append(kernel.fn.__name__)
        run(kernel, *arguments, **constants)

    with mock.patch.object(fused, "DEVICE_TYPES", {DEVICE}):
        fused.fused(torch.zeros(1, 1, 1, 1, device=DEVICE))  # tries the kernels, once
    with (
        mock.patch.object(fused, "DEVICE_TYPES", {DEVICE}),
        mock.patch.object(launch, "TILE", tile),
        mock.patch.object(launch, "PROGRAMS", programs),
        mock.patch.object(launch, "_launch", noted),
    ):
        yield names


@needs_triton
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
    formats=st.tuples(st.sampled_from(FORMATS), st.sampled_from(FORMATS)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    slope=st.sampled_from([1.0, 0.2, 1.5]),
    tile=st.sampled_from([32, 2048]),
    programs=st.sampled_from([1, 2, 1024]),
)
def test_kernels_equal_plain_passes(seed, shape, formats, dtype, slope, tile, programs):
    torch.manual_seed(seed)
    g, y = (torch.randn(shape, dtype=dtype, device=DEVICE).to(memory_format=layout) for layout in formats)
    a, b, c, d, e = torch.randn(5, shape[1], dtype=dtype, device=DEVICE)

    def passes():
        """Everything that is computed of y and g, which are left as they are."""
        moments = Moments()
        moments.add([y])
        scaled, grad, state = (x.clone(memory_format=torch.preserve_format) for x in (y, g, y))
        channelwise.scale_and_shift(scaled, a, b, slope)
        channelwise.pull_back(grad, state, a, b, c, (d, e), slope)
        sums = channelwise.weighted_sums(g, y, a, b, slope)
        return [*sums, scaled, grad, state, moments.mean, moments.squares]

    with kernels(tile, programs) as names:
        found = passes()
    assert len(names) == 4
    expected = passes()
    # Sums may cancel: what they are exact to is the size of their terms.
    terms = [g.abs().sum(), (g.abs().sum() * (y.abs().max() / slope + a.abs().max()) * b.abs().max())]
    for one, other, size in zip(found, expected, [*terms, *[10.0] * 5], strict=True):
        relative = 1e-12 if dtype == torch.float64 else 2e-6
        torch.testing.assert_close(one.double(), other.double(), rtol=relative, atol=float(size) * relative * 4)


@needs_triton
@settings(max_examples=12, deadline=None)
@given(
    **ACTIVATIONS,
    tile=st.sampled_from([16, 2048]),
)
def test_a_rectifiers_gradient_equals_autograds(seed, shape, formats, tile):
    from bench.reversible import launch

    torch.manual_seed(seed)
    g, x = (torch.randn(shape, dtype=torch.float64, device=DEVICE).to(memory_format=layout) for layout in formats)
    factor, shift, mean, scale, other = torch.randn(5, shape[1], dtype=torch.float64, device=DEVICE)
    wide = [value.view(-1, 1, 1) for value in (factor, shift, mean, scale, other)]
    y = (x * wide[0] + wide[1]).requires_grad_()
    (grad_y,) = torch.autograd.grad(y.relu(), y, g)
    out = torch.empty_like(x)
    with kernels(tile):
        launch.scale_and_shift(x, factor, shift, 0.0, out)
        torch.testing.assert_close(out, y.detach().relu())
        sums = launch.input_sums(g, x, mean, scale, (factor, shift), 0.0)
        launch.pull_back_input(g, x, scale, other, mean, (factor, shift), 0.0, out)
    torch.testing.assert_close(sums[0], grad_y.sum((0, 2, 3)))
    torch.testing.assert_close(sums[1], (grad_y * (x - wide[2]) * wide[3]).sum((0, 2, 3)))
    torch.testing.assert_close(out, grad_y * wide[3] + x * wide[4] + wide[2])


@needs_triton
@settings(max_examples=12, deadline=None)
@given(
    **ACTIVATIONS,
    narrow=st.sampled_from([torch.float16, torch.bfloat16]),
    slope=st.sampled_from([0.0, 0.2, 1.0]),
    programs=st.sampled_from([1, 1024]),
)
def test_narrow_activations_are_computed_with_in_float32(seed, shape, formats, narrow, slope, programs):
    """What convolutions give in 16 bits is read as it is: the same values as of its copy in float32."""
    from bench.reversible import launch

    torch.manual_seed(seed)
    g, c = (torch.randn(shape, device=DEVICE).to(narrow).to(memory_format=layout) for layout in formats)
    stream = torch.randn(shape, device=DEVICE)
    a, b, d, e, f = torch.randn(5, shape[1], device=DEVICE)

    def passes(g, c):
        moments, sum_, sum_activated = Moments(), stream.clone(), stream.to(memory_format=formats[1]).clone()
        moments.add([c])
        channelwise.add(sum_, g, times=-1.0)
        channelwise.add(sum_activated, channelwise.Activated(c, a, b, slope), times=-1.0)
        sums = launch.input_sums(g, c, d, e, (a, b), slope)
        pulled = torch.empty_like(c)
        launch.pull_back_input(g, c, d, e, f, (a, b), slope, out=pulled)
        value = channelwise.Activated(c, a, b, slope).value()
        return [moments.mean, moments.squares, sum_, sum_activated, *sums, value, pulled.float()]

    with kernels(tile=32, programs=programs) as names:
        found, expected = passes(g, c), passes(g.float(), c.float())
    assert {"moments", "add_activated", "gradient_sums", "pull_back", "scale_and_shift"} == set(names)
    # A GPU rounds what is written in 16 bits, Triton's interpreter cuts it off.
    torch.testing.assert_close(found.pop(), expected.pop(), rtol=2**-7, atol=0)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@needs_triton
@pytest.mark.parametrize("layout", FORMATS)
def test_a_term_in_16_bits_is_added_by_one_kernel(layout):
    from bench.reversible import launch

    to, term = (torch.randn(2, 3, 4, 4, device=DEVICE).to(memory_format=layout) for _ in range(2))
    expected = to - term.half().float()
    with kernels(), mock.patch.object(launch, "add", wraps=launch.add) as add:
        channelwise.add(to, term.half(), times=-1.0)
    assert add.call_count == 1 and torch.equal(to, expected)


@needs_triton
@settings(max_examples=40, deadline=None)
@given(
    **ACTIVATIONS,
    bits=st.integers(-2, 16),
    slope=st.sampled_from([0.0, 0.2, 1.0]),
    types=st.sampled_from(
        [
            (torch.float32, torch.float32),
            (torch.float32, torch.bfloat16),
            (torch.float64, torch.float64),
            (torch.int16, torch.float32),
            (torch.int16, torch.float16),
        ]
    ),
    spread=st.sampled_from([1.0, 2.0**12, 2.0**22]),
    activated=st.booleans(),
)
def test_addition_on_a_grid_is_one_kernel(seed, shape, formats, bits, slope, types, spread, activated):
    """It adds, takes away and counts what plain torch does, to the last bit, and beyond the grid's range too."""
    torch.manual_seed(seed)
    held, given = types
    grids = [Int16Grid(bits) if held == torch.int16 else Grid(bits) for _ in range(2)]
    x, c = (torch.randn(shape, dtype=torch.float64, device=DEVICE).to(memory_format=layout) for layout in formats)
    state = [Int16Grid(bits).stored(x.float())] if held == torch.int16 else [x.to(held)]
    if held != torch.int16:
        grids[0].enter(state)
    # With halves of a step among the values.
    c = (c * spread * 2.0**bits).round().div(2.0 ** (bits + 1)).clamp(-6e4, 6e4).to(given)
    # Of powers of 2: the products have the same bits whether or not they are rounded before they are added.
    wide = torch.float64 if held == torch.float64 else torch.float32
    factor, shift = (torch.randint(-1, 2, (shape[1],), device=DEVICE).to(wide).exp2() for _ in range(2))
    term = channelwise.Activated(c, factor, shift, slope) if activated else c
    expected, found = [state[0].clone()], [state[0].clone()]
    grids[0].add(expected, [term])
    with kernels() as names:
        grids[1].add(found, [term])
        assert names == ["add_multiples"]
        assert torch.equal(found[0], expected[0])
        grids[1].subtract(found, [term])
    assert int(grids[1].overflows) == int(grids[0].overflows)
    grids[0].subtract(expected, [term])
    assert torch.equal(found[0], expected[0])
    if held == torch.int16 or not int(grids[0].overflows):
        assert torch.equal(found[0], state[0])


@needs_triton
@pytest.mark.parametrize("activated", [False, True])
def test_what_whole_numbers_cannot_hold_is_counted_and_undone_by_the_kernel_as_well(activated):
    held = torch.tensor([-(2**15), 0, 2**15 - 1], dtype=torch.int16, device=DEVICE)
    values = torch.tensor([math.nan, math.inf, -math.inf, 8e6, -8e6, 1e9, -1e9, 1.0], device=DEVICE)
    state, c = held.reshape(1, 3, 1, 1).repeat(1, 1, 8, 1), values.reshape(1, 1, 8, 1).repeat(1, 3, 1, 1)
    ones = torch.ones(3, device=DEVICE)
    term = channelwise.Activated(c, ones, 0 * ones, 1.0) if activated else c
    plain, grid, expected, found = Int16Grid(8), Int16Grid(8), [state.clone()], [state.clone()]
    plain.add(expected, [c])
    with kernels() as names:
        grid.add(found, [term])
        assert names == ["add_multiples"] and torch.equal(found[0], expected[0])
        grid.subtract(found, [term])
    assert torch.equal(found[0], state)
    assert int(grid.overflows) == int(plain.overflows) == 3 * 7 + 1  # 2^15 - 1 and 256 steps more


def test_what_is_added_is_computed_before_where_no_kernel_can():
    c, to = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    factor, shift = torch.randn(2, 3)
    y = c * factor.view(-1, 1, 1) + shift.view(-1, 1, 1)
    for slope in (0.0, 0.2, 1.0):
        expected = to - torch.nn.functional.leaky_relu(y, slope)
        found = to.clone()
        channelwise.add(found, channelwise.Activated(c, factor, shift, slope), times=-1.0)
        torch.testing.assert_close(found, expected)


class Autocast(torch.nn.Module):
    """A network called under autocast, on any device."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        # Not bfloat16, to which Triton's interpreter does not round but cuts off.
        with torch.autocast(DEVICE, dtype=torch.float16):
            return self.network(x)


@needs_triton
@pytest.mark.parametrize("name", ["chain", "hybrid block", "streamed block", "sliced streamed block"])
@pytest.mark.parametrize("layout", FORMATS)
def test_layers_with_kernels_under_autocast_agree_with_plain_passes(name, layout):
    torch.manual_seed(0)
    network = randomise(ReversibleSequential(LAYERS[name](4)), 0).to(DEVICE, memory_format=layout)
    x = images(1, 3, 4, 6, 6, dtype=torch.float32).to(DEVICE, memory_format=layout)
    with kernels():
        found = gradients(Autocast(network), x)
    # Kernels write some values in 16 bits which plain passes do not: an error of the size that autocast makes.
    for one, plain, true in zip(found, gradients(Autocast(network), x), gradients(network, x), strict=True):
        assert relative_error(one, true) < 3 * relative_error(plain, true) + 1e-3


def gradients(network, x):
    """Output, gradient of x, and all parameters' gradients."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    output = network(x)
    (output * images(99, *output.shape, dtype=output.dtype).to(DEVICE)).sum().backward()
    return output.detach(), x.grad, all_gradients(network)


FIRST, LAST = FORMATS
CASES = [
    ("batch norm", FIRST, True),
    ("bounded batch norm", LAST, False),
    ("chain", LAST, True),
    ("hybrid block", FIRST, True),
    ("sliced hybrid block", LAST, True),
    ("sliced hybrid block", LAST, False),
    ("streamed block", FIRST, True),
    ("holding streamed block", LAST, False),
    ("sliced streamed block", LAST, True),
]


@needs_triton
@pytest.mark.parametrize(("name", "layout", "training"), CASES)
def test_layers_with_kernels_agree_with_autograd(name, layout, training):
    torch.manual_seed(0)
    network = randomise(ReversibleSequential(LAYERS[name](4)).double(), 0).to(DEVICE).train(training)
    twin, x = stored_twin(network), images(1, 2, 4, 4, 4).to(DEVICE, memory_format=layout)
    with kernels() as names:
        found = gradients(network, x)
    assert {"add_activated" if "streamed" in name else "scale_and_shift", "gradient_sums", "pull_back"} <= set(names)
    assert ("moments" in names) == training
    for one, other in zip(found, gradients(twin, x), strict=True):
        assert relative_error(one, other) < 1e-9
    for ours, theirs in zip(network.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


@needs_triton
def test_a_pair_takes_one_kernel_a_pass():
    network = ReversibleSequential(*unit(8)).to(DEVICE)
    x = images(0, 2, 8, 4, 4, dtype=torch.float32).to(DEVICE)
    with kernels() as names:
        gradients(network, x)
    # The convolution makes its state of two parts, each with kernels of its own.
    assert names == [name for name in ("moments", "scale_and_shift", "gradient_sums", "pull_back") for _ in range(2)]


class Counter:
    def __init__(self):
        self.works = []

    def starts(self, work):
        self.works.append((work.kind, type(work.layer).__name__, work.images))

    def ends(self, work):
        pass


@needs_triton
def test_an_observer_is_told_of_both_of_a_pair():
    def observed():
        torch.manual_seed(0)
        network, counter = randomise(ReversibleSequential(LAYERS["hybrid block"](4)).double(), 0), Counter()
        with observing(network.to(DEVICE), counter):
            return counter.works, gradients(network, images(1, 2, 4, 4, 4).to(DEVICE))

    with kernels():
        works, found = observed()
    expected_works, expected = observed()
    assert works == expected_works
    assert all(relative_error(one, other) < 1e-9 for one, other in zip(found, expected, strict=True))


@needs_triton
@pytest.mark.parametrize("name", ["hybrid block", "streamed block"])
def test_exact_reconstruction_with_kernels(name, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    network = ReversibleSequential(LAYERS[name](4), LAYERS[name](4), reconstruction="exact").to(DEVICE)
    with kernels(), mock.patch.object(Grid, "compare", autospec=True, side_effect=Grid.compare) as compare:
        gradients(network, images(1, 2, 4, 4, 4, dtype=torch.float32).to(DEVICE))
    assert compare.call_count == 2
    network.grid.check()


@needs_triton
@pytest.mark.parametrize("layout", FORMATS)
def test_sums_over_many_tiles_keep_their_digits(layout):
    torch.manual_seed(0)
    x = (3 + 2 * torch.randn(16, 4, 32, 32, device=DEVICE)).to(memory_format=layout)
    with kernels():
        moments = Moments()
        moments.add([x])
    mean = x.double().mean((0, 2, 3))
    squares = (x.double() - mean.view(-1, 1, 1)).square().sum((0, 2, 3))
    torch.testing.assert_close(moments.mean, mean, rtol=1e-8, atol=0)
    torch.testing.assert_close(moments.squares, squares, rtol=1e-7, atol=0)


@needs_triton
def test_plain_and_types_without_kernels():
    x = torch.zeros(1, 2, 3, 3, device=DEVICE)
    with kernels():
        assert fused.fused(x) is not None
        assert fused.fused(x.bfloat16(), x) is not None
        assert fused.fused(x, x.double()) is None
        assert fused.fused(x.bfloat16(), x.double()) is None
        assert fused.fused(x.to(torch.int16)) is None
        assert fused.fused(x[:, :, :, :2]) is None
        assert fused.fused(x[:0]) is None
        assert fused.description(torch.device(DEVICE)).startswith("Triton 3.")
        with fused.plain():
            assert fused.fused(x) is None
        assert fused.fused(x) is not None


@needs_triton
@pytest.mark.skipif(DEVICE == "cuda", reason="the kernels run on the GPU that is here")
def test_kernels_compile_for_a_gpu(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    command = [sys.executable, "-m", "tests.reversible.compile_kernels"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # A tile's 2048 values are 16 for each of 128 threads, which read and write four at a time, and none of them twice.
    reads = {name: each["ld.global.v4.b32"] for name, each in found.items()}
    writes = {name: each["st.global.v4.b32"] for name, each in found.items()}
    both = dict.fromkeys(("gradient_sums", "pull_back", "add_activated", "add_multiples", "add"), 8)
    assert reads == {"scale_and_shift": 4, "moments": 8, **both}  # the first tile's moments, and then the others'
    assert writes == {
        "gradient_sums": 0,
        "moments": 0,
        "pull_back": 8,
        **dict.fromkeys(("scale_and_shift", "add_activated", "add_multiples", "add"), 4),
    }
    assert all(each["machine_code_bytes"] for each in found.values())
    assert found["scale_and_shift"]["fma.rn.f32"] == 16


@pytest.fixture
def untried(monkeypatch):
    monkeypatch.setattr(fused, "_tried", {})


def test_a_cpu_never_has_them(untried):
    assert fused.fused(torch.zeros(1, 1, 1, 1)) is None
    assert fused.description(torch.device("cpu")) is None
    assert not fused._tried


def test_without_triton_it_is_plain_torch(untried, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setattr(fused, "DEVICE_TYPES", {"cpu"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fused.fused(torch.zeros(1, 1, 1, 1)) is None
    assert fused.description(torch.device("cpu")).startswith("plain torch (ModuleNotFoundError")


@needs_triton
@pytest.mark.parametrize("fault", ["raises", "is wrong"])
def test_a_triton_that_does_not_work_is_told_of_and_not_used(fault, untried, monkeypatch):
    from bench.reversible import launch

    def broken(*arguments, **constants):
        if fault == "raises":
            raise RuntimeError("no C compiler\nwas found")

    monkeypatch.setattr(launch, "_launch", broken)
    monkeypatch.setattr(fused, "DEVICE_TYPES", {DEVICE})
    with pytest.warns(UserWarning, match="Triton does not work on .*; plain torch is used instead"):
        assert fused.fused(torch.zeros(1, 1, 1, 1, device=DEVICE)) is None
    assert fused.description(torch.device(DEVICE)).startswith("plain torch (")
