"""The engine as an autograd citizen: it works with whatever works with an ordinary module."""

import copy

import pytest
import torch
from torch import nn

from bench.reversible import (
    GlobalPooling,
    InvertibleChain,
    ReversibleBlock,
    ReversibleSequential,
)
from tests.reversible.networks import (
    all_gradients,
    hybrid_block,
    images,
    ordinary_block,
    randomise,
    relative_error,
    stored_twin,
    unit,
    whole_network,
)


def test_autograd_grad_returns_what_backward_accumulates(network, x):
    parameters = list(network.parameters())
    grads = torch.autograd.grad(network(x).square().sum(), parameters)
    network(x).square().sum().backward()
    for parameter, grad in zip(parameters, grads, strict=True):
        assert torch.equal(parameter.grad, grad)


def test_autograd_grad_of_one_weight(network, x):
    weight = network[3].f
    (grad,) = torch.autograd.grad(network(x).square().sum(), weight)
    (expected,) = torch.autograd.grad(stored_twin(network)(x).square().sum(), weight, allow_unused=True) or (None,)
    assert expected is None  # the twin has its own weights: the gradient above really is of this network
    twin = stored_twin(network)
    (expected,) = torch.autograd.grad(twin(x).square().sum(), twin[3].f)
    assert relative_error(grad, expected) < 1e-9


def test_parameter_hooks_fire_once_and_change_the_gradient(network, x):
    calls = []

    def double(gradient):
        calls.append(gradient)
        return 2 * gradient

    weights = [network[3].f, network[6].f.layers[0].f, network[8].f[0].weight]
    handles = [weight.register_hook(double) for weight in weights]
    network(x).square().sum().backward()
    hooked = [weight.grad.clone() for weight in weights]
    for handle in handles:
        handle.remove()
    network.zero_grad()
    network(x).square().sum().backward()
    assert len(calls) == len(weights)
    for weight, gradient in zip(weights, hooked, strict=True):
        assert relative_error(gradient, 2 * weight.grad) < 1e-9


def test_hooks_on_input_and_module_see_the_gradients(network, x):
    seen = {}
    x.requires_grad_().register_hook(lambda gradient: seen.update(input=gradient.clone()))
    network.register_full_backward_hook(lambda module, into, out: seen.update(module=into[0].clone()))
    network(x).square().sum().backward()
    assert torch.equal(seen["input"], x.grad)
    assert torch.equal(seen["module"], x.grad)


def test_frozen_parameters_get_no_gradient_and_change_no_other(network, x):
    twin = stored_twin(network)
    for each in (network, twin):
        for name, parameter in each.named_parameters():
            parameter.requires_grad_("bias" not in name and not name.startswith("8."))
    network(x).square().sum().backward()
    twin(x).square().sum().backward()
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None) == (not ours.requires_grad)
        if ours.grad is not None:
            assert relative_error(ours.grad, theirs.grad) < 1e-8


def test_only_the_input_needs_a_gradient(network, x):
    twin = stored_twin(network)
    for each in (network, twin):
        each.requires_grad_(False)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    network(ours).square().sum().backward()
    twin(theirs).square().sum().backward()
    assert relative_error(ours.grad, theirs.grad) < 1e-9


def test_a_chain_whose_input_needs_no_gradient():
    torch.manual_seed(0)
    network = ReversibleSequential(*unit(4), hybrid_block(4)).double()
    twin = stored_twin(network)
    x = images(0, 3, 4, 4, 4)
    for each in (network, twin):
        each(x).pow(3).sum().backward()
    assert relative_error(all_gradients(network), all_gradients(twin)) < 1e-9


def test_without_gradients_nothing_is_recorded_and_the_output_is_the_same(network, x):
    network.eval()
    recorded = network(x)
    with torch.no_grad():
        unrecorded = network(x)
    assert recorded.requires_grad and not unrecorded.requires_grad
    assert torch.equal(recorded, unrecorded)


