"""The estimate: operations are counted on the very networks, and earlier records replace the assumed rate."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench import estimate
from bench.configuration import FOLDER, load
from bench.errors import InputError
from bench.estimate import CPU_THREAD_RATE, START_S, Estimator
from bench.jobs import Job, planned_jobs
from bench.provenance import hardware
from bench.records import write_record


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    loaded = load(FOLDER / "smoke.yaml")
    for device in loaded["devices"]:
        device["device"] = "cpu"
    return loaded


def job(configuration: dict[str, Any], results: Path, name: str) -> Job:
    return next(each for each in planned_jobs(configuration, results) if each.name == name)


def record(configuration: dict[str, Any], everything_s: float) -> dict[str, Any]:
    return {
        "kind": "train",
        "settings": {"device_type": "cpu", "architecture": "hybrid", "reconstruction": "noisy"},
        "data": {"sizes": [256, 100]},
        "history": [{}] * configuration["training"]["epochs"],
        "outcome": {"status": "below-target"},
        "seconds": {"everything": everything_s},
        "hardware": hardware(torch.device("cpu")),
    }


def test_recomputation_is_counted(configuration: dict[str, Any], tmp_path: Path) -> None:
    """A noisy step computes each convolution of the trunk once more (RevNet) or twice (hybrid) than three times."""
    estimator = Estimator(configuration, tmp_path)
    for architecture, low, high in (("revnet", 1.1, 4 / 3), ("hybrid", 1.4, 5 / 3)):
        ideal = estimator.seconds(job(configuration, tmp_path, f"{architecture}-ideal-machine-seed1")) - START_S
        noisy = estimator.seconds(job(configuration, tmp_path, f"{architecture}-noisy-machine-seed1")) - START_S
        assert low < noisy / ideal <= high


def test_timelines_take_two_steps_of_each_network_that_has_one(configuration: dict[str, Any], tmp_path: Path) -> None:
    seconds = Estimator(configuration, tmp_path).seconds(job(configuration, tmp_path, "timeline"))
    less = {**configuration, "architectures": {"resnet18": configuration["architectures"]["resnet18"]}}
    assert START_S < Estimator(less, tmp_path).seconds(job(less, tmp_path, "timeline")) < seconds < 2 * START_S


def test_without_records_the_rate_is_assumed(configuration: dict[str, Any], tmp_path: Path) -> None:
    estimator = Estimator(configuration, tmp_path)
    assert "factor of three" in estimator.basis
    run = job(configuration, tmp_path, "resnet18-ideal-machine-seed1")
    images = 256 * configuration["training"]["epochs"]
    # ResNet-18 of widths 4, 8, 15, 31 on 16x16 pixels: multiplications and additions of a forward pass, by hand.
    areas, widths = [256, 64, 16, 4], [4, 8, 15, 31]
    forward = 2 * 256 * 9 * 3 * 4 + 2 * 31 * 10 + 4 * 2 * 256 * 9 * 4 * 4
    for area, before, width in zip(areas[1:], widths[:-1], widths[1:], strict=True):
        forward += 2 * area * (9 * before * width + before * width + 3 * 9 * width * width)
    # Three passes, less the gradient of the image, which nobody needs.
    operations = 3 * forward - 2 * 256 * 9 * 3 * 4
    assert estimator.seconds(run) == pytest.approx(START_S + images * operations / CPU_THREAD_RATE, rel=1e-6)
    twice = Estimator({**configuration, "threads": 2}, tmp_path)
    assert twice.seconds(run) - START_S == pytest.approx((estimator.seconds(run) - START_S) / 2)


def test_every_epoch_and_every_round_is_counted(configuration: dict[str, Any], tmp_path: Path) -> None:
    """Two steps of each network warm a timing up."""

    def seconds(name: str, **changes: Any) -> float:
        other = {**configuration, **changes}
        return Estimator(other, tmp_path).seconds(job(other, tmp_path, name)) - START_S

    longer = {**configuration["training"], "epochs": 3 * configuration["training"]["epochs"]}
    run = "resnet18-ideal-machine-seed1"
    assert seconds(run, training=longer) == pytest.approx(3 * seconds(run))
    one, four = ({**configuration["steps"], "repeats": repeats} for repeats in (1, 4))
    assert seconds("resnet18", steps=four) == pytest.approx(2 * seconds("resnet18", steps=one))


def test_earlier_runs_on_this_hardware_give_the_rate(configuration: dict[str, Any], tmp_path: Path) -> None:
    run = job(configuration, tmp_path, "hybrid-noisy-machine-seed1")
    write_record(run.record, record(configuration, 60.0))
    estimator = Estimator(configuration, tmp_path)
    assert "earlier runs" in estimator.basis
    assert estimator.seconds(run) == pytest.approx(START_S + 60.0)


@pytest.mark.parametrize(
    "spoil",
    [
        {"hardware": {**hardware(torch.device("cpu")), "cpu": "another"}},
        {"hardware": {**hardware(torch.device("cpu")), "cpu_capability": "another"}},
        {"outcome": {"status": "diverged"}},
        {"settings": {}},
        {"settings": {"device_type": "cpu", "architecture": "hybrid", "reconstruction": "of old"}},
        {"settings": {"device_type": "cpu", "architecture": "resnet19", "reconstruction": "noisy"}},
        {"data": {}},
        {"data": {"sizes": []}},
        {"history": []},
        {"seconds": {"everything": 0}},
        {"seconds": {"everything": None}},
    ],
)
def test_other_records_are_no_ground(configuration: dict[str, Any], tmp_path: Path, spoil: dict[str, Any]) -> None:
    run = job(configuration, tmp_path, "hybrid-noisy-machine-seed1")
    write_record(run.record, {**record(configuration, 60.0), **spoil})
    assert "factor of three" in Estimator(configuration, tmp_path).basis


@pytest.mark.parametrize("budget", [10**6, 10**10, 10**15])
def test_a_budget_that_memory_does_not_hold_is_refused_before_anything_is_built(
    configuration: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    def built(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a network is built")

    config = {**configuration, "budget": budget}
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10**7))
    monkeypatch.setattr("bench.training.network.solve", built)
    with pytest.raises(InputError, match=rf"A budget of {budget:,} parameters takes .* MB .* lower the budget"):
        Estimator(config, tmp_path).seconds(job(config, tmp_path, "hybrid-noisy-machine-seed1"))


def test_the_hardware_is_asked_for_once(
    configuration: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(estimate, "hardware", lambda device: asked.append(device) or hardware(device))
    for seed in (1, 2, 3):
        write_record(tmp_path / "runs" / f"seed{seed}" / "record.json", record(configuration, 60.0))
    assert "earlier runs" in Estimator(configuration, tmp_path).basis
    assert len(asked) == 1
