import math

import pytest

from bench.reporting.build import build_tables
from tests.reporting.synthetic import Run, study, write_train

MACHINE = [Run("hybrid", "noisy", "machine", seed) for seed in (1, 2, 3)]
CAPPED = [Run("resnet18", "ideal", "capped", 1)]


def table2(results, runs=(*MACHINE, *CAPPED), **changes):
    return build_tables(study(list(runs), **changes), results)[1]


def test_median_times_and_runs_that_miss_the_target(tmp_path):
    for run, time, training in zip(MACHINE, (8.0, None, 20.0), (30.0, 9.0, 20.0), strict=True):
        write_train(tmp_path, run, time_to_target_s=time, seconds__training=training)
    table = table2(tmp_path)
    row = table.frame.iloc[0]
    assert (row["time_to_target_median_s"], row["target_reached_k"], row["target_reached_n"]) == (20.0, 2, 3)
    assert row["total_median_s"] == 21.0
    assert table.display.iloc[0][("First at 94 %", "median (reached)")] == "20.0 s (2 of 3)"


def test_out_of_memory_is_a_row_that_says_so(tmp_path):
    failed = {"outcome__status": "out-of-memory", "outcome__accuracy": None, "time_to_target_s": None}
    write_train(tmp_path, CAPPED[0], outcome__reason="over 500 MB", **failed)
    table = table2(tmp_path, labels={"capped": "1 GB card (emulated)"})
    shown = table.display.iloc[1]
    assert shown[("Device", "")] == "1 GB card (emulated)"
    assert table.display.iloc[0][("Device", "")] == "machine"  # no record, hence no hardware to name
    assert shown[("Status", "")] == "out of memory"
    assert shown[("First at 94 %", "median (reached)")] == "∞ (0 of 1)"
    assert shown[("Accuracy", "%")] == shown[("Time of a run", "median")] == "—"
    row = table.frame.iloc[1]
    assert math.isinf(row["time_to_target_median_s"])
    assert (row["reason"], row["runs_out_of_memory"]) == ("over 500 MB", 1)


def test_a_scale_that_trains_nothing_has_the_published_row_alone(tmp_path):
    with_runs, table = table2(tmp_path), table2(tmp_path, runs=())
    assert list(table.display[("Architecture", "")]) == ["hybrid"] and "0 training runs planned" in table.caption
    assert list(table.frame.columns) == list(with_runs.frame.columns)
    assert list(table.display[("Status", "")]) == ["not measured here"]


def test_every_outcome_of_a_row_is_counted(tmp_path):
    write_train(tmp_path, MACHINE[0], outcome__status="below-target", outcome__accuracy=0.9, time_to_target_s=None)
    write_train(tmp_path, MACHINE[1], outcome__status="diverged", outcome__accuracy=None, time_to_target_s=None)
    table = table2(tmp_path)
    assert table.display.iloc[0][("Status", "")] == "1 below target, 1 diverged, 1 not run"
    assert table.display.iloc[0][("Accuracy", "%")] == "90.00 (1 run)"
    assert table.display.iloc[1][("Status", "")] == "not run"


def test_published_row_is_last_labelled_and_holds_no_number_of_ours(tmp_path):
    write_train(tmp_path, MACHINE[0])
    table = table2(tmp_path)
    shown, row = table.display.iloc[-1], table.frame.iloc[-1]
    assert "published" in shown[("Device", "")]
    assert shown[("Status", "")] == "not measured here"
    assert shown[("Paper", "CIFAR-10")] == "67 min; 93.3 %"
    assert (row["source"], row["paper_total_s"]) == ("published", 4020.0)
    assert row[["accuracy_mean", "total_median_s", "time_to_target_median_s"]].isna().all()
    assert table.frame["paper_total_s"].notna().sum() == 1


def test_peak_is_the_highest_of_the_runs(tmp_path):
    for run, size in zip(MACHINE, (1_000_000, 3_000_000, 2_000_000), strict=True):
        write_train(tmp_path, run, peak_memory__cuda_allocated_bytes=size)
    table = table2(tmp_path)
    assert table.frame.iloc[0]["peak_memory_bytes"] == 3_000_000
    assert table.display.iloc[0][("Peak MB", "")] == "3"


@pytest.mark.parametrize(
    ("training", "shown"), [(11.34, "12.3 s"), (119.0, "2.0 min"), (4019.0, "67.0 min"), (7199.0, "2.0 h")]
)
def test_durations_are_readable(tmp_path, training, shown):
    for run in MACHINE:
        write_train(tmp_path, run, seconds__training=training)
    assert table2(tmp_path).display.iloc[0][("Time of a run", "median")] == shown


def test_times_of_a_run_are_of_those_that_came_to_their_end(tmp_path):
    times = ((9.0, 14.0), (11.0, 20.0), (600.0, 900.0))
    failed = {"outcome__status": "timed-out", "outcome__accuracy": None, "time_to_target_s": None}
    for run, (training, everything), changes in zip(MACHINE, times, ({}, {}, failed), strict=True):
        write_train(tmp_path, run, seconds__training=training, seconds__everything=everything, **changes)
    row = table2(tmp_path).frame.iloc[0]
    assert (row["total_median_s"], row["everything_median_s"]) == (11.0, 17.0)


