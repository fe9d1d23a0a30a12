"""What the figures say of sweeps: gaps by seed, thresholds, and from which noise on a formula is off."""

import pandas as pd
import pytest

from bench.reporting.figures.frames import curves, places_frame, sweep_frame
from bench.reporting.figures.limits import formula_limits
from bench.reporting.figures.networks import gradient_angles
from bench.reporting.figures.thresholds import thresholds_frame


@pytest.fixture
def sweeps():
    """A depth sweep of one depth: ideal and noisy from two seeds, noisy 0.2 and 0.1 behind."""
    accuracies = {("ideal", 1): 0.9, ("noisy", 1): 0.7, ("ideal", 2): 0.5, ("noisy", 2): 0.4}
    points, places = {}, []
    for (mode, seed), accuracy in accuracies.items():
        settings = {"architecture": "layerwise", "mode": mode, "step": 1, "seed": seed, "units": 3, "depths": [1, 1, 1]}
        looks = {"initial": {"smallest_snr_db": 10.0 * seed}, "final": {"smallest_snr_db": -5.0 * seed}}
        outcome = {"status": "ok", "accuracy": accuracy}
        points[f"{mode}{seed}"] = {"settings": settings, "outcome": outcome, "looks": looks}
        places.append({"sweep": "depth", "slope": None, "repair": None, "point": f"{mode}{seed}"})
    return {"settings": {"classes": 10}, "points": points, "places": places}


def test_a_gap_is_ideal_minus_this_mode_by_seed(sweeps):
    gaps = places_frame(sweeps).set_index("point")["gap"].to_dict()
    assert gaps == pytest.approx({"ideal1": 0, "noisy1": 0.2, "ideal2": 0, "noisy2": 0.1})


def test_a_row_of_a_sweep_is_mean_and_range_over_seeds(sweeps):
    frame = sweep_frame(places_frame(sweeps), "layerwise")
    (noisy,) = frame[(frame["source"] == "measured") & (frame["mode"] == "noisy")].to_dict("records")
    expected = {"n": 2, "accuracy_mean": 0.55, "accuracy_low": 0.4, "accuracy_high": 0.7}
    expected |= {"gap_mean": 0.15, "gap_low": 0.1, "gap_high": 0.2, "snr_initial_db": 15.0, "snr_final_db": -7.5}
    assert {name: noisy[name] for name in expected} == pytest.approx(expected)


def test_thresholds_are_of_large_angles_and_of_trainings_that_fall_behind():
    angles = pd.DataFrame({"snr_db": [0.0, 20.0, 40.0], "angle_degrees": [50.0, 20.0, 1.0]})
    places = pd.DataFrame({"mode": ["noisy", "noisy", "ideal"], "point": ["a", "b", "c"]})
    places = places.assign(snr_initial_db=[0.0, 8.0, 3.0], gap=[0.2, 0.01, 0.0], diverged=False)
    found = thresholds_frame(angles, places)
    assert found["threshold_db"].tolist() == [30.0, 10.0, 4.0] and found["n"].tolist() == [3, 3, 2]


def test_a_training_that_diverged_as_its_ideal_twin_did_has_failed():
    angles = pd.DataFrame({"snr_db": [0.0, 20.0], "angle_degrees": [50.0, 1.0]})
    modes = ["renormalised", "noisy"]
    places = pd.DataFrame({"mode": modes, "point": ["a", "b"], "snr_initial_db": [-30.0, 50.0]})
    found = thresholds_frame(angles, places.assign(gap=0.0, diverged=[True, False])).iloc[-1]
    assert (found["threshold_db"], found["highest_wrong_db"], found["exceptions"]) == (10.0, -30.0, 0)


def test_the_layerwise_network_that_is_drawn_has_the_units_of_the_smallest_hybrid():
    rows = [("layerwise", 3), ("layerwise", 11), ("layerwise", 15), ("hybrid", 12), ("hybrid", 16)]
    layers = pd.DataFrame(rows, columns=["architecture", "units"])
    layers = layers.assign(seed=1, mode="ideal", when="initial", angle_degrees=1.0)
    assert [curves(layers, name)["units"].tolist() for name in ("layerwise", "hybrid")] == [[11], [12]]


def test_a_gradient_without_an_angle_is_drawn_at_the_foot_of_the_scale():
    """Angles are recorded to 0.0001 degrees, and a logarithmic scale has no place for 0."""
    rows = {"snr_db": [50.0, 140.0], "angle_degrees": [0.1, 0.0], "architecture": "hybrid"}
    thresholds = pd.DataFrame({"below_it": ["off by more than 10 degrees"], "threshold_db": [float("nan")]})
    axes = gradient_angles(pd.DataFrame(rows), thresholds).axes[0]
    (marks,) = (line for line in axes.lines if line.get_label() == "hybrid")
    assert marks.get_ydata().tolist() == [0.1, axes.get_ylim()[0]]


def test_a_formula_is_off_from_the_smallest_noise_on():
    noise = pd.DataFrame({"layer": "leaky ReLU", "parameter": 0.2, "noise_to_signal_db": [-60.0, -20.0, 0.0]})
    noise = noise.assign(relative_error=[0.01, -0.06, -0.5], flips_relative_error=[0.01, -0.02, 0.01])
    (row,) = formula_limits(noise).to_dict("records")
    assert (row["formula_off_from_db"], row["largest_error"], row["largest_error_with_flips"]) == (-20.0, 0.5, 0.02)
