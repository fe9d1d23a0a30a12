import math

import pytest

from bench.records import write_record
from bench.reporting.build import build_tables
from bench.reporting.formats import to_markdown
from bench.reporting.measurements_frame import memory_path, steps_path
from tests.reporting.synthetic import Run, memory_record, steps_record, study, write_train

HYBRID = {mode: [Run("hybrid", mode, "machine", seed) for seed in (1, 2, 3)] for mode in ("ideal", "noisy")}
RUNS = [*HYBRID["ideal"], *HYBRID["noisy"]]


def table1(results, runs=RUNS, include_stale=False, **changes):
    return build_tables(study(runs, **changes), results, include_stale)[0]


def fill(results, noisy=(0.91, 0.93, 0.92), ideal=(0.92, 0.93, 0.94)):
    for runs, accuracies in ((HYBRID["ideal"], ideal), (HYBRID["noisy"], noisy)):
        for run, accuracy in zip(runs, accuracies, strict=True):
            write_train(results, run, outcome__accuracy=accuracy)


def test_accuracy_and_paired_gap(tmp_path):
    fill(tmp_path)
    table = table1(tmp_path)
    noisy = table.frame.iloc[1]
    assert (noisy["accuracy_mean"], noisy["accuracy_n"]) == (pytest.approx(0.92), 3)
    # differences -0.01, 0, -0.02: mean -0.01, s = 0.01, half = 4.302653 * 0.01 / sqrt(3) = 0.0248414
    assert noisy["gap_mean"] == pytest.approx(-0.01)
    assert noisy["gap_high"] - noisy["gap_mean"] == pytest.approx(0.0248414, rel=1e-5)
    assert table.display.iloc[1][("Accuracy", "%")] == "92.00 ± 2.48 (n=3)"
    assert table.display.iloc[1][("Gap to ideal", "points")] == "−1.00 ± 2.48 (n=3)"
    assert table.display.iloc[0][("Gap to ideal", "points")] == "—"


def test_diverged_run_is_counted_beside_the_mean_that_it_is_not_in(tmp_path):
    fill(tmp_path)
    run = HYBRID["noisy"][2]
    write_train(tmp_path, run, outcome__status="diverged", outcome__accuracy=None, time_to_target_s=None)
    table = table1(tmp_path)
    assert table.frame.iloc[1][["runs_ok", "runs_diverged", "accuracy_n", "gap_n"]].tolist() == [2, 1, 2, 2]
    assert table.display.iloc[1][("Accuracy", "%")].endswith("(n=2); 1 diverged")


def test_single_run_has_no_interval(tmp_path):
    runs = [HYBRID["ideal"][0], HYBRID["noisy"][0]]
    for run in runs:
        write_train(tmp_path, run)
    table = table1(tmp_path, runs)
    assert table.display.iloc[1][("Accuracy", "%")] == "95.00 (1 run)"
    assert table.display.iloc[1][("Gap to ideal", "points")] == "+0.00 (1 pair)"
    assert math.isnan(table.frame.iloc[1]["accuracy_low"])


def test_stale_runs_are_left_out_unless_asked_for_and_always_told(tmp_path):
    fill(tmp_path)
    write_train(tmp_path, HYBRID["noisy"][0], outcome__accuracy=0.5, digest__key="old")
    table = table1(tmp_path)
    assert table.frame.iloc[1]["accuracy_mean"] == pytest.approx(0.925)
    assert "1 stale" in table.display.iloc[1][("Accuracy", "%")]
    assert "1 stale (left out)" in table.caption
    table = table1(tmp_path, include_stale=True)
    assert table.frame.iloc[1]["accuracy_mean"] == pytest.approx((0.5 + 0.93 + 0.92) / 3)
    assert "stale used" in table.display.iloc[1][("Accuracy", "%")]
    assert "1 stale (used all the same)" in table.caption


def test_stale_measurement_shows_the_word_and_no_number(tmp_path):
    path = memory_path(tmp_path, ("hybrid", "noisy"))
    write_record(path, memory_record("hybrid", "noisy"))
    table = table1(tmp_path, measurement_keys={path: "ffffffffffff"})
    assert table.display.iloc[1][("Bytes per pixel", "measured")] == "stale"
    assert math.isnan(table.frame.iloc[1]["bytes_per_pixel_measured"])


def test_measurements_and_paper_stand_in_their_row(tmp_path):
    for mode in HYBRID:
        write_record(memory_path(tmp_path, ("hybrid", mode)), memory_record("hybrid", mode))
    write_record(steps_path(tmp_path, "hybrid"), steps_record("hybrid"))
    ideal, noisy = (row for _, row in table1(tmp_path).display.iterrows())
    assert noisy[("Bytes per pixel", "theory")] == "352"
    assert noisy[("Peak MB at batch 512", "measured")] == "188"
    assert noisy[("Forward-equivalents", "")] == "5.0"
    assert noisy[("Step time", "relative")] == "1.50 (1.40–1.60)"
    assert noisy[("Paper", "CIFAR-10")] == "93.3 %; 352 bytes per pixel"
    assert (ideal[("Step time", "relative")], ideal[("Paper", "CIFAR-10")]) == ("1", "—")


def test_only_the_named_device_is_shown(tmp_path):
    fill(tmp_path)
    capped = Run("hybrid", "noisy", "capped", 1)
    write_train(tmp_path, capped, outcome__accuracy=0.1)
    assert table1(tmp_path, [*RUNS, capped]).frame.iloc[1]["accuracy_mean"] == pytest.approx(0.92)


