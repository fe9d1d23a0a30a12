"""In-place activated batch norm: the plain network's gradients, one map a block less, nothing overwritten."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bench.architectures import build
from bench.architectures.resnet import ResNet18
from bench.memory.cost_model import pixel_cost
from bench.memory.peak import bytes_per_pixel, measure_peak
from bench.reversible import ReversibleSequential

SHAPE = {"initial_channels": 4, "depths": (2, 1, 1)}
SLOPE, GAMMA_EPS = 0.01, 0.1


def plain_like(model: nn.Module) -> nn.Module:
    """An ordinary ResNet-18 with leaky ReLU and torch's batch norms, of the same weights."""
    plain = ResNet18(**SHAPE).double()
    for block in plain.blocks:
        block.inner_activation = block.activation = nn.LeakyReLU(SLOPE)
    plain.stem[2] = nn.LeakyReLU(SLOPE)
    state = {plain_name(key): value.clone() for key, value in model.state_dict().items()}
    for key in {plain_name(key) for key, _ in model.named_parameters() if inverted(key) and key.endswith("weight")}:
        state[key] += GAMMA_EPS  # eq. 23's scale
    plain.load_state_dict(state, strict=False)
    return plain


def inverted(key: str) -> bool:
    return key.startswith("stem.1.0.") or ".norm1.0." in key


def plain_name(key: str) -> str:
    return key.replace("norm1.0.", "norm1.").replace("stem.1.0.", "stem.1.")


def gradients(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    cross_entropy(model(images), torch.arange(len(images)) % 10).backward()
    return {plain_name(key): parameter.grad for key, parameter in model.named_parameters()}


@pytest.mark.parametrize("reconstruction", ["ideal", "noisy"])
def test_gradients_and_statistics_equal_the_plain_networks(reconstruction):
    torch.manual_seed(0)
    model = build("inplace-abn", reconstruction, **SHAPE).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    plain, images = plain_like(model), torch.randn(6, 3, 16, 16, dtype=torch.float64)
    expected, found = gradients(plain, images), gradients(model, images)
    assert set(expected) == set(found)
    for key, value in expected.items():
        assert (found[key] - value).norm() <= 1e-9 * value.norm(), key
    own = {plain_name(key): value for key, value in model.state_dict().items()}
    for key, value in plain.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(own[key], value)


def test_the_kept_output_is_the_tensor_that_the_next_convolution_stores_and_is_not_overwritten():
    torch.manual_seed(0)
    model = build("inplace-abn", "noisy", **SHAPE)
    block, held = model.blocks[0], []
    block.conv2.register_forward_hook(lambda module, inputs, output: held.append(inputs[0]))
    images = torch.randn(4, 3, 16, 16)
    loss = cross_entropy(model(images), torch.arange(4))
    kept = held[0].grad_fn.saved_tensors[0]
    assert kept.untyped_storage().data_ptr() == held[0].untyped_storage().data_ptr()
    before = held[0].detach().clone()
    del kept
    loss.backward()
    assert torch.equal(held[0], before)


def test_a_graph_can_be_pulled_back_twice():
    torch.manual_seed(0)
    model = build("inplace-abn", "noisy", **SHAPE)
    loss = cross_entropy(model(torch.randn(4, 3, 16, 16)), torch.arange(4))
    parameters = list(model.parameters())
    first = torch.autograd.grad(loss, parameters, retain_graph=True)
    second = torch.autograd.grad(loss, parameters)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_theory_by_hand():
    """One map less a block and at the stem: the inputs of the batch norms before an activation."""
    stored = pixel_cost("resnet18", initial_channels=8, depths=(2, 2))
    inverted = pixel_cost("inplace-abn", reconstruction="noisy", initial_channels=8, depths=(2, 2))
    full, half = 4 * 8, 4 * 16 / 4
    assert stored.state - inverted.state == 3 * full + 2 * half
    assert pixel_cost("inplace-abn", reconstruction="ideal", initial_channels=8, depths=(2, 2)).total == stored.total


@pytest.mark.parametrize("reconstruction", ["ideal", "noisy"])
def test_measured_slope_agrees_with_theory(reconstruction):
    torch.manual_seed(0)
    model = build("inplace-abn", reconstruction, initial_channels=8, depths=(2, 2, 2))
    measured = bytes_per_pixel([measure_peak(model, batch_size, image_size=32) for batch_size in (4, 8)])
    cost = pixel_cost(model)
    assert measured == pytest.approx(cost.total + cost.image, rel=0.1)


def test_only_the_engines_layers_are_inverted():
    model = build("inplace-abn", "noisy", **SHAPE)
    containers = [module for module in model.modules() if isinstance(module, ReversibleSequential)]
    assert len(containers) == 1 + len(model.blocks)
