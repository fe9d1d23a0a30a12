"""The sweeps of figures 11 and 13 and of the repairs, point after point in one process."""

import statistics
import sys
from collections.abc import Callable
from typing import Any

from bench.configuration import Configuration
from bench.numerics.points import Place, Point, depth_places, repair_places, slope_places

# Trains a point, or finds its record.
Runner = Callable[[Point], dict[str, Any]]


def run_sweeps(configuration: Configuration, runner: Runner, cuda: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """(one row a place: sweep, what it varies, and the point's name; remarks on what was left out)."""
    numerics = configuration["numerics"]
    rows = [_row(place, runner) for place in [*depth_places(numerics), *slope_places(numerics)]]
    remarks = []
    for repair, variant in numerics["repairs"]["variants"].items():
        if variant["tf32"] and not cuda:
            remarks.append(f"repair {repair}: left out, since a CPU has no TF32")
            continue
        found, remark = _repair(numerics, repair, runner)
        rows += found
        remarks += remark
    return rows, remarks


def _repair(numerics: dict[str, Any], repair: str, runner: Runner) -> tuple[list[dict[str, Any]], list[str]]:
    """Rising depth, until noisy training falls clearly behind ideal: deeper networks are not tried then."""
    sweep, rows = numerics["repairs"], []
    for step in sorted(sweep["steps"]):
        places = repair_places(numerics, repair, step)
        rows += [_row(place, runner) for place in places]
        gap = mean_accuracy(places, runner, "ideal") - mean_accuracy(places, runner, "noisy")
        if gap > sweep["stop_gap"] and step != max(sweep["steps"]):
            return rows, [
                f"repair {repair}: not tried beyond step {step}, where noisy is {100 * gap:.1f} points behind"
            ]
    return rows, []


def mean_accuracy(places: list[Place], runner: Runner, mode: str) -> float:
    """Mean over the seeds; a diverged network counts 0."""
    found = [runner(place.point)["outcome"]["accuracy"] or 0.0 for place in places if place.point.mode == mode]
    return statistics.mean(found)


def _row(place: Place, runner: Runner) -> dict[str, Any]:
    runner(place.point)
    return {"sweep": place.sweep, "slope": place.slope, "repair": place.repair, "point": place.point.name}


def told(point: Point, record: dict[str, Any], number: int) -> None:
    """One line of the log."""
    outcome, look = record["outcome"], record["looks"]["initial"]
    accuracy = outcome["reason"] if outcome["accuracy"] is None else f"test {100 * outcome['accuracy']:.2f} %"
    seconds, snr = record["seconds"], look["smallest_snr_db"]
    print(f"{number}: {point.name}: {accuracy}, SNR at first {snr} dB, {seconds:.1f} s", file=sys.stderr, flush=True)
