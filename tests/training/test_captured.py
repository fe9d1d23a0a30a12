"""A step as a CUDA graph: the same training, bit for bit, or a step that goes on as it is and says why."""

import contextlib

import pytest
import torch

from bench.architectures import build
from bench.reversible import checksum
from bench.training import captured
from bench.training.batches import Batches
from bench.training.captured import EAGER_STEPS, CapturedStep
from bench.training.clock import Clock
from bench.training.loop import Trainer
from bench.training.memory_format import place
from bench.training.norms import set_norms
from bench.training.settings import PRECISIONS, set_determinism, set_precision
from tests.training.small_task import make_images, make_recipe

CUDA = torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
SIZES = {
    "resnet18": {"initial_channels": 8, "depths": (1, 1)},
    "inplace-abn": {"initial_channels": 8, "depths": (1, 1)},
    "checkpointing": {"initial_channels": 8, "depths": (1, 1)},
    "offloading": {"initial_channels": 8, "depths": (1, 1)},
    "revnet": {"initial_channels": 16, "depths": (1, 1)},
    "irevnet": {"initial_channels": 8, "depths": (1, 1)},
    "layerwise": {"initial_channels": 16, "depths": (1, 1)},
    "hybrid": {"initial_channels": 32, "depths": (1, 1)},
    "streamed": {"initial_channels": 16, "depths": (1, 1)},
    "streamed-int16": {"initial_channels": 16, "depths": (1, 1)},
}
TRAINED = [
    ("resnet18", "ideal"),
    ("inplace-abn", "noisy"),
    ("checkpointing", "ideal"),
    ("revnet", "noisy"),
    ("revnet", "exact"),
    ("irevnet", "noisy"),
    ("layerwise", "noisy"),
    ("hybrid", "ideal"),
    ("hybrid", "noisy"),
    ("hybrid", "exact"),
    ("streamed", "noisy"),
    ("streamed", "exact"),
    ("streamed-int16", "exact"),
]
EXACT = [pair for pair in TRAINED if pair[1] == "exact"]


class FakeGraph:
    """What a CUDA graph does, on the CPU: `replay` runs the step that was recorded."""

    recorded = None

    def replay(self):
        type(self).recorded()


@pytest.fixture
def graphs(monkeypatch):
    """CUDA graphs that only count their recordings."""
    recordings = []

    @contextlib.contextmanager
    def record(graph):
        recordings.append(graph)
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    return recordings


@pytest.fixture(autouse=True)
def stream(monkeypatch):
    """The one-element list of the stream that is current, where there is no GPU."""
    streams = ["usual"]
    if not torch.cuda.is_available():
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: streams[0])
        monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: streams.__setitem__(0, stream))
    return streams


def batch(value):
    return torch.full((2, 1, 4, 4), float(value)), torch.tensor([value, value])


def test_steps_are_taken_as_they_are_then_recorded_once_and_launched(graphs, monkeypatch):
    seen = []

    def step(images, labels):
        def recorded():
            seen.append((images.mean().item(), labels[0].item()))

        monkeypatch.setattr(FakeGraph, "recorded", staticmethod(recorded))
        return images.sum()

    take_step = CapturedStep(step)
    assert take_step.outcome == "too few steps"
    for value in range(EAGER_STEPS):
        assert take_step(*batch(value)) == 32 * value
    assert graphs == [] and seen == []
    for value in (7, 8):
        take_step(*batch(value))
    # What the graph reads is its own, and holds each batch in turn.
    assert len(graphs) == 1 and seen == [(7.0, 7), (8.0, 8)]
    assert take_step.outcome == "recorded"


@pytest.mark.skipif(torch.cuda.is_available(), reason="streams are made up here")
def test_a_step_that_cannot_be_recorded_goes_on_and_says_why(monkeypatch, stream):
    @contextlib.contextmanager
    def refuse(graph):
        torch.cuda.set_stream("the recording's")
        yield
        # Torch ends a recording before it leaves its stream, and comes no further when that fails.
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    take_step = CapturedStep(lambda images, labels: images.sum())
    assert [take_step(*batch(value)).item() for value in range(6)] == [32.0 * value for value in range(6)]
    assert take_step.outcome == "refused (RuntimeError: operation not permitted when stream is capturing)"
    assert stream == ["usual"]


def test_what_broke_off_while_it_was_recorded_leaves_no_gradients(monkeypatch, make_trainer):
    broken_off, ordinary = make_trainer(), make_trainer()

    @contextlib.contextmanager
    def break_off(graph):
        for parameter in broken_off.model.parameters():
            parameter.grad = torch.full_like(parameter, 1e9)  # what a backward pass that was never computed leaves
        raise RuntimeError("out of memory")
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", break_off)
    broken_off.captured = CapturedStep(broken_off.step)
    for trainer in (broken_off, ordinary):
        torch.manual_seed(0)  # for dropout
        trainer.train()
    assert broken_off.captured.outcome == "refused (RuntimeError: out of memory)"
    assert broken_off.history[-1]["loss"] == ordinary.history[-1]["loss"]
    for mine, other in zip(broken_off.model.parameters(), ordinary.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def trained(architecture, reconstruction, precision, eager_steps=EAGER_STEPS, store=False, epochs=3):
    """(trainer, losses) of a short training on the GPU."""
    set_precision(precision)
    set_determinism(CUDA, seed=0, capped=False, exact=True)
    recipe = make_recipe(epochs=epochs, precision=precision, lookahead=2, norm_momentum=0.4)
    model = build(architecture, reconstruction, classes=2, **SIZES[architecture])
    set_norms(model, recipe)
    model = place(model, CUDA, precision)
    if store:
        model.store = True
    batches = Batches(make_images(), recipe, seed=3, device=CUDA)
    trainer = Trainer(model, batches, recipe, Clock(CUDA), capture=True)
    previous, captured.EAGER_STEPS = captured.EAGER_STEPS, eager_steps
    try:
        trainer.train()
    finally:
        captured.EAGER_STEPS = previous
    return trainer, [entry["loss"] for entry in trainer.history]


def assert_same_training(one, other):
    assert one[1] == other[1]
    for name, value in one[0].model.state_dict().items():
        assert torch.equal(value, other[0].model.state_dict()[name]), name


@needs_gpu
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("architecture", "reconstruction"), TRAINED)
def test_on_a_gpu_a_graph_trains_to_the_same_bits(architecture, reconstruction, precision):
    graph = trained(architecture, reconstruction, precision)
    assert graph[0].captured.outcome == "recorded"
    eager = trained(architecture, reconstruction, precision, eager_steps=1000)
    assert eager[0].captured.outcome == "too few steps"
    assert_same_training(graph, eager)


@needs_gpu
def test_on_a_gpu_a_step_that_waits_for_the_host_is_not_recorded_and_trains():
    trainer, losses = trained("offloading", "ideal", "float32")
    assert trainer.captured.outcome.startswith("refused (")
    assert losses == trained("offloading", "ideal", "float32", eager_steps=1000)[1]


@needs_gpu
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("architecture", "reconstruction"), EXACT)
def test_on_a_gpu_exact_reconstruction_trains_to_the_bits_of_its_stored_twin(
    architecture, reconstruction, precision, monkeypatch
):
    monkeypatch.setattr(checksum, "SAMPLE", 2**40)  # every bit of every state is compared, not a sample
    reconstructed = trained(architecture, reconstruction, precision)
    assert_same_training(reconstructed, trained(architecture, reconstruction, precision, store=True))
