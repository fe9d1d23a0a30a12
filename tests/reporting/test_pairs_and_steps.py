"""Table 1's gap of a network in other numbers, and step times that are of other code."""

import pytest

from bench.records import write_record
from bench.reporting.build import build_tables
from bench.reporting.measurements_frame import read_measurements, steps_path
from tests.reporting.synthetic import KEY, Run, steps_record, study, write_train


def test_a_network_in_other_numbers_is_paired_with_the_original(tmp_path):
    pairs = [("streamed", "ideal"), ("streamed-int16", "exact")]
    runs = [Run(*pair, "machine", seed) for pair in pairs for seed in (1, 2)]
    for run, accuracy in zip(runs, (0.9, 0.8, 0.93, 0.83), strict=True):
        write_train(tmp_path, run, outcome__accuracy=accuracy)
    row = build_tables(study(runs), tmp_path)[0].frame.iloc[1]
    assert (row["gap_n"], row["gap_mean"]) == (2, pytest.approx(0.03))


@pytest.mark.parametrize(("key", "status"), [("ffffffffffff", "stale"), (KEY, "ok")])
def test_stale_step_times_are_told(tmp_path, key, status):
    path = steps_path(tmp_path, "hybrid")
    write_record(path, steps_record("hybrid"))
    assert read_measurements(tmp_path, [("hybrid", "noisy")], {path: key}).iloc[0]["steps_status"] == status
