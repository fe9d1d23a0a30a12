"""Timing of steps: pairing, order, ratios and their intervals."""

import pytest
import torch
from torch import nn

from bench.errors import InputError
from bench.memory import steps
from bench.memory.steps import WARM_UP, paired_ratio, time_steps
from bench.memory.steps_command import REFERENCE, compared, deterministic


class _Clock:
    """A clock that only stands still or is put forward, however busy the machine is."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(steps, "time", clock)
    return clock


class _Slow(nn.Module):
    """Puts the clock forward in its forward pass, and writes its name down."""

    def __init__(self, name: str, seconds: float, calls: list[str]) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 4 * 4, 10)
        self.name, self.seconds, self.calls = name, seconds, calls

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append(self.name)
        steps.time.now += self.seconds
        return self.linear(images.flatten(1))


def test_every_network_is_timed_once_a_round_in_changing_order():
    calls: list[str] = []
    networks = {name: _Slow(name, 0.0, calls) for name in ("a", "b", "c")}
    seconds = time_steps(networks, batch_size=2, image_size=4, rounds=6)
    assert {name: len(times) for name, times in seconds.items()} == {"a": 6, "b": 6, "c": 6}
    timed = calls[3 * WARM_UP :]
    orders = [tuple(timed[start : start + 3]) for start in range(0, len(timed), 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len(set(orders)) > 1


def test_a_network_is_timed_in_training_mode_whatever_mode_it_was_in():
    class Mode(_Slow):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls.append(str(self.training))
            return super().forward(images)

    calls: list[str] = []
    time_steps({"a": Mode("a", 1.0, calls).eval()}, batch_size=2, image_size=4, rounds=1)
    assert set(calls) == {"True", "a"}


def test_a_step_is_timed_from_its_start_to_its_end(clock):
    networks = {"fast": _Slow("fast", 1.0, []), "slow": _Slow("slow", 4.0, [])}
    seconds = time_steps(networks, batch_size=2, image_size=4, rounds=5)
    assert seconds == {"fast": [1.0] * 5, "slow": [4.0] * 5}
    assert clock.now == 5 * (5 + WARM_UP)
    assert paired_ratio(seconds["slow"], seconds["fast"]).median == 4


def test_every_step_is_prepared_for_by_its_name_on_no_clock(clock):
    calls: list[str] = []

    def prepare(name: str) -> None:
        calls.append(f"prepare {name}")
        clock.now += 10

    networks = {name: _Slow(name, 1.0, calls) for name in ("a", "b")}
    seconds = time_steps(networks, batch_size=2, image_size=4, rounds=3, prepare=prepare)
    assert seconds == {"a": [1.0] * 3, "b": [1.0] * 3}
    assert calls[::2] == [f"prepare {name}" for name in calls[1::2]]
    assert len(calls) == 2 * 2 * (WARM_UP + 3)


def test_on_a_gpu_the_record_says_what_was_timed_with_deterministic_algorithms():
    names = ["ideal", "noisy", "exact", REFERENCE]
    assert deterministic(torch.device("cuda"), names) == {"deterministic": ["exact"]}
    assert deterministic(torch.device("cuda"), names[:2]) == {"deterministic": []}
    assert deterministic(torch.device("cpu"), names) == {}


def test_weights_and_gradients_are_left_as_they_were():
    network = _Slow("only", 0.0, [])
    before = network.linear.weight.clone()
    time_steps({"only": network}, batch_size=2, image_size=4, rounds=1)
    assert torch.equal(network.linear.weight, before)
    assert network.linear.weight.grad is None


def test_ratios_are_paired_by_round():
    """The machine is ten times slower in the second round; the pairs do not notice."""
    ratio = paired_ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0])
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_the_interval_is_of_95_percent():
    """The median of 17 drawn of 17 is at most the fourth in 0.8 % of all draws, and at most the fifth in 3.6 %."""
    ratio = paired_ratio(list(range(1, 18)), [1.0] * 17)
    assert (ratio.low, ratio.median, ratio.high) == (5, 9, 13)
    single = paired_ratio([3.0], [2.0])
    assert single.median == single.low == single.high == 1.5


def test_what_is_compared_with_what():
    found = compared({"ideal": [1.0, 2.0], "noisy": [2.0, 4.0]})
    assert found["seconds"] == {"ideal": [1.0, 2.0], "noisy": [2.0, 4.0]}
    assert found["ratio_to_ideal"]["noisy"]["median"] == 2
    assert "ratio_to_reference" not in found
    baseline = compared({"ideal": [3.0, 3.0], REFERENCE: [2.0, 2.0]})
    assert baseline["seconds"] == {"ideal": [3.0, 3.0]}
    assert baseline["ratio_to_ideal"] == {} and baseline["reference_seconds"] == [2.0, 2.0]
    assert baseline["ratio_to_reference"]["ideal"]["median"] == 1.5
    assert compared({"noisy": [1.0]})["ratio_to_ideal"] == {}


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="at least one round"):
        time_steps({}, batch_size=2, image_size=4, rounds=0)
