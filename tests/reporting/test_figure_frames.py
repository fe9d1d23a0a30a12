"""What the CSVs beside the figures say: thresholds, limits, and the authors' own numbers."""

import numpy as np
import pandas as pd
import pytest

from bench.reporting.figures import authors
from bench.reporting.figures.frames import points_frame
from bench.reporting.figures.limits import repair_limits
from bench.reporting.figures.repairs import repairs_figure
from bench.reporting.figures.thresholds import threshold


def test_a_clear_threshold_lies_in_the_middle_of_the_gap():
    found = threshold(np.array([30.0, 0.0, 10.0, 20.0]), np.array([False, True, True, False]))
    assert found == {"threshold_db": 15.0, "exceptions": 0, "highest_wrong_db": 10.0, "lowest_right_db": 20.0}


def test_equal_ratios_lie_on_one_side_of_the_threshold():
    wrong = np.array([True, True, False, False])
    found = threshold(np.array([5.0, 10.0, 10.0, 20.0]), wrong)
    assert (found["threshold_db"], found["exceptions"]) == (15.0, 1)
    found = threshold(np.array([5.0, 5.0, 5.0, 5.0]), wrong)
    assert np.isnan(found["threshold_db"]) and found["exceptions"] == 2


def test_exceptions_are_counted_and_told():
    found = threshold(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1, 1, 0, 1, 0, 0], dtype=bool))
    assert found["exceptions"] == 1
    assert (found["highest_wrong_db"], found["lowest_right_db"]) == (3.0, 2.0)


@pytest.mark.parametrize("wrong", [True, False])
def test_where_nothing_or_everything_is_wrong_there_is_no_threshold(wrong):
    assert np.isnan(threshold(np.array([0.0, 1.0]), np.array([wrong, wrong]))["threshold_db"])


def test_a_repair_holds_as_deep_as_every_shallower_network_does():
    gaps = {3: 0.0, 6: 0.005, 9: 0.2, 12: 0.0}
    rows = [
        {"repair": "none", "mode": "noisy", "units": units, "gap_mean": gap, "diverged": 0, "snr_initial_db": 1.0}
        for units, gap in gaps.items()
    ]
    (row,) = repair_limits(pd.DataFrame(rows)).to_dict("records")
    assert (row["units_within_half_a_point"], row["units_within_five_points"], row["units_tried"]) == (6, 6, 12)
    assert not row["all_tried_hold"]


def test_a_repair_does_not_hold_where_ideal_and_noisy_both_diverge():
    rows = [
        {"repair": "none", "mode": "noisy", "units": units, "gap_mean": 0.0, "diverged": lost, "snr_initial_db": 1.0}
        for units, lost in ((3, 0), (6, 1))
    ]
    (row,) = repair_limits(pd.DataFrame(rows)).to_dict("records")
    assert (row["units_within_half_a_point"], row["units_within_five_points"]) == (3, 3)
    assert not row["all_tried_hold"]


def test_a_diverged_network_counts_as_chance():
    settings = {"architecture": "layerwise", "mode": "noisy", "step": 1, "seed": 1, "units": 3, "depths": [1, 1, 1]}
    outcome = {"status": "diverged", "accuracy": None}
    point = {"settings": settings, "outcome": outcome, "looks": {"initial": {"smallest_snr_db": -3.0}}}
    frame = points_frame({"settings": {"classes": 10}, "points": {"a": point}})
    assert frame["accuracy"].tolist() == [0.1]
    assert frame["diverged"].tolist() == [True]


def test_the_authors_rows_have_the_depths_of_their_networks():
    rows = pd.DataFrame(authors.rows())
    layerwise = rows[(rows["architecture"] == "layerwise") & (rows["mode"] == "ideal")]
    assert layerwise["depth"].tolist() == list(range(3, 13))
    hybrid = rows[(rows["architecture"] == "hybrid") & (rows["mode"] == "ideal")]
    assert hybrid["depth"].tolist() == [2, 3, 3, 4, 5, 5, 6, 7]


def test_where_no_depth_was_within_five_points_there_is_no_mark():
    """At 0 it would be half cut off, and look like a depth."""
    limits = {"repair": ["none", "float64"], "units_within_half_a_point": [0, 16], "units_within_five_points": [0, 16]}
    axes = repairs_figure(pd.DataFrame({**limits, "units_tried_first": 9, "units_tried": [9, 16]})).axes[0]
    (marks,) = (line for line in axes.lines if line.get_label() == "within 5 points")
    assert list(marks.get_xdata()) == [16] and list(marks.get_ydata()) == ["float64"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["float64", "none"]
