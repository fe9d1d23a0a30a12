import pandas as pd
import pytest

from bench.reporting.cells import percent_interval


@pytest.mark.parametrize(
    ("mean", "shown"),
    [(-1e-10, "+0.00"), (1e-10, "+0.00"), (-0.0001, "−0.01"), (-0.00004, "+0.00"), (0.012345, "+1.23")],
)
def test_a_gap_of_nothing_has_no_minus(mean, shown):
    assert percent_interval(pd.Series({"gap_mean": mean, "gap_n": 1}), "gap", signed=True) == f"{shown} (1 pair)"
