"""What F and G keep to so that calling them again gives what they gave before, and what is said where they do not."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, weight_norm
from torch.utils.checkpoint import checkpoint

from bench.architectures import build
from bench.reversible import (
    GlobalPooling,
    Int16Stem,
    InvertibleBatchNorm2d,
    InvertibleChain,
    InvertibleConv2d,
    InvertibleLayer,
    InvertibleLeakyReLU,
    RenormalisedBatchNorm2d,
    ReversibleBlock,
    ReversibleSequential,
    StreamedUnits,
)
from tests.gpu import needs_gpu
from tests.reversible.networks import images, relative_error, unit

SHAPE = (3, 4, 6, 6)
TOLERANCE = {"noisy": 1e-9, "exact": 1e-5}  # of gradients, against stored activations; exact ones are beside the grid


def convolution() -> nn.Conv2d:
    return nn.Conv2d(2, 2, 3, padding=1)


def network(*branches: nn.Module, reconstruction: str = "noisy") -> ReversibleSequential:
    blocks = [ReversibleBlock(module, convolution()) for module in branches]
    return ReversibleSequential(*blocks, reconstruction=reconstruction).double()


def gradients(net: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(net.parameters())))


def assert_same_gradients(net: nn.Module, loss, tolerance: float = 1e-9) -> None:
    """Those of `loss(net)` are those of the network with stored activations."""
    twin = copy.deepcopy(net)
    twin.reconstruction = "ideal"
    for found, expected in zip(gradients(net, loss(net)), gradients(twin, loss(twin)), strict=True):
        assert relative_error(found, expected) < tolerance


def repeated(*layers: nn.Module) -> nn.Sequential:
    """The same layers twice, after each other."""
    return nn.Sequential(*layers, *layers)


@pytest.mark.parametrize("reconstruction", ["noisy", "exact"])
@pytest.mark.parametrize(
    "layers",
    [
        lambda: [convolution(), nn.Tanh()],
        lambda: [convolution(), nn.BatchNorm2d(2), nn.Dropout(0.5)],
        lambda: [parametrizations.weight_norm(convolution()), nn.Tanh()],
    ],
)
def test_layers_that_are_used_twice_are_trained_step_after_step(layers, reconstruction):
    torch.manual_seed(0)
    net = network(repeated(*layers()), reconstruction=reconstruction)
    twin = copy.deepcopy(net)
    twin.reconstruction, buffers = "ideal", [id(buffer) for buffer in net.buffers()]
    for each in (net, twin):
        optimizer = torch.optim.SGD(each.parameters(), lr=0.1)
        for step in range(3):
            torch.manual_seed(step)  # of dropout
            optimizer.zero_grad()
            each(images(step, *SHAPE)).square().mean().backward()
            optimizer.step()
    assert all(isinstance(parameter, nn.Parameter) for parameter in net.parameters())
    assert [id(buffer) for buffer in net.buffers()] == buffers
    weights = net.state_dict()
    for name, expected in twin.state_dict().items():
        assert relative_error(weights[name], expected) < TOLERANCE[reconstruction], name


class Reading(nn.Module):
    """A convolution times what `read` gives."""

    def __init__(self, read) -> None:
        super().__init__()
        self.convolution, self.read = convolution(), read
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x) * self.read(self, x)


def test_a_tensor_from_elsewhere_would_lose_its_gradient():
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    net = network(Reading(lambda module, x: scale))
    with pytest.raises(RuntimeError, match=r"a tensor of shape \(\) that requires a gradient and is neither"):
        net(images(0, *SHAPE)).sum().backward()
    embedding = nn.Linear(1, 1).double()
    net = network(Reading(lambda module, x: embedding(torch.ones(1, 1, dtype=torch.float64))))
    with pytest.raises(RuntimeError, match=r"of shape \(1.*\) that requires a gradient"):
        net(images(0, *SHAPE)).sum().backward()
    scale.requires_grad_(False)
    net = network(Reading(lambda module, x: scale))
    net(images(0, *SHAPE)).sum().backward()
    scale.requires_grad_(True)  # later, where the first step had none
    with pytest.raises(RuntimeError, match="is neither"):
        net(images(0, *SHAPE)).sum().backward()
    scale.requires_grad_(False)
    assert_same_gradients(network(Reading(lambda module, x: scale)), lambda net: net(images(0, *SHAPE)).square().sum())


def test_a_buffer_that_a_call_changes_is_no_longer_what_it_read():
    net = network(Reading(lambda module, x: 1 + module.mean.lerp_(x.detach().mean(), 0.5)))
    with pytest.raises(RuntimeError, match="Buffer 'mean' of F or G of a reversible block has changed"):
        net(images(0, *SHAPE))
    with pytest.raises(RuntimeError, match=r"Buffer 'parametrizations\.weight\.0\._u' of F or G"):
        network(parametrizations.spectral_norm(convolution()))(images(0, *SHAPE))


def test_a_buffer_that_a_call_replaces_is_the_old_one_again():
    def read(module, x):
        mean = module.mean
        module.mean = (mean + x.detach().mean()) / 2
        return 1 + mean

    assert_same_gradients(network(Reading(read)), lambda net: net(images(0, *SHAPE)).square().sum())


def test_a_parameter_that_a_call_changes_would_be_changed_twice():
    def read(module, x):
        with torch.no_grad():
            module.average.lerp_(x.detach().mean(), 0.5)
        return 1 + module.average

    reading = Reading(read)
    reading.average = nn.Parameter(torch.zeros(()), requires_grad=False)
    with pytest.raises(RuntimeError, match="has changed a parameter of its own in place"):
        network(reading)(images(0, *SHAPE))


class Renormalising(nn.BatchNorm2d):
    """Subtracts the mean of all batches, this one included, and is otherwise no batch norm."""

    def __init__(self, in_place: bool) -> None:
        super().__init__(2, affine=False)
        self.in_place = in_place

    def forward(self, x: Tensor) -> Tensor:
        mean = x.detach().mean((0, 2, 3))
        if self.in_place:
            self.running_mean.lerp_(mean, 0.5)
        else:
            self.running_mean = self.running_mean.lerp(mean, 0.5)
        return torch.tanh(3 * (x - self.running_mean.clone()[:, None, None]))


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("reconstruction", ["noisy", "exact"])
def test_a_normalisation_that_reads_its_statistics_in_training_reads_the_old_ones_again(reconstruction, in_place):
    def half():
        return nn.Sequential(convolution(), Renormalising(in_place))

    net = network(half(), half(), reconstruction=reconstruction)
    assert_same_gradients(net, lambda net: net(images(0, *SHAPE)).square().sum(), TOLERANCE[reconstruction])


def test_reversible_networks_inside_f_keep_to_it_too():
    inner = network(nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.BatchNorm2d(2), nn.Tanh()))
    outer = ReversibleSequential(ReversibleBlock(inner, nn.Conv2d(4, 4, 1))).double()
    for training in (True, False):
        assert_same_gradients(outer.train(training), lambda net: net(images(0, 3, 8, 6, 6)).square().sum())


def test_stored_activations_inside_an_exact_network_would_be_other_bits():
    inner = network(convolution(), reconstruction="ideal")
    net = ReversibleSequential(ReversibleBlock(inner, nn.Conv2d(4, 4, 1)), reconstruction="exact").double()
    x = images(0, 3, 8, 6, 6)
    with pytest.raises(ValueError, match="inside an exact network computes other bits"):
        net(x)
    inner.reconstruction = "noisy"
    net(x).square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_statistics_that_were_read_must_not_change_before_the_backward_pass():
    net = network(nn.Sequential(convolution(), nn.BatchNorm2d(2))).eval()
    loss = net(images(0, *SHAPE)).sum()
    net.train()(images(1, *SHAPE))
    with pytest.raises(RuntimeError, match="has changed since F was called"):
        loss.backward()


@pytest.mark.parametrize("reconstruction", ["noisy", "exact"])
def test_whether_it_was_training_is_remembered(reconstruction):
    half = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.Dropout(0.5))
    net, x = network(half, reconstruction=reconstruction), images(0, *SHAPE)

    def loss(net):
        torch.manual_seed(0)
        trained = net.train()(x).square().sum()
        return trained + net.eval()(x).square().sum()

    assert_same_gradients(net, loss, TOLERANCE[reconstruction])
    net.train()
    net(x).sum().backward()
    assert net[0].f[1].training  # as it was left


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_what_is_drawn_on_the_cpu_is_drawn_again(device):
    """As stochastic depth does, which asks for a number in Python, on a GPU too."""
    net = network(*[Reading(lambda module, x: 1.0 if torch.rand(()) < 0.5 else 2.0) for _ in range(8)]).to(device)
    x = images(0, *SHAPE).to(device)

    def loss(net):
        torch.manual_seed(0)
        return net(x).square().sum()

    assert_same_gradients(net, loss)


def test_its_input_stays_as_it_is():
    in_place = nn.Sequential(nn.ReLU(inplace=True), convolution())
    x = images(0, *SHAPE)
    for layer in (InvertibleConv2d(2), InvertibleBatchNorm2d(2)):  # computed in slices, and as a whole
        chain = InvertibleChain(InvertibleLeakyReLU(0.5, inplace=True), layer)
        with pytest.raises(RuntimeError, match="has changed its input in place"):
            network(chain, reconstruction="ideal")(x)  # otherwise layers of a chain have a copy
    for reconstruction in ("noisy", "exact", "ideal"):
        net = network(copy.deepcopy(in_place), reconstruction=reconstruction)
        with pytest.raises(RuntimeError, match="has changed its input in place"):
            net(x)


@pytest.mark.parametrize("batch", [1, 3])
def test_it_keeps_the_shape_the_batch_included(batch):
    net = network(Reading(lambda module, x: torch.ones(SHAPE[0] + batch, 1, 1, 1, dtype=torch.float64)[:1]))
    net(images(0, *SHAPE))
    net[0].f = FirstImage()
    if batch == 1:
        net(images(0, 1, *SHAPE[1:]))
    else:
        with pytest.raises(ValueError, match=r"it returned \(1, 2, 6, 6\) for \(3, 2, 6, 6\)"):
            net(images(0, *SHAPE))


class FirstImage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:1] * 2


def test_it_is_a_module():
    with pytest.raises(TypeError, match="must be modules, not a function"):
        ReversibleBlock(lambda x: x, convolution())


def test_another_f_takes_the_place_of_the_first():
    net = network(convolution())
    x = images(0, *SHAPE)
    before = net(x)
    net[0].f = convolution().double()
    assert not torch.equal(net(x), before)
    assert_same_gradients(net, lambda net: net(x).square().sum())


@pytest.mark.parametrize("reconstruction", ["noisy", "exact", "ideal"])
def test_another_layer_takes_the_place_of_one_in_a_chain(reconstruction):
    chain = InvertibleChain(InvertibleConv2d(2, gain=0.5), InvertibleBatchNorm2d(2), InvertibleLeakyReLU(0.5))
    net, x = network(chain, reconstruction=reconstruction), images(0, *SHAPE)
    before = net(x)
    net[0].f.layers[0] = InvertibleConv2d(2, gain=0.5).double()
    again = network(InvertibleChain(*net[0].f.layers), reconstruction=reconstruction)
    again[0].g = net[0].g
    assert not torch.equal(net(x), before) and torch.equal(net(x), again(x))
    net(x).square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize(
    "change",
    [
        lambda units: units.__setitem__(2, nn.SiLU()),
        lambda units: units.__setitem__(0, convolution()),
        lambda units: units.__setitem__(0, nn.Conv2d(2, 2, 3, padding=1, bias=False, padding_mode="circular")),
        lambda units: units.__setitem__(0, nn.Conv2d(2, 2, 3, padding=2, bias=False, dilation=2)),
        lambda units: units.__setitem__(1, nn.SyncBatchNorm(2)),
        lambda units: units.__setitem__(1, nn.BatchNorm2d(2, affine=False)),
        lambda units: units.__setitem__(1, nn.BatchNorm2d(2, momentum=None)),
        lambda units: prune.l1_unstructured(units[0], "weight", 0.5),
        lambda units: parametrizations.weight_norm(units[0]),
        lambda units: units.append(nn.Identity()),
    ],
)
def test_streamed_units_are_what_the_engine_computes_or_refused(change):
    net = network(StreamedUnits(2))
    net(images(0, *SHAPE))
    change(net[0].f)
    with pytest.raises(TypeError, match="StreamedUnits are convolution"):
        net.double()(images(0, *SHAPE))


def test_streamed_units_with_a_forward_pass_of_their_own_are_called():
    class Halved(StreamedUnits):
        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * super().forward(x)

    net, x = network(Halved(2)), images(0, *SHAPE)
    assert_same_gradients(net, lambda net: net(x).square().sum())


def test_a_batch_norm_whose_scale_is_computed_trains_what_it_is_computed_from():
    class Absolute(nn.Module):
        def forward(self, gamma: Tensor) -> Tensor:
            return (gamma - 0.3).abs()

    net = network(StreamedUnits(2, units=2), StreamedUnits(2))
    for block in net:
        parametrize.register_parametrization(block.f[1], "weight", Absolute())
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = images(0, *SHAPE)
    assert_same_gradients(net, lambda net: net(x).square().sum())
    net[1].f[1].parametrizations.weight.original.requires_grad_(False)
    loss = net(x).square().sum()
    loss.backward()
    assert net[0].f[1].parametrizations.weight.original.grad is not None
    assert net[1].f[1].parametrizations.weight.original.grad is None


def test_an_invertible_layer_whose_weight_is_computed_is_refused():
    layer = InvertibleConv2d(4)
    parametrize.register_parametrization(layer, "f", nn.Identity())
    with pytest.raises(TypeError, match="computes a parameter from others"):
        ReversibleSequential(layer)(images(0, *SHAPE).float())


def halved(module: nn.Module, name: str = "weight") -> None:
    prune.random_unstructured(module, name, 0.5)


def computed(module: nn.Module, name: str = "weight") -> None:
    parametrize.register_parametrization(module, name, nn.Identity())


@pytest.mark.parametrize("reconstruction", ["noisy", "exact"])
@pytest.mark.parametrize("late", [False, True])
def test_so_it_is_wherever_the_engine_computes_with_it(reconstruction, late):
    def network_of(change):
        chain = InvertibleChain(InvertibleConv2d(2, gain=0.5), InvertibleBatchNorm2d(2), InvertibleLeakyReLU(0.5))
        net = ReversibleSequential(ReversibleBlock(chain, convolution()), reconstruction=reconstruction)
        if late:
            net(images(0, *SHAPE).float())
        change(net[0].f.layers)
        return net

    for change in (computed, halved, weight_norm):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own weight_norm has a successor
            changed = network_of(lambda layers, change=change: change(layers[0], "f"))
        with pytest.raises(TypeError, match="computes a parameter from others"):
            changed(images(0, *SHAPE).float())
    renormalised = RenormalisedBatchNorm2d(4)
    computed(renormalised.norm)
    stem = Int16Stem(nn.Conv2d(3, 4, 3, padding=1, bias=False), InvertibleBatchNorm2d(4))
    halved(stem.convolution)
    for layer in (renormalised, stem):
        with pytest.raises(TypeError, match="computes a parameter from others"):
            ReversibleSequential(layer)(images(0, *SHAPE).float())


def test_a_layer_of_ones_own_may_call_what_computes_its_weight():
    class Coupling(InvertibleLayer):
        """(a, b) -> (a, b + net(a)), whose gradient is autograd's."""

        parts = 2

        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def differentiable(self, state):
            return [state[0], state[1] + self.net(state[0])]

        def trace(self, state):
            self.replay(state, None)

        def replay(self, state, memo):
            state[1] += self.net(state[0])

        def undo(self, state, memo):
            state[1] -= self.net(state[0])

        def retrace(self, state, grad, memo, wanted):
            with torch.enable_grad():
                x = state[0].detach().requires_grad_()
                parameters = [each for each in self.net.parameters() if wanted(each)]
                y = self.net(x)
            found, *gradients = torch.autograd.grad(y, [x, *parameters], grad[1])
            state[1] -= y.detach()
            grad[0] += found
            return dict(zip(parameters, gradients, strict=True))

    net = ReversibleSequential(Coupling(parametrizations.weight_norm(convolution())), Coupling(convolution())).double()
    assert_same_gradients(net, lambda net: net(images(0, *SHAPE)).square().sum())


