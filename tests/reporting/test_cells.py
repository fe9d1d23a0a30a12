import pandas as pd
import pytest

from bench.reporting.cells import percent_interval, ratio


@pytest.mark.parametrize(
    ("mean", "shown"),
    [(-1e-10, "+0.00"), (1e-10, "+0.00"), (-0.0001, "−0.01"), (-0.00004, "+0.00"), (0.012345, "+1.23")],
)
def test_a_gap_of_nothing_has_no_minus(mean, shown):
    assert percent_interval(pd.Series({"gap_mean": mean, "gap_n": 1}), "gap", signed=True) == f"{shown} (1 pair)"


@pytest.mark.parametrize(
    ("values", "shown"),
    [((1.0, 1.0, 1.0), "1"), ((1.5, 1.5, 1.5), "1.50"), ((1.5, 1.4, 1.625), "1.50 (1.40–1.62)"), ((None,) * 3, "—")],
)
def test_a_ratio_has_an_interval_where_there_is_more_than_one_round(values, shown):
    assert (
        ratio(pd.Series(dict(zip(("step_ratio", "step_ratio_low", "step_ratio_high"), values, strict=True)))) == shown
    )