def test_without_any_record_every_row_says_not_run(tmp_path):
    table = table1(tmp_path)
    assert list(table.display[("Accuracy", "%")]) == ["not run", "not run"]
    assert list(table.display[("Bytes per pixel", "theory")]) == ["not run", "not run"]
    assert "6 not run" in table.caption


def test_other_network_measured_than_trained_is_said(tmp_path):
    fill(tmp_path)
    record = memory_record("hybrid", "noisy", settings__parameters=99)
    write_record(memory_path(tmp_path, ("hybrid", "noisy")), record)
    assert any("measured with 99 parameters but trained with 175,000" in text for text in table1(tmp_path).warnings)


def test_mixed_hardware_is_said(tmp_path):
    fill(tmp_path)
    write_train(tmp_path, HYBRID["noisy"][0], hardware={"device": "CPU B"})
    text = to_markdown(table1(tmp_path))
    assert "The runs of machine, hybrid, noisy mix hardware." in text
    assert "The runs of machine were made on different hardware: CPU A (2 threads); CPU B." in text
    assert "CPU A (2 threads), CPU B" in text.splitlines()[0]


def test_what_is_compared_across_hardware_or_versions_is_said(tmp_path):
    fill(tmp_path)
    for run in HYBRID["noisy"]:
        write_train(tmp_path, run, versions={"torch": "2.9.0" if run.seed == 1 else "2.13.0"})
    for mode, device in (("ideal", "a CPU"), ("noisy", "a GPU")):
        record = memory_record("hybrid", mode, hardware={"device": device})
        write_record(memory_path(tmp_path, ("hybrid", mode)), record)
    warnings = table1(tmp_path).warnings
    assert "The memory records were made on different hardware: a CPU; a GPU." in warnings
    assert "The runs of machine, hybrid, noisy mix versions of torch." in warnings
    assert not any("steps records" in text or "machine were made on different hardware" in text for text in warnings)


def test_a_gap_between_runs_of_two_versions_of_torch_is_said(tmp_path):
    """Keys do not know the version: after an upgrade the rows that were there stay, and each by itself is of one."""
    fill(tmp_path)
    for mode, version in (("ideal", "2.9.0"), ("noisy", "2.13.0")):
        for run in HYBRID[mode]:
            write_train(tmp_path, run, versions={"torch": version})
    said = "The runs of machine were made with different versions of torch: 2.9.0; 2.13.0."
    assert all(said in table.warnings for table in build_tables(study(RUNS), tmp_path))


def test_values_beyond_the_grid_are_said(tmp_path):
    fill(tmp_path)
    write_train(tmp_path, HYBRID["noisy"][0], exactness={"grid_bits": 15, "overflows": 1234})
    assert any("In machine, hybrid, noisy 1,234 values left the grid's range" in t for t in table1(tmp_path).warnings)


def test_numbers_of_a_stale_record_are_nowhere_unless_asked_for(tmp_path):
    fill(tmp_path)
    path = memory_path(tmp_path, ("hybrid", "noisy"))
    write_record(path, memory_record("hybrid", "noisy", settings__parameters=999_999, settings__initial_channels=77))
    table = table1(tmp_path, measurement_keys={path: "ffffffffffff"})
    shown = table.display.iloc[1]
    assert (shown[("c0; depths", "")], shown[("Parameters", "")]) == ("16; 1-2-2", "175,000")
    assert "999,999" not in to_markdown(table) and "memory/" not in to_markdown(table)
    table = table1(tmp_path, include_stale=True, measurement_keys={path: "ffffffffffff"})
    assert table.display.iloc[1][("c0; depths", "")] == "77; 1-2-2"
    assert "measured with 999,999 parameters" in to_markdown(table) and "memory/hybrid-noisy" in to_markdown(table)


def test_the_shape_of_a_stale_run_is_left_out_too(tmp_path):
    for run in RUNS:
        write_train(tmp_path, run, digest__key="old")
    shown = table1(tmp_path).display
    assert list(shown[("c0; depths", "")]) == list(shown[("Parameters", "")]) == ["—", "—"]


def test_a_measurement_that_ran_out_of_memory_is_a_record_to_show(tmp_path):
    nothing = {"measured__bytes_per_pixel": None, "measured__table_peak_bytes": None}
    record = memory_record("hybrid", "noisy", **nothing) | {"outcome": {"status": "out-of-memory"}}
    write_record(memory_path(tmp_path, ("hybrid", "noisy")), record)
    caption = table1(tmp_path, HYBRID["noisy"]).caption
    assert "hardware CPU A" in caption and "1 memory records planned: 1 recorded" in caption


def test_stale_runs_that_are_used_but_did_not_end_are_told(tmp_path):
    fill(tmp_path)
    lost = {"outcome__status": "diverged", "outcome__accuracy": None, "digest__key": "old"}
    write_train(tmp_path, HYBRID["noisy"][2], **lost)
    assert table1(tmp_path, include_stale=True).display.iloc[1][("Accuracy", "%")].endswith("; 1 stale not at its end")


def test_a_peak_that_was_told_along_the_slope_is_said_to_be(tmp_path):
    fill(tmp_path)
    sentence = "The measured peak of hybrid, noisy at batch 512 is extrapolated from smaller batches."
    for extrapolated in (False, True):
        record = memory_record("hybrid", "noisy", measured__table_peak_extrapolated=extrapolated)
        write_record(memory_path(tmp_path, ("hybrid", "noisy")), record)
        assert (sentence in table1(tmp_path).warnings) == extrapolated