def test_weights_that_were_kept_without_a_gradient_are_told():
    net, x = network(parametrizations.weight_norm(convolution())), images(0, *SHAPE)
    with parametrize.cached():
        loss = net(x).square().sum()
        with pytest.raises(RuntimeError, match=r"kept by torch\.nn\.utils\.parametrize\.cached"):
            loss.backward()
    with parametrize.cached():
        loss = net(x).square().sum()
    found = gradients(net, loss)
    for one, other in zip(found, gradients(net, net(x).square().sum()), strict=True):
        assert relative_error(one, other) < 1e-12


def test_a_pooling_with_a_parameter_is_an_ordinary_module():
    class Generalised(GlobalPooling):
        def __init__(self):
            super().__init__("mean")
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return super().forward(x) * self.scale

    net = ReversibleSequential(*trunk(), Generalised()).double()
    assert_same_gradients(net, lambda net: net(images(0, *SHAPE)).square().sum())


def test_a_stem_whose_bias_would_get_no_gradient_is_refused():
    norm = InvertibleBatchNorm2d(8)
    for other in (nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3, bias=False, padding=1, padding_mode="reflect")):
        with pytest.raises(ValueError, match="Int16Stem needs a convolution without bias"):
            Int16Stem(other, norm)


def int16(*layers: nn.Module, reconstruction: str = "exact") -> ReversibleSequential:
    stem = Int16Stem(nn.Conv2d(3, 4, 3, padding=1, bias=False), InvertibleBatchNorm2d(4))
    return ReversibleSequential(stem, *layers, reconstruction=reconstruction)


