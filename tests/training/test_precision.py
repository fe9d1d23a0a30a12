"""Mixed precision: float32 streams, gradients near those of float32, and every architecture trains."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.architectures import ARCHITECTURES, build
from bench.reversible import InvertibleBatchNorm2d, InvertibleConv2d, InvertibleLayer, ReversibleSequential
from bench.training.precision import computing
from bench.training.recipe import Recipe, make_optimizer

CPU = torch.device("cpu")
PAIRS = [(name, mode) for name, entry in ARCHITECTURES.items() for mode in entry.reconstructions]


def recipe(precision):
    return Recipe(epochs=1, batch_size=8, peak_learning_rate=0.05, precision=precision)


def batch():
    torch.manual_seed(1)
    return torch.randn(8, 3, 8, 8).to(memory_format=torch.channels_last), torch.arange(8)


def network(name, mode):
    torch.manual_seed(0)
    return build(name, mode, initial_channels=8, depths=(1, 1))


def loss(model, precision):
    images, labels = batch()
    with computing(precision, CPU):
        logits = model(images)
    return functional.cross_entropy(logits.float(), labels)


def gradient(model, precision):
    loss(model, precision).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize(("name", "mode"), PAIRS)
def test_gradients_are_near_those_of_float32_and_train(name, mode):
    model = network(name, mode)
    exact, mixed = gradient(network(name, mode), "float32"), gradient(model, "mixed")
    assert mixed.dtype == torch.float32 and mixed.isfinite().all()
    # bfloat16 rounds to 1 part in 256, at each of some ten convolutions and once more on the way back.
    assert functional.cosine_similarity(exact, mixed, 0) > 0.98
    assert not torch.equal(exact, mixed) or name == "mixed-precision"
    optimizer, before = make_optimizer(model, recipe("mixed")), loss(model, "mixed").item()
    for _ in range(3):
        optimizer.step()
        optimizer.zero_grad()
        gradient(model, "mixed")
    assert loss(model, "mixed") < before
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("mode", ["ideal", "noisy"])
def test_reversible_streams_stay_float32(mode):
    seen = []

    class Spy(InvertibleLayer):
        def differentiable(self, state):
            seen.extend(part.dtype for part in state)
            return state

        def trace(self, state):
            self.differentiable(state)

        def replay(self, state, memo):
            self.differentiable(state)

        undo = replay

        def retrace(self, state, grad, memo, wanted):
            seen.extend(part.dtype for part in (*state, *grad))
            return {}

    model = ReversibleSequential(
        nn.Conv2d(3, 8, 3, padding=1), Spy(), InvertibleConv2d(8), Spy(), InvertibleBatchNorm2d(8), reconstruction=mode
    )
    with computing("mixed", CPU):
        output = model(batch()[0])
    output.square().sum().backward()
    assert len(seen) >= 3 and set(seen) == {torch.float32} and output.dtype == torch.float32


def test_other_formats_change_nothing_on_the_cpu():
    assert torch.equal(gradient(network("hybrid", "noisy"), "tf32"), gradient(network("hybrid", "noisy"), "float32"))


def test_evaluation_is_computed_in_the_recipes_format(make_trainer):
    seen = []
    trainer = make_trainer(epochs=1, precision="mixed")
    trainer.model[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    trainer.train()
    assert seen == [torch.bfloat16] * (6 + 3)  # batches of training and of evaluation
