"""The loop: it learns, it is reproducible, it says when it diverges, and it resumes to the bit."""

import pytest
import torch
from torch import nn

from bench.training import clock
from bench.training.checkpoint import Checkpoint
from bench.training.lookahead import Lookahead
from bench.training.outcome import Outcome, is_memory_refusal, outcome_of, time_to_target
from bench.training.recipe import batch_loss, make_optimizer
from bench.training.schedule import learning_rate
from tests.training.small_task import make_network

SECONDS = ("training_s", "evaluation_s")


def without_seconds(history):
    return [{key: value for key, value in entry.items() if key not in SECONDS} for entry in history]


def same_weights(one, other):
    pairs = zip(one.model.state_dict().items(), other.model.state_dict().items(), strict=True)
    return all(name == other_name and torch.equal(a, b) for (name, a), (other_name, b) in pairs)


def test_it_learns_and_tells_each_epoch(make_trainer):
    trainer = make_trainer()
    steps = []
    trainer.train(on_step=lambda: steps.append(1))
    assert len(steps) == trainer.steps == 18
    assert [entry["epoch"] for entry in trainer.history] == [1, 2, 3]
    assert trainer.history[-1]["test_accuracy"] > 0.9
    assert trainer.history[-1]["loss"] < trainer.history[0]["loss"]
    assert trainer.history[-1]["learning_rate"] == pytest.approx(0.05 / (18 - 3))
    times = [entry["training_s"] for entry in trainer.history]
    assert times == sorted(times) and times[-1] == trainer.clock.phases["training"] > 0


def test_biases_learn_at_their_own_rate(make_trainer):
    def first_steps(bias_rate):
        trainer = make_trainer(bias_rate=bias_rate, momentum=0.0)
        before = {name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()}
        torch.manual_seed(0)  # for dropout
        images, labels = next(iter(trainer.batches.training(1)))
        trainer.set_learning_rate(0)
        trainer.step(images, labels)
        return {name: parameter.detach() - before[name] for name, parameter in trainer.model.named_parameters()}

    plain, fast = first_steps(1), first_steps(8)
    for name, step in plain.items():
        assert step.norm() > 0 or name == "0.bias"  # batch normalisation follows
        assert torch.allclose(fast[name], step * (8 if name.endswith("bias") else 1), rtol=1e-3, atol=1e-7), name


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_a_run_is_a_plain_loop_of_the_same_steps(make_trainer, precision):
    """Schedule, smoothed loss, Nesterov's step, lookahead and number format, put together as anybody would."""
    trainer = make_trainer(lookahead=4, epochs=2, precision=precision)
    model, recipe, batches = make_network(), trainer.recipe, make_trainer(lookahead=4, epochs=2).batches
    optimizer, lookahead, losses = make_optimizer(model, recipe), Lookahead(model, recipe, 12), []
    torch.manual_seed(11)
    for step, (images, labels) in enumerate(batch for epoch in (1, 2) for batch in batches.training(epoch)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, 12, recipe)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "mixed"):
            logits = model(images)
        losses.append(batch_loss(logits, labels, recipe))
        losses[-1].backward()
        optimizer.step()
        lookahead.after(step)
    torch.manual_seed(11)
    trainer.train()
    for name, value in model.state_dict().items():
        assert torch.equal(trainer.model.state_dict()[name], value), name
    means = [sum(loss.item() for loss in losses[start : start + 6]) / 6 for start in (0, 6)]
    assert [entry["loss"] for entry in trainer.history] == pytest.approx(means, rel=1e-6)