def test_with_stored_activations_a_16_bit_network_is_the_one_in_float32():
    x = torch.randn(4, 3, 8, 8)
    torch.manual_seed(0)
    wide = build("streamed", "ideal", initial_channels=8)
    torch.manual_seed(0)
    narrow = build("streamed", "ideal", initial_channels=8, state="int16")
    assert torch.equal(wide(x), narrow(x))
    for one, other in zip(gradients(wide, wide(x).sum()), gradients(narrow, narrow(x).sum()), strict=True):
        assert torch.equal(one, other)
    with torch.no_grad():
        assert torch.allclose(wide.eval()(x), narrow.eval()(x), atol=1e-6)


def test_what_16_bits_need():
    x, block = torch.randn(2, 3, 6, 6), ReversibleBlock(StreamedUnits(2), StreamedUnits(2))
    for net in (int16(block, GlobalPooling("mean"), reconstruction="noisy"), int16(block)):
        with pytest.raises(ValueError, match=r"needs reconstruction='exact', not '(noisy|exact)', and a GlobalPooling"):
            net(x)
    with pytest.raises(TypeError, match="must be StreamedUnits, which read it slice by slice, not Conv2d"):
        int16(ReversibleBlock(convolution(), convolution()), GlobalPooling("mean"))(x)


