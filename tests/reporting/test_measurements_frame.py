import pytest

from bench.records import write_record
from bench.reporting.measurements_frame import memory_path, read_measurements, steps_path
from tests.reporting.synthetic import KEY, memory_record, steps_record

PAIRS = [("hybrid", "ideal"), ("hybrid", "noisy")]


def test_values_of_both_reconstructions(tmp_path):
    for pair in PAIRS:
        write_record(memory_path(tmp_path, pair), memory_record(*pair))
    write_record(steps_path(tmp_path, "hybrid"), steps_record("hybrid"))
    ideal, noisy = (row for _, row in read_measurements(tmp_path, PAIRS).iterrows())
    assert noisy["bytes_per_pixel_theory"] == 352.0
    assert noisy["bytes_per_pixel_measured"] == 349.5
    assert (noisy["peak_bytes_theory"], noisy["peak_bytes_measured"]) == (186_000_000, 187_654_321)
    assert noisy["step_s"] == 1.5
    assert (noisy["step_ratio"], noisy["step_ratio_low"], noisy["step_ratio_high"]) == (1.5, 1.4, 1.6)
    assert (ideal["step_ratio"], ideal["step_ratio_to"]) == (1.0, "ideal")


def test_baseline_is_relative_to_its_reference(tmp_path):
    ratios = {"ideal": {"median": 1.3, "low": 1.2, "high": 1.4}}
    beside = {"reference": "resnet18", "ratio_to_reference": ratios}
    record = steps_record("checkpointing", seconds={"ideal": [2.0, 2.1, 9.0]}, ratio_to_ideal=None, **beside)
    write_record(steps_path(tmp_path, "checkpointing"), record)
    row = read_measurements(tmp_path, [("checkpointing", "ideal")]).iloc[0]
    assert (row["step_ratio"], row["step_ratio_to"], row["step_s"]) == (1.3, "resnet18", 2.1)  # the median


def test_missing_broken_and_stale_are_told_apart(tmp_path):
    pair = PAIRS[1]
    write_record(memory_path(tmp_path, pair), memory_record(*pair, measured__bytes_per_pixel="many"))
    row = read_measurements(tmp_path, [pair]).iloc[0]
    assert (row["memory_status"], row["steps_status"]) == ("broken", "not run")
    assert str(memory_path(tmp_path, pair)) in row["memory_fault"]
    write_record(memory_path(tmp_path, pair), memory_record(*pair))
    present = {memory_path(tmp_path, pair): "ffffffffffff"}
    assert read_measurements(tmp_path, [pair], present).iloc[0]["memory_status"] == "stale"
    present = {memory_path(tmp_path, pair): KEY}
    assert read_measurements(tmp_path, [pair], present).iloc[0]["memory_status"] == "ok"


@pytest.mark.parametrize("times", [{"ideal": [1.0]}, {"ideal": [1.0], "noisy": []}])
def test_steps_without_times_are_broken(tmp_path, times):
    write_record(steps_path(tmp_path, "hybrid"), steps_record("hybrid", seconds=times))
    row = read_measurements(tmp_path, PAIRS[1:]).iloc[0]
    assert row["steps_status"] == "broken"
    assert "hybrid" in row["steps_fault"]


def test_a_reference_without_its_ratio_leaves_the_step_time_alone(tmp_path):
    record = steps_record("checkpointing", seconds={"ideal": [2.0]}, ratio_to_ideal=None, reference="resnet18")
    write_record(steps_path(tmp_path, "checkpointing"), record)
    row = read_measurements(tmp_path, [("checkpointing", "ideal")]).iloc[0]
    assert (row["steps_status"], row["step_s"]) == ("ok", 2.0)
    assert row[["step_ratio", "step_ratio_to"]].isna().all()
