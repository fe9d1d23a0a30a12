"""The baselines are ResNet-18: same state, same parameters, same gradients; only what is stored differs."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from bench.architectures import ARCHITECTURES, build, names
from bench.architectures.baselines import UnchangedStatistics

SHAPE = {"initial_channels": 4, "depths": (2, 1, 1)}
# In-place ABN has tests of its own: its activation is another, and its batch norms have other names.
BASELINES = [name for name in names() if ARCHITECTURES[name].kind == "baseline" and name != "inplace-abn"]


def pair(name: str) -> tuple[torch.nn.Module, torch.nn.Module]:
    """ResNet-18 and the baseline, with the same weights."""
    torch.manual_seed(0)
    plain, baseline = build("resnet18", **SHAPE), build(name, **SHAPE)
    baseline.load_state_dict(plain.state_dict())
    return plain, baseline


def train(model: torch.nn.Module, steps: int = 2) -> None:
    """A few steps of SGD on random images, the same for every model."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        images = torch.randn(8, 3, 16, 16, generator=generator)
        labels = torch.randint(10, (8,), generator=generator)
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()


def stored_bytes(model: torch.nn.Module) -> int:
    """Bytes of the graph's stored activations after a forward pass: distinct storages, parameters left out."""
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    stored = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.dim() == 4:
            stored[storage.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(torch.randn(8, 3, 16, 16))
    assert output.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in stored.values())


@pytest.mark.parametrize("name", BASELINES)
def test_same_state_and_parameters_as_resnet18(name):
    plain, baseline = build("resnet18", **SHAPE), build(name, **SHAPE)
    shapes = [[(key, value.shape) for key, value in model.state_dict().items()] for model in (plain, baseline)]
    assert shapes[0] == shapes[1]
    assert [key for key, _ in plain.named_parameters()] == [key for key, _ in baseline.named_parameters()]


@pytest.mark.parametrize("name", ["checkpointing", "offloading"])
def test_training_equals_the_plain_networks_bit_for_bit(name):
    """Weights, gradients, running statistics and their counters: batch normalisation counts each batch once."""
    plain, baseline = pair(name)
    train(plain)
    train(baseline)
    for (key, one), other in zip(plain.state_dict().items(), baseline.state_dict().values(), strict=True):
        assert torch.equal(one, other), key
    for one, other in zip(plain.parameters(), baseline.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    assert baseline.blocks[0].norm1.num_batches_tracked == 2


def test_checkpointing_in_evaluation_mode_gives_the_plain_gradients():
    plain, baseline = pair("checkpointing")
    images = torch.randn(4, 3, 16, 16)
    for model in (plain, baseline):
        model.eval()(images).square().sum().backward()
    for one, other in zip(plain.parameters(), baseline.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_checkpointing_recomputes_a_kept_graph_again():
    _, baseline = pair("checkpointing")
    loss = baseline(torch.randn(4, 3, 16, 16)).square().sum()
    parameters = list(baseline.parameters())
    first = torch.autograd.grad(loss, parameters, retain_graph=True)
    second = torch.autograd.grad(loss, parameters)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert baseline.blocks[0].norm1.num_batches_tracked == 1


def test_checkpointing_stores_less():
    plain, baseline = pair("checkpointing")
    assert stored_bytes(baseline) < 0.6 * stored_bytes(plain)


def test_statistics_come_back_after_a_fault_in_the_recomputation():
    norm = build("checkpointing", **SHAPE).stem[1]
    buffers = dict(norm.named_buffers())
    with pytest.raises(RuntimeError, match="stop"), UnchangedStatistics(norm):
        norm(torch.randn(4, 4, 8, 8))
        raise RuntimeError("stop")
    assert all(getattr(norm, key) is buffer for key, buffer in buffers.items())
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_mean, torch.zeros(4))


def test_mixed_precision_computes_in_bfloat16_and_answers_in_float32():
    plain, baseline = pair("mixed-precision")
    seen = []
    baseline.blocks[0].conv1.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    images = torch.randn(8, 3, 16, 16)
    logits = baseline(images)
    assert seen == [torch.bfloat16]
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, plain(images))
    torch.testing.assert_close(logits, plain(images), rtol=0.1, atol=0.1)
    logits.sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in baseline.parameters())


def test_mixed_precision_stores_less():
    plain, baseline = pair("mixed-precision")
    assert stored_bytes(baseline) < 0.7 * stored_bytes(plain)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="host memory is apart from the device's only on CUDA")
def test_offloading_holds_less_on_the_device():
    held = []
    for model in pair("offloading"):
        model.cuda()
        before = torch.cuda.memory_allocated()
        logits = model(torch.randn(64, 3, 32, 32, device="cuda"))
        held.append(torch.cuda.memory_allocated() - before)
        del logits
    assert held[1] < 0.5 * held[0]