def test_twice_in_one_graph(network, x):
    twin = stored_twin(network)
    other = images(2, *x.shape)
    for each in (network, twin):
        (each(x) * each(other)).sum().backward()
    assert relative_error(all_gradients(network), all_gradients(twin)) < 1e-9
    for ours, theirs in zip(network.buffers(), twin.buffers(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_backward_twice_through_a_kept_graph(network, x):
    loss = network(x).square().sum()
    loss.backward(retain_graph=True)
    once = all_gradients(network).clone()
    network.zero_grad()
    loss.backward()
    assert torch.equal(all_gradients(network), once)


def test_backward_through_a_freed_graph_is_refused(network, x):
    loss = network(x).square().sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_weight_changed_between_forward_and_backward_is_refused(network, x):
    loss = network(x).square().sum()
    with torch.no_grad():
        network[3].f.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_second_derivative_is_refused(network, x):
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(network(x.requires_grad_()).square().sum(), x, create_graph=True)
    trunk = ReversibleSequential(hybrid_block(8)).double()  # whose output's gradient, below, depends on nothing
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(
            trunk(images(0, 2, 8, 4, 4).requires_grad_()).sum(), list(trunk.parameters()), create_graph=True
        )


def test_the_callers_tensors_are_left_alone():
    torch.manual_seed(0)
    network = randomise(ReversibleSequential(*unit(4), hybrid_block(4)).double(), 0)
    x = images(0, 3, 4, 4, 4).requires_grad_()
    y = network(x)
    grad_y = images(1, *y.shape)
    before = x.detach().clone(), y.detach().clone(), grad_y.clone()
    y.backward(grad_y)
    for tensor, copied in zip((x, y, grad_y), before, strict=True):
        assert torch.equal(tensor, copied)


def test_a_gradient_of_one_number_expanded():
    torch.manual_seed(0)
    network = randomise(ReversibleSequential(*unit(4)).double(), 0)
    twin = stored_twin(network)
    x = images(0, 3, 4, 4, 4)
    for each in (network, twin):
        each(x).sum().backward()  # sum's gradient has stride 0 everywhere
    assert torch.allclose(network[0].f.grad, twin[0].f.grad, atol=1e-12)


@pytest.mark.parametrize("block", [ordinary_block, hybrid_block])
def test_running_statistics_are_counted_once_a_step(block):
    torch.manual_seed(0)
    network = ReversibleSequential(*unit(4), block(4)).double()
    twin = copy.deepcopy(network)
    x = images(0, 3, 4, 4, 4)
    network(x).square().sum().backward()
    with torch.no_grad():
        twin(x)
    for ours, once in zip(network.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, once)
    counted = [buffer for name, buffer in network.named_buffers() if name.endswith("num_batches_tracked")]
    assert all(int(count) == 1 for count in counted)


def test_dropout_inside_a_block_draws_the_same_mask_again():
    torch.manual_seed(0)
    network = ReversibleSequential(ordinary_block(4, dropout=0.5)).double()
    twin = stored_twin(network)
    x = images(0, 3, 4, 4, 4)
    following = []
    for each in (network, twin):
        torch.manual_seed(7)
        each(x).square().sum().backward()
        following.append(torch.rand(3))
    assert relative_error(all_gradients(network), all_gradients(twin)) < 1e-9
    assert torch.equal(*following)  # the generator is where it would be without the recomputation


def test_a_relu_just_before_the_chain():
    torch.manual_seed(0)
    network = ReversibleSequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), *unit(4)).double()
    twin = stored_twin(network)
    x = images(0, 3, 3, 4, 4)
    for each in (network, twin):
        each(x).pow(3).sum().backward()
    assert relative_error(all_gradients(network), all_gradients(twin)) < 1e-9


def test_autocast_recomputes_in_the_same_types():
    torch.manual_seed(0)
    network = randomise(whole_network(), 0)
    twin = stored_twin(network)
    x = images(0, 8, 3, 8, 8, dtype=torch.float32)
    for each in (network, twin):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = each(x).float().square().sum()
        loss.backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in network.parameters())
    # bfloat16 has 8 bits: one rounding is 4e-3, and the two networks round at other places.
    assert relative_error(all_gradients(network), all_gradients(twin)) < 0.1


def test_two_runs_agree_bit_for_bit():
    def gradients():
        torch.manual_seed(0)
        network = whole_network()
        network(images(0, 8, 3, 8, 8, dtype=torch.float32)).square().sum().backward()
        return all_gradients(network)

    assert torch.equal(gradients(), gradients())


def test_one_image_in_evaluation_and_in_training(network):
    x = images(0, 1, 3, 8, 8)
    assert network(x).shape == (1, 5)
    network(x).square().sum().backward()
    assert network.eval()(x).shape == (1, 5)


def test_a_copied_network_is_its_own(network, x):
    network(x)
    twin = copy.deepcopy(network)
    twin(x).square().sum().backward()
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.grad is not None for parameter in twin.parameters())


def test_weights_saved_from_one_reconstruction_load_into_the_other(network, x):
    other = stored_twin(whole_network().double())
    other.load_state_dict(network.state_dict())
    assert relative_error(other.eval()(x), network.eval()(x)) < 1e-12


def test_the_reconstruction_can_be_switched_between_steps(network, x):
    for reconstruction in ("ideal", "noisy"):
        network.reconstruction = reconstruction
        network.zero_grad()
        network(x).square().sum().backward()
        assert torch.isfinite(all_gradients(network)).all()


def test_bad_uses_are_named():
    with pytest.raises(ValueError, match="'sharp' is not known; it is one of ideal, noisy, exact"):
        ReversibleSequential(reconstruction="sharp")
    with pytest.raises(TypeError, match="got a Conv2d"):
        InvertibleChain(nn.Conv2d(2, 2, 1))
    with pytest.raises(TypeError, match="got a Conv2d"):
        ReversibleSequential(nn.Conv2d(2, 2, 1)).inverse(torch.zeros(1, 2, 2, 2))
    with pytest.raises(ValueError, match="must keep the shape"):
        ReversibleSequential(ReversibleBlock(nn.Conv2d(2, 3, 1), nn.Conv2d(2, 2, 1)))(torch.zeros(1, 4, 2, 2))
    with pytest.raises(ValueError, match="'sum' was asked for"):
        GlobalPooling("sum")


def test_a_readout_alone_is_an_ordinary_module():
    network = ReversibleSequential(nn.Conv2d(3, 4, 1), GlobalPooling("max"))
    assert network(torch.zeros(2, 3, 4, 4)).shape == (2, 4)