def trunk() -> ReversibleSequential:
    chain = InvertibleChain(InvertibleConv2d(2, gain=0.5), InvertibleBatchNorm2d(2), InvertibleLeakyReLU(0.5))
    blocks = [
        ReversibleBlock(f, convolution()) for f in (chain, StreamedUnits(2), nn.Sequential(convolution(), nn.Tanh()))
    ]
    return ReversibleSequential(*unit(4), *blocks).double()


def test_other_parameters_may_be_put_in_for_a_call():
    net, x = trunk(), images(0, *SHAPE)
    values = {name: (p + 0.1 * torch.randn_like(p)).detach().requires_grad_() for name, p in net.named_parameters()}
    twin = copy.deepcopy(net)
    twin.reconstruction = "ideal"
    found, expected = (
        torch.autograd.grad(torch.func.functional_call(each, values, (x,)).square().sum(), list(values.values()))
        for each in (net, twin)
    )
    for one, other in zip(found, expected, strict=True):
        assert relative_error(one, other) < 1e-9
    assert all(mine is not values[name] for name, mine in net.named_parameters())  # its own are back in place


def test_a_weight_that_was_changed_is_told_while_the_graph_is_kept():
    net = trunk()
    y = net(images(0, *SHAPE))
    y.sum().backward(retain_graph=True)
    with torch.no_grad():
        net[0].f.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.square().sum().backward(retain_graph=True)


