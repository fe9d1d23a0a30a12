import json

import pytest

from bench.reporting.records_frame import read_runs, unplanned
from tests.reporting.synthetic import KEY, Run, train_record, write_train

RUN = Run("hybrid", "noisy", "machine", 1)


def read_one(results, key=KEY):
    frame = read_runs(results, [RUN], {RUN.name: key})
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.mark.parametrize("status", ["ok", "below-target", "diverged", "inexact", "out-of-memory", "timed-out"])
def test_every_recorded_status_is_a_row(tmp_path, status):
    accuracy = 0.95 if status in ("ok", "below-target") else None
    write_train(tmp_path, RUN, outcome__status=status, outcome__accuracy=accuracy)
    assert read_one(tmp_path)["status"] == status


@pytest.mark.parametrize(("limit", "status"), [(60, "timed-out"), (30, "timed-out"), (61, "stale"), (None, "stale")])
def test_a_run_that_timed_out_is_stale_once_the_limit_is_raised(tmp_path, limit, status):
    write_train(tmp_path, RUN, outcome__status="timed-out", outcome__accuracy=None, time_limit_s=60)
    assert read_runs(tmp_path, [RUN], {RUN.name: KEY}, limit).iloc[0]["status"] == status


def test_a_run_that_ended_in_time_cares_for_no_limit(tmp_path):
    write_train(tmp_path, RUN, time_limit_s=60)
    assert read_runs(tmp_path, [RUN], {RUN.name: KEY}, 61).iloc[0]["status"] == "ok"


def test_values_and_units(tmp_path):
    write_train(tmp_path, RUN)
    row = read_one(tmp_path)
    assert row["total_s"] == 10.0  # load 1 + training 9, evaluation left out
    assert row["everything_s"] == 14.0
    assert row["peak_memory_bytes"] == 400_000_000
    assert row["peak_memory_kind"] == "process resident"
    assert (row["depths"], row["commit"], row["data"]) == ("1-2-2", "abcdef0", "digits")


def test_numbers_of_images_are_those_that_there_were(tmp_path):
    write_train(tmp_path, RUN, settings__train_images=None, settings__test_images=None, data={"sizes": [60, 10]})
    assert read_one(tmp_path)[["train_images", "test_images"]].tolist() == [60, 10]


def test_memory_that_ran_out_before_the_network_was_built_is_no_broken_record(tmp_path):
    nothing = {"settings__parameters": None, "settings__initial_channels": None, "outcome__accuracy": None}
    write_train(tmp_path, RUN, outcome__status="out-of-memory", **nothing)
    assert read_one(tmp_path)["status"] == "out-of-memory"


def test_cuda_peak_is_the_allocators(tmp_path):
    write_train(tmp_path, RUN, peak_memory__cuda_allocated_bytes=123)
    row = read_one(tmp_path)
    assert (row["peak_memory_bytes"], row["peak_memory_kind"]) == (123, "CUDA allocated")


def test_missing_record_is_not_run(tmp_path):
    assert read_one(tmp_path)["status"] == "not run"


def test_other_key_is_stale_and_keeps_its_outcome(tmp_path):
    write_train(tmp_path, RUN)
    row = read_one(tmp_path, key="ffffffffffff")
    assert (row["status"], row["outcome"]) == ("stale", "ok")


def test_uncommitted_changes_are_marked(tmp_path):
    write_train(tmp_path, RUN, git__dirty=True)
    assert read_one(tmp_path)["commit"] == "abcdef0 (dirty)"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome__accuracy": 1.4}, "outcome.accuracy"),
        ({"outcome__accuracy": None}, "outcome.accuracy"),
        ({"outcome__status": "fine"}, "outcome.status"),
        ({"seconds__training": -1.0}, "seconds.training"),
        ({"seconds__training": 10**400}, "seconds.training"),
        ({"peak_memory__process_resident_bytes": 10**400}, "peak_memory.process_resident_bytes"),
        ({"settings__depths": "deep"}, "settings.depths"),
        ({"settings__seed": 2}, "seed is 2"),
        ({"settings__architecture": "revnet"}, "architecture is 'revnet'"),
        ({"kind": "memory"}, "its kind is 'memory'"),
        ({"digest": {}}, "'key' is a required property"),
    ],
)
def test_invalid_record_is_broken_and_named(tmp_path, change, said):
    path = write_train(tmp_path, RUN, **change)
    row = read_one(tmp_path)
    assert row["status"] == "broken"
    assert str(path) in row["fault"]
    assert said in row["fault"]


def test_number_that_is_not_finite_is_broken(tmp_path):
    path = write_train(tmp_path, RUN)
    path.write_text(json.dumps(train_record(RUN, outcome__accuracy=float("nan"))))
    assert "not finite" in read_one(tmp_path)["fault"]


def test_truncated_record_is_broken(tmp_path):
    path = write_train(tmp_path, RUN)
    path.write_text(path.read_text()[:100])
    row = read_one(tmp_path)
    assert row["status"] == "broken"
    assert "not valid JSON" in row["fault"]


def test_records_outside_the_plan_are_named(tmp_path):
    write_train(tmp_path, RUN)
    write_train(tmp_path, Run("hybrid", "noisy", "machine", 9))
    assert unplanned(tmp_path, [RUN]) == ["hybrid-noisy-machine-seed9"]