def test_a_row_says_from_when_to_when_its_runs_are(tmp_path):
    for run, day in zip(MACHINE, ("03", "01", "02"), strict=True):
        write_train(tmp_path, run, date=f"2026-01-{day}T00:00:00+00:00")
    row = table2(tmp_path).frame.iloc[0]
    assert (row["first_date"][:10], row["last_date"][:10]) == ("2026-01-01", "2026-01-03")


def test_an_accuracy_that_is_the_target_is_at_it(tmp_path):
    epochs = [{"test_accuracy": 0.92, "training_s": 2.0}, {"test_accuracy": 0.93, "training_s": 4.0}]
    write_train(tmp_path, MACHINE[0], history=epochs)
    assert table2(tmp_path, further_targets=(0.92,)).frame.iloc[0]["time_to_target_92_median_s"] == 3.0


def test_runs_at_the_target_at_the_end_count_failed_ones(tmp_path):
    write_train(tmp_path, MACHINE[0])
    write_train(tmp_path, MACHINE[1], outcome__status="below-target", outcome__accuracy=0.93, time_to_target_s=5.0)
    write_train(tmp_path, MACHINE[2], outcome__status="diverged", outcome__accuracy=None, time_to_target_s=None)
    table = table2(tmp_path)
    row, shown = table.frame.iloc[0], table.display.iloc[0]
    assert (row["final_at_target_k"], row["final_at_target_n"], row["target_reached_k"]) == (1, 3, 2)
    assert shown[("Runs at 94 %", "at the end")] == "1 of 3"
    assert table.display.iloc[1][("Runs at 94 %", "at the end")] == "—"


def test_a_further_target_is_read_off_the_same_records(tmp_path):
    def history(*accuracies):
        return [{"epoch": i + 1, "test_accuracy": a, "training_s": 3.0 * (i + 1)} for i, a in enumerate(accuracies)]

    endings = (("ok", 0.95), ("below-target", 0.92), ("diverged", None))
    for run, (status, accuracy) in zip(MACHINE, endings, strict=True):
        epochs = history(0.5, 0.93, accuracy) if accuracy else history(0.91)
        time = 10.0 if status == "ok" else None
        changes = {"outcome__status": status, "outcome__accuracy": accuracy, "time_to_target_s": time}
        write_train(tmp_path, run, history=epochs, **changes)
    table = table2(tmp_path, further_targets=(0.92, 0.905))
    row, shown = table.frame.iloc[0], table.display.iloc[0]
    assert "Table 2. Time to 94 % and 92 % and 90.5 % accuracy" in table.caption
    assert (row["final_at_target_92_k"], row["final_at_target_92_n"], row["target_92_reached_k"]) == (2, 3, 2)
    assert row["time_to_target_92_median_s"] == 7.0  # loading took a second
    assert shown[("Runs at 92 %", "at the end")] == "2 of 3" and shown[("Runs at 94 %", "at the end")] == "1 of 3"
    assert shown[("First at 92 %", "median (reached)")] == "7.0 s (2 of 3)"
    assert shown[("First at 94 %", "median (reached)")] == "∞ (1 of 3)"
    assert shown[("First at 90.5 %", "median (reached)")] == "7.0 s (3 of 3)"
    assert table.display.iloc[1][("First at 92 %", "median (reached)")] == "—"
    assert table.display.iloc[-1][("Runs at 92 %", "at the end")] == "—"


def test_flip_tta_is_a_column_of_its_own_where_a_run_has_it(tmp_path):
    for run in MACHINE:
        write_train(tmp_path, run)
    column = ("Accuracy with flip TTA", "%")
    assert column not in table2(tmp_path).display.columns
    for run, accuracy in zip(MACHINE, (0.96, 0.97, 0.98), strict=True):
        write_train(tmp_path, run, flip_tta_accuracy=accuracy)
    shown = table2(tmp_path).display.iloc[0]
    assert shown[column] == "97.00 ± 2.48 (n=3)" and shown[("Accuracy", "%")] == "95.00 ± 0.00 (n=3)"


def test_a_run_judged_on_training_images_is_in_no_table(tmp_path):
    write_train(tmp_path, MACHINE[0], settings__evaluated_on="validation")
    assert "1 broken" in table2(tmp_path).display.iloc[0][("Status", "")]


def test_parameters_of_a_stale_run_are_left_out(tmp_path):
    write_train(tmp_path, MACHINE[0], digest__key="old")
    assert math.isnan(table2(tmp_path).frame.iloc[0]["parameters"])


def test_a_run_judged_by_another_target_is_judged_by_this_one(tmp_path):
    low = {"settings__target_accuracy": 0.5, "time_to_target_s": 2.0, "digest__key": "old"}
    for run, accuracy in zip(MACHINE, (0.6, 0.95, 0.93), strict=True):
        epochs = [{"test_accuracy": 0.55, "training_s": 1.0}, {"test_accuracy": accuracy, "training_s": 9.0}]
        write_train(tmp_path, run, outcome__accuracy=accuracy, history=epochs, **low)
    shown = build_tables(study(MACHINE), tmp_path, include_stale=True)[1].display.iloc[0]
    assert shown[("Runs at 94 %", "at the end")] == "1 of 3"
    assert shown[("First at 94 %", "median (reached)")] == "∞ (1 of 3)"


def test_a_further_target_that_is_the_target_is_named_once(tmp_path):
    table = table2(tmp_path, further_targets=(0.94, 0.92))
    assert "Time to 94 % and 92 % accuracy" in table.caption
    assert "target_94_reached_k" not in table.frame.columns