@pytest.mark.parametrize("readout", [[], [GlobalPooling("mean")]])
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_chain_may_be_checkpointed(readout, reentrant):
    net, x = ReversibleSequential(*trunk(), *readout).double(), images(0, *SHAPE).requires_grad_()
    expected = gradients(net, net.eval()(x).square().sum())
    checkpoint(net, x, use_reentrant=reentrant).square().sum().backward()
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        assert relative_error(parameter.grad, gradient) < 1e-9


def test_stored_inputs_last_for_a_second_backward_pass():
    net = network(convolution(), convolution(), reconstruction="exact")
    net.store = True
    loss = net(images(0, *SHAPE)).square().sum()
    first = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(net.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_the_backward_pass_computes_in_the_types_of_the_forward_pass():
    net, x = trunk().float(), images(0, *SHAPE).float()
    expected = gradients(net, net.eval()(x).square().sum())
    loss = net(x).square().sum()
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(net, loss)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_reconstruction_is_one_of_three_whenever_it_is_set():
    net = trunk()
    with pytest.raises(ValueError, match="reconstruction 'Ideal' is not known"):
        net.reconstruction = "Ideal"
    assert net.reconstruction == "noisy"


def test_some_layers_are_a_network_of_the_same_kind():
    net = network(convolution(), convolution(), convolution(), reconstruction="exact")
    part = net[:2]
    assert isinstance(part, ReversibleSequential) and len(part) == 2 and part[0] is net[0]
    assert part.reconstruction == "exact" and part.grid is net.grid
    assert net[0] is next(iter(net))


def test_data_parallel_is_refused(monkeypatch):
    net = trunk()
    monkeypatch.setattr(net, "_is_replica", True, raising=False)
    with pytest.raises(RuntimeError, match=r"use nn\.parallel\.DistributedDataParallel"):
        net(images(0, *SHAPE))
