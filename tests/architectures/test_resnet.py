"""ResNet-18: its size, its agreement with torchvision's blocks, and what it stores for the backward pass."""

import pytest
import torch
from torch import nn

from bench.architectures import build
from bench.architectures.budget import parameters_of
from bench.architectures.resnet import BasicBlock, Pointwise
from bench.architectures.torchvision_import import import_torchvision


def torchvision_resnet18() -> nn.Module:
    """torchvision's ResNet-18 with the stem for small images."""
    resnet = import_torchvision().models.resnet
    model = resnet.ResNet(resnet.BasicBlock, [2, 2, 2, 2], num_classes=10)
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


def test_the_paper_size_has_exactly_11173962_parameters():
    with torch.device("meta"):
        assert parameters_of(build("resnet18", initial_channels=64, classes=10)) == 11_173_962


@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_statistics_equal_torchvisions_given_the_same_weights(training):
    torch.manual_seed(0)
    theirs = torchvision_resnet18().double().train(training)
    ours = build("resnet18", initial_channels=64).double().train(training)
    same_order = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
    ours.load_state_dict({name: value.clone() for (name, _), (_, value) in same_order})
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    outputs = [model(images) for model in (ours, theirs)]
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    for output in outputs:
        output.square().sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-9)
    for one, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_default_widths_double_from_stage_to_stage():
    model = build("resnet18", initial_channels=4, depths=(1, 2, 1))
    assert [block.conv2.out_channels for block in model.blocks] == [4, 8, 8, 16]
    assert [block.conv1.stride[0] for block in model.blocks] == [1, 2, 1, 2]


def test_a_block_stores_the_inputs_of_its_parameterised_layers_and_nothing_else():
    """Eq. 6: conv1, norm1, conv2 and norm2 each store an input of 2 x 4 x 8 x 8, and the last ReLU its output."""
    block = BasicBlock(4, 4)
    x = torch.randn(2, 4, 8, 8, requires_grad=True)
    stored = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 4 and tensor.shape[-1] == 8:
            stored[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = block(x)
    assert x.untyped_storage().data_ptr() in stored
    assert y.untyped_storage().data_ptr() in stored
    assert len(stored) == 5


def test_a_block_leaves_its_input_as_it_is():
    x = torch.randn(2, 4, 8, 8)
    kept = x.clone()
    BasicBlock(4, 4)(x)
    assert torch.equal(x, kept)


def test_a_shortcut_is_a_strided_pointwise_convolution():
    """Values and gradients, in the memory format and at the odd channels where oneDNN's own kernel overran."""
    torch.manual_seed(0)
    pointwise = Pointwise(3, 6, stride=2).double()
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64).to(memory_format=torch.channels_last)
    leaves = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    one = pointwise(leaves[0])
    other = torch.nn.functional.conv2d(leaves[1], pointwise.weight, stride=2)
    assert torch.equal(one, other)
    for output, leaf in ((one, leaves[0]), (other, leaves[1])):
        output.square().sum().backward()
        assert leaf.grad.abs().sum() > 0
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)
