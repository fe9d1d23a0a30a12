"""The plan: which runs a configuration has, what their keys depend on, and how far a job has got."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import plan
from bench.configuration import FOLDER, SCALES, read
from bench.jobs import planned_jobs
from bench.plan import Run, device_entry, memory_key, memory_targets, planned_runs, run_key, steps_key, steps_targets
from bench.records import write_record
from bench.reporting.command import study_of

RUN = Run("hybrid", "noisy", "machine", 1)
CAPPED = Run("hybrid", "noisy", "capped-1gb", 1)


@pytest.fixture
def configuration() -> dict[str, Any]:
    return read(FOLDER / "quick.yaml")


# What a scale measures only, and says why.
MEASURED_ONLY = {
    "quick": {("mixed-precision", "ideal")},
    "smoke": {("checkpointing", "ideal"), ("offloading", "ideal")},
    "paper-short": {
        *(("checkpointing", "ideal"), ("offloading", "ideal"), ("inplace-abn", "ideal"), ("inplace-abn", "noisy")),
        *(("revnet", "exact"), ("hybrid", "exact")),
    },
}
WITHOUT_MIXED_PRECISION = ("cpu", "paper-short")

MEASURING = ("floor", "floor-gpu", "noise")  # and train nothing for the tables, as their files say
TRAINED = [scale for scale in SCALES if scale not in MEASURING]


@pytest.mark.parametrize("scale", TRAINED)
def test_every_architecture_and_reconstruction_of_a_scale_is_trained_and_measured(scale: str) -> None:
    configuration = read(FOLDER / f"{scale}.yaml")
    pairs = {(run.architecture, run.reconstruction) for run in planned_runs(configuration) if run.device == "machine"}
    measured = set(memory_targets(configuration))
    assert {architecture for architecture, _ in measured} == set(steps_targets(configuration))
    # The scale for an evening measures more than it trains, and leaves one out altogether: it says why.
    assert pairs <= measured
    if scale != "cpu":
        assert measured - pairs == MEASURED_ONLY.get(scale, set())
    for name in ("revnet", "irevnet", "layerwise", "hybrid"):
        assert {(name, "ideal"), (name, "noisy")} <= pairs
    assert ("resnet18", "ideal") in pairs
    for name in ("checkpointing", "offloading", *([] if scale in WITHOUT_MIXED_PRECISION else ["mixed-precision"])):
        assert (name, "ideal") in measured


@pytest.mark.parametrize("scale", MEASURING)
def test_a_scale_may_measure_and_train_nothing(scale: str) -> None:
    configuration = read(FOLDER / f"{scale}.yaml")
    assert not planned_runs(configuration)
    assert ("hybrid", "noisy") in memory_targets(configuration) and "hybrid" in steps_targets(configuration)


@pytest.mark.parametrize("scale", TRAINED)
def test_names_of_runs_differ(scale: str) -> None:
    names = [run.name for run in planned_runs(read(FOLDER / f"{scale}.yaml"))]
    assert len(set(names)) == len(names) > 0


def test_the_name_of_a_run_is_its_folder() -> None:
    assert RUN.name == "hybrid-noisy-machine-seed1"


def test_a_device_narrows_what_is_trained_on_it(configuration: dict[str, Any]) -> None:
    capped = [run for run in planned_runs(configuration) if run.device == "capped-1gb"]
    assert capped == [Run("resnet18", "ideal", "capped-1gb", 1), CAPPED]


def test_seeds_of_a_device_come_before_those_of_an_architecture_and_of_the_scale(configuration: dict[str, Any]) -> None:
    def seeds(architecture: str, device: str) -> list[int]:
        wanted = (architecture, device, "ideal")
        runs = planned_runs(configuration)
        return [run.seed for run in runs if (run.architecture, run.device, run.reconstruction) == wanted]

    hybrids = [run for run in planned_runs(configuration) if (run.architecture, run.device) == ("hybrid", "machine")]
    assert [run.seed for run in hybrids if run.reconstruction == "exact"] == [1]  # `seeds_of`
    assert [run.seed for run in hybrids if run.reconstruction == "noisy"] == configuration["seeds"]
    configuration["architectures"]["hybrid"]["seeds"] = [5]
    hybrids = [run for run in planned_runs(configuration) if (run.architecture, run.device) == ("hybrid", "machine")]
    assert [run.seed for run in hybrids] == [5, 5, 1]  # `seeds_of` before `seeds`
    configuration["architectures"]["checkpointing"]["seeds"] = [7, 8]
    assert seeds("resnet18", "machine") == configuration["seeds"]
    assert seeds("checkpointing", "machine") == [7, 8]
    configuration["devices"][0]["seeds"] = [9]
    assert seeds("resnet18", "machine") == seeds("checkpointing", "machine") == [9]


def changed(configuration: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    other = copy.deepcopy(configuration)
    value = other
    for key in path[:-1]:
        value = value[key]
    assert value[path[-1]] != to
    value[path[-1]] = to
    return other


@pytest.mark.parametrize(
    ("status", "present", "state", "under"),
    [
        ("timed-out", 30, "done", 60),
        ("timed-out", 60, "done", 60),
        ("timed-out", 90, "stale", 90),
        ("timed-out", None, "stale", None),
        ("ok", 90, "done", 60),
        ("ok", None, "done", 60),
    ],
)
def test_a_raised_time_limit_asks_again_for_runs_that_timed_out(
    configuration: dict[str, Any], tmp_path: Path, status: str, present: float | None, state: str, under: float | None
) -> None:
    job = planned_jobs({**configuration, "time_limit_s": present}, tmp_path)[0]
    assert job.demand == (job.key if present is None else f"{job.key} in {present} s")
    write_record(
        job.record,
        {"kind": "train", "digest": {"key": job.key}, "outcome": {"status": status}, "time_limit_s": 60},
    )
    assert job.state == state
    demand = job.demand
    assert demand == (job.key if under is None else f"{job.key} in {under} s")
    if state == "stale":  # what is made then answers the same demand
        write_record(
            job.record,
            {"kind": "train", "digest": {"key": job.key}, "outcome": {"status": "ok"}, "time_limit_s": present},
        )
        assert (job.state, job.demand) == ("done", demand)
    job.record.write_text("{")
    assert job.state == "broken" and job.demand == (job.key if present is None else f"{job.key} in {present} s")


def test_measured_is_the_device_that_table_1_is_about(configuration: dict[str, Any]) -> None:
    machine, capped = configuration["devices"][:2]
    others = [{**capped, "device": "cuda"}, {**machine, "device": "cpu"}]
    for devices, first in ((others, "machine"), (others[:1], "capped-1gb")):
        of = {**configuration, "devices": devices}
        assert study_of(of, Path("results")).device == first
        measured = {job.device for job in planned_jobs(of, Path("results")) if job.kind != "train"}
        assert measured == {device_entry(of, first)["device"]}


def test_a_key_is_twelve_hexadecimal_digits(configuration: dict[str, Any]) -> None:
    for job in planned_jobs(configuration, Path("results")):
        assert len(job.key) == 12
        int(job.key, 16)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "image_size"), 16),
        (("budget",), 1),
        (("architectures", "hybrid", "depths"), [9]),
        (("architectures", "hybrid", "options"), {"negative_slope": 0.5}),
        (("architectures", "hybrid", "initial_channels"), 4),
        (("training", "epochs"), 99),
        (("target_accuracy",), 0.5),
        (("devices", 0, "memory_cap_mb"), 7),
        (("devices", 0, "batch_size"), 7),
        (("devices", 0, "device"), "cpu"),
        (("threads",), 7),
    ],
)
def test_the_key_of_a_run_follows_what_it_depends_on(configuration: dict[str, Any], path: tuple, value: Any) -> None:
    assert run_key(changed(configuration, *path, to=value), RUN) != run_key(configuration, RUN)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("scale",), "other"),
        (("seeds",), [1]),
        (("architectures", "revnet", "depths"), [9]),
        (("architectures", "hybrid", "reconstructions"), ["noisy"]),
        (("architectures", "hybrid", "seeds"), [1]),
        (("memory", "table_batch_size"), 7),
        (("steps", "repeats"), 99),
        (("devices", 0, "label"), "my machine"),
        (("devices", 1, "memory_cap_mb"), 7),
    ],
)
def test_the_key_of_a_run_follows_nothing_else(configuration: dict[str, Any], path: tuple, value: Any) -> None:
    assert run_key(changed(configuration, *path, to=value), RUN) == run_key(configuration, RUN)


def test_keys_differ_by_run_and_by_kind_of_record(configuration: dict[str, Any]) -> None:
    jobs = planned_jobs(configuration, Path("results"))
    # On quick's capped device nothing but the cap differs, which is in the key.
    assert len({job.key for job in jobs}) == len(jobs)


@pytest.mark.parametrize(
    ("key", "dependent", "independent"),
    [
        (
            lambda settings: memory_key(settings, "hybrid", "noisy"),
            ("memory", "table_batch_size"),
            ("steps", "repeats"),
        ),
        (lambda settings: steps_key(settings, "hybrid"), ("steps", "repeats"), ("memory", "table_batch_size")),
    ],
)
def test_keys_of_measurements(
    configuration: dict[str, Any], key: Callable, dependent: tuple, independent: tuple
) -> None:
    assert key(changed(configuration, *dependent, to=77)) != key(configuration)
    assert key(changed(configuration, *independent, to=77)) == key(configuration)
    assert key(changed(configuration, "training", "epochs", to=77)) == key(configuration)


def test_keys_follow_the_code(configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = run_key(configuration, RUN), steps_key(configuration, "hybrid")
    monkeypatch.setattr(plan, "code_digest", lambda kind: f"other code of {kind}")
    after = run_key(configuration, RUN), steps_key(configuration, "hybrid")
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_the_state_of_a_job_is_read_from_its_record(configuration: dict[str, Any], tmp_path: Path) -> None:
    job = planned_jobs(configuration, tmp_path)[0]
    assert job.record == tmp_path / "runs" / "resnet18-ideal-machine-seed1" / "record.json"
    assert job.state == "missing"
    write_record(job.record, {"kind": "train", "digest": {"key": job.key}})
    assert job.state == "done"
    write_record(job.record, {"kind": "train", "digest": {"key": "of other code"}})
    assert job.state == "stale"
    write_record(job.record, {"kind": "train"})
    assert job.state == "stale"
    job.record.write_text('{"kind": "tra')
    assert job.state == "broken"
