"""The points of the sweeps, when repairs stop, and how finished points are found again."""

import copy
from pathlib import Path

import pytest

from bench.configuration import FOLDER, SCALES, read
from bench.numerics.expected_time import expected_seconds
from bench.numerics.points import MODES, Point, Variant, all_places, depths_at, repair_places, slope_places
from bench.numerics.store import Store
from bench.numerics.sweeps import run_sweeps


def record(accuracy):
    look = {"smallest_snr_db": 1.0}
    return {"kind": "numerics-point", "outcome": {"accuracy": accuracy, "reason": "x"}, "looks": {"initial": look}}


def test_depths_grow_as_in_the_authors_experiments():
    assert [depths_at(step) for step in (0, 1, 2, 3, 9)] == [(0, 1, 1), (1, 1, 1), (1, 2, 1), (1, 2, 2), (3, 4, 4)]


# The two that train nothing have no such section.
@pytest.mark.parametrize("scale", [scale for scale in SCALES if scale not in ("floor", "floor-gpu")])
def test_every_scale_sweeps_both_architectures_in_every_mode(scale):
    configuration = read(FOLDER / f"{scale}.yaml")
    points = {place.point for place in all_places(configuration)}
    assert {(point.architecture, point.mode) for point in points} == {
        (architecture, mode) for architecture in ("layerwise", "hybrid") for mode in MODES
    }
    assert len({point.name for point in points}) == len(points)
    assert expected_seconds(configuration, "sweeps", "cpu") > 0


def test_the_slope_of_the_architecture_shares_the_runs_of_the_depth_sweep(configuration):
    points = {place.slope: place.point for place in slope_places(configuration["numerics"])}
    assert points[0.2].variant == Variant()
    assert points[0.5].variant != Variant()
    assert points[0.2].name != points[0.5].name


def test_repairs_go_deeper_until_noisy_training_falls_behind(configuration):
    numerics = configuration["numerics"]
    numerics["repairs"]["variants"] = {"none": Variant().__dict__, "tf32": vars(Variant(tf32=True))}
    _, failing, *deeper = [7, 10, 14]
    numerics["repairs"]["steps"] = [14, 7, 10]  # from the shallowest on, in whatever order they are written

    def runner(point):
        return record(None if point.mode == "noisy" and point.step >= failing else 0.9)

    rows, remarks = run_sweeps(configuration, runner, cuda=False)
    tried = {row["point"] for row in rows if row["sweep"] == "repairs"}
    assert {place.point.name for place in repair_places(numerics, "none", failing)} <= tried
    assert not {place.point.name for step in deeper for place in repair_places(numerics, "none", step)} & tried
    assert len(remarks) == 2
    assert "CPU has no TF32" in remarks[1]
    numerics["repairs"]["steps"] = [7, 10]  # behind at the last step, beyond which nothing is left out
    assert len(run_sweeps(configuration, runner, cuda=False)[1]) == 1


def test_a_finished_point_is_found_again_until_what_it_depends_on_changes(configuration, tmp_path: Path):
    point, other = Point("layerwise", "noisy", 4, 1), Point("layerwise", "noisy", 4, 2)
    kept = Store(tmp_path, configuration, "code").keep(point, record(0.5))
    assert Store(tmp_path, configuration, "code").find(point) == kept
    assert Store(tmp_path, configuration, "code").find(other) is None
    grown = copy.deepcopy(configuration)
    grown["numerics"]["depth"]["layerwise"].append(40)
    assert Store(tmp_path, grown, "code").find(point) == kept
    changed = copy.deepcopy(configuration)
    changed["numerics"]["training"]["epochs"] += 1
    assert Store(tmp_path, changed, "code").find(point) is None
    (tmp_path / f"{point.name}.json").write_text('{"kind": ')
    assert Store(tmp_path, configuration, "code").find(point) is None