def test_training_and_evaluation_each_have_their_seconds(make_trainer, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    trainer = make_trainer(epochs=2)

    def takes(seconds, function):
        def call(*arguments):
            now[0] += seconds
            return function(*arguments)

        return call

    monkeypatch.setattr(trainer, "step", takes(1, trainer.step))
    monkeypatch.setattr(trainer, "evaluate", takes(100, trainer.evaluate))
    trainer.train()
    assert [(entry["training_s"], entry["evaluation_s"]) for entry in trainer.history] == [(6, 100), (12, 200)]


def test_same_seed_same_bits_and_another_seed_others(make_trainer):
    one, same, other = make_trainer(seed=3), make_trainer(seed=3), make_trainer(seed=4)
    for trainer in (one, same, other):
        torch.manual_seed(11)
        trainer.train()
    assert same_weights(one, same) and without_seconds(one.history) == without_seconds(same.history)
    assert not same_weights(one, other)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_resumed_run_ends_with_the_same_bits(make_trainer, tmp_path, stop):
    class Killed(Exception):
        pass

    def save_and_die(trainer):
        Checkpoint(tmp_path, "key").save(trainer.state_dict())
        if len(trainer.history) == stop:
            raise Killed

    whole, killed = make_trainer(), make_trainer()
    for trainer, on_epoch in ((whole, lambda _: None), (killed, save_and_die)):
        torch.manual_seed(11)
        try:
            trainer.train(on_epoch=on_epoch)
        except Killed:
            continue
    resumed = make_trainer()
    torch.manual_seed(99)  # the state must come from the checkpoint
    state, remarks = Checkpoint(tmp_path, "key").load()
    assert remarks == []
    resumed.load_state_dict(state)
    assert len(resumed.history) == stop
    resumed.train()
    assert same_weights(whole, resumed)
    assert without_seconds(whole.history) == without_seconds(resumed.history)
    assert resumed.history[stop - 1]["training_s"] == killed.history[-1]["training_s"]


@pytest.mark.parametrize("learning_rate", [1e20, 1e38])
def test_a_loss_that_is_not_finite_ends_as_diverged(make_trainer, learning_rate):
    trainer = make_trainer(peak_learning_rate=learning_rate)
    outcome = outcome_of(trainer.train, trainer.history, 0.9)
    assert outcome.status == "diverged" and outcome.accuracy is None and not outcome.reached_target
    assert "the loss is" in outcome.reason and "epoch" in outcome.reason


def test_logits_that_are_not_finite_in_evaluation_end_as_diverged(make_trainer):
    class BreaksInEvaluation(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(192, 2)

        def forward(self, images):
            logits = self.linear(images.flatten(1))
            return logits if self.training else logits / 0

    trainer = make_trainer(BreaksInEvaluation())
    outcome = outcome_of(trainer.train, trainer.history, 0.9)
    assert outcome.status == "diverged" and "test images" in outcome.reason


@pytest.mark.parametrize("place", ["parameter", "buffer"])
def test_a_network_that_hides_what_is_no_number_ends_as_diverged(make_trainer, place):
    class Hides(nn.Module):
        """Finite logits, as a state of whole numbers gives, with something broken behind it."""

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(192, 2)
            hidden = torch.full((1,), torch.nan)
            if place == "parameter":
                self.hidden = nn.Parameter(hidden)
            else:
                self.register_buffer("running_hidden", hidden)
                self.hidden = self.running_hidden
            self.register_buffer("mask", torch.tensor([-torch.inf]))
            self.register_buffer("nothing", torch.empty(0))

        def forward(self, images):
            return self.linear(images.flatten(1)) + torch.nan_to_num(self.hidden)

    sound = make_trainer(Hides())
    with torch.no_grad():
        sound.model.hidden.zero_()
    assert outcome_of(sound.train, sound.history, 0.5).status == "ok"
    trainer = make_trainer(Hides())
    outcome = outcome_of(trainer.train, trainer.history, 0.9)
    assert outcome.status == "diverged" and "running statistic is not finite after epoch 1" in outcome.reason
    assert trainer.history == []


def entries(*accuracies):
    return [
        {"epoch": number, "test_accuracy": accuracy, "training_s": 10.0 * number}
        for number, accuracy in enumerate(accuracies, 1)
    ]


@pytest.mark.parametrize(
    ("accuracies", "status", "reached", "seconds"),
    [
        ((0.5, 0.95, 0.96), "ok", True, 23.0),
        ((0.5, 0.94), "ok", True, 23.0),
        ((0.5, 0.95, 0.93), "below-target", True, 23.0),
        ((0.5, 0.94, 0.93), "below-target", True, 23.0),
        ((0.5, 0.93), "below-target", False, None),
    ],
)
def test_status_is_of_the_end_and_time_of_the_first_crossing(accuracies, status, reached, seconds):
    history = entries(*accuracies)
    outcome = outcome_of(lambda: None, history, 0.94)
    assert (outcome.status, outcome.accuracy, outcome.reached_target) == (status, accuracies[-1], reached)
    assert time_to_target(history, 0.94, load_s=3.0) == seconds


@pytest.mark.parametrize(("refused", "refusal"), [(0, False), (2, True)])
def test_a_convolution_without_an_engine_lacks_memory_where_the_allocator_has_refused_some(
    monkeypatch, refused, refusal
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda: {"num_ooms": refused})
    error = RuntimeError("FIND was unable to find an engine to execute this computation")
    assert is_memory_refusal(error) is refusal


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("could not create a memory object"), True),
        (RuntimeError("cuDNN Frontend error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), False),  # as nothing was refused
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_only_refused_memory_counts_as_out_of_memory(error, refusal):
    assert is_memory_refusal(error) is refusal

    def train():
        raise error

    if refusal:
        outcome = outcome_of(train, [], 0.9)
        assert outcome == Outcome("out-of-memory", str(error) or "MemoryError", None, False)
    else:
        with pytest.raises(type(error)):
            outcome_of(train, [], 0.9)
