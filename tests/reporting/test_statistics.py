import math

import pandas as pd
import pytest

from bench.reporting.statistics import mean_interval, paired_gap, time_to_target


def test_interval_of_three_is_the_one_computed_by_hand():
    # mean 0.92; deviations -0.02, 0, 0.02: s = 0.02; t(0.975, 2) = 4.302653: half = 4.302653 * 0.02 / sqrt(3)
    interval = mean_interval(pd.Series([0.90, 0.92, 0.94]))
    assert interval.n == 3
    assert interval.mean == pytest.approx(0.92)
    assert interval.high - interval.mean == pytest.approx(0.0496827, rel=1e-5)
    assert interval.mean - interval.low == pytest.approx(0.0496827, rel=1e-5)


def test_one_value_has_no_interval_and_none_has_no_mean():
    one = mean_interval(pd.Series([0.9]))
    assert (one.mean, one.n) == (0.9, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    none = mean_interval(pd.Series([math.nan]))
    assert none.n == 0
    assert math.isnan(none.mean)


def test_gap_is_paired_by_seed_and_takes_seeds_that_both_have():
    noisy = pd.Series({1: 0.91, 3: 0.94, 4: 0.10})
    ideal = pd.Series({3: 0.95, 2: 0.50, 1: 0.90})
    gap = paired_gap(noisy, ideal)
    # differences +0.01 (seed 1) and -0.01 (seed 3): mean 0, s = 0.0141421, t(0.975, 1) = 12.7062
    assert gap.n == 2
    assert gap.mean == pytest.approx(0.0, abs=1e-12)
    assert gap.high == pytest.approx(12.7062 * 0.0141421 / math.sqrt(2), rel=1e-4)


def test_pairing_removes_what_both_share():
    ideal = pd.Series({1: 0.5, 2: 0.7, 3: 0.9})
    gap = paired_gap(ideal - 0.01, ideal)
    assert gap.mean == pytest.approx(-0.01)
    assert gap.high - gap.low == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("times", "median", "reached"),
    [
        ([10.0, 30.0, 20.0], 20.0, 3),
        ([10.0, math.nan, 20.0], 20.0, 2),
        ([10.0, math.nan], math.inf, 1),
        ([math.nan, math.nan, 20.0], math.inf, 1),
        ([math.nan], math.inf, 0),
    ],
)
def test_runs_that_miss_the_target_count_as_infinite(times, median, reached):
    result = time_to_target(pd.Series(times))
    assert (result.median_s, result.reached, result.n) == (median, reached, len(times))


def test_no_run_has_no_median():
    result = time_to_target(pd.Series([], dtype=float))
    assert math.isnan(result.median_s)
    assert result.n == 0
