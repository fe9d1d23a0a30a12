"""Both tables of a scale, from what it plans and what its results folder holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bench.errors import InputError
from bench.plan import Run
from bench.reporting import devices, remarks, table1, table2
from bench.reporting.caption import caption
from bench.reporting.formats import Table
from bench.reporting.measurements_frame import Pair, read_measurements
from bench.reporting.records_frame import read_runs, unplanned
from bench.reporting.summary import select


@dataclass(frozen=True)
class Study:
    """What a scale plans: training `runs`, measured `pairs`, the present `keys` of runs and of measured records."""

    scale: str
    target_accuracy: float
    runs: Sequence[Run]
    pairs: Sequence[Pair]
    keys: Mapping[str, str]
    device: str  # the one whose accuracies Table 1 shows
    labels: Mapping[str, str] = field(default_factory=dict)  # what a device is called, by its name
    measurement_keys: Mapping[Path, str] = field(default_factory=dict)
    time_limit_s: float | None = None  # of a run, at present
    further_targets: Sequence[float] = ()  # accuracies that Table 2 gives the time to besides


def build_tables(study: Study, results: Path, include_stale: bool = False) -> list[Table]:
    """Table 1 and Table 2 of `study` from the folder `results`; `InputError` where there is no such folder."""
    if not results.is_dir():
        raise InputError(
            f"There is no results folder {results}; give one that a workflow run has made, or run the workflow first."
        )
    runs = read_runs(results, study.runs, study.keys, study.time_limit_s)
    measurements = read_measurements(results, study.pairs, study.measurement_keys)
    extra = remarks.strangers(unplanned(results, study.runs))
    return [
        _table1(study, runs, measurements, extra, include_stale),
        _table2(study, runs, measurements, extra, include_stale),
    ]


def _table1(
    study: Study, runs: pd.DataFrame, measurements: pd.DataFrame, extra: list[str], include_stale: bool
) -> Table:
    here = select(runs, device=study.device)
    frame = table1.table1_frame(runs, measurements, study.device, include_stale).assign(scale=study.scale)
    title = f"Table 1. Memory, computation and accuracy by reconstruction pattern (device {study.device})"
    return Table(
        name="table1",
        caption=caption(title, study.scale, here, measurements, include_stale),
        notes=table1.NOTES,
        warnings=(
            *remarks.faults(here, measurements),
            *devices.mixed_devices(here, include_stale),
            *remarks.machines(measurements, include_stale),
            *remarks.mixtures(here, include_stale),
            *remarks.overflows(here, include_stale),
            *remarks.mismatches(here, measurements, include_stale),
            *remarks.extrapolated(measurements, include_stale),
            *extra,
        ),
        frame=frame,
        display=table1.table1_display(frame),
    )


def _table2(
    study: Study, runs: pd.DataFrame, measurements: pd.DataFrame, extra: list[str], include_stale: bool
) -> Table:
    target = study.target_accuracy
    further = [other for other in study.further_targets if other != target]
    frame = table2.table2_frame(runs, study.labels, target, include_stale, further).assign(scale=study.scale)
    targets = " and ".join(f"{100 * accuracy:g} %" for accuracy in (target, *further))
    title = f"Table 2. Time to {targets} accuracy by device"
    return Table(
        name="table2",
        caption=caption(title, study.scale, runs, None, include_stale),
        notes=table2.NOTES,
        warnings=(
            *remarks.faults(runs, measurements.iloc[:0]),
            *devices.mixed_devices(runs, include_stale),
            *remarks.mixtures(runs, include_stale),
            *remarks.overflows(runs, include_stale),
            *extra,
        ),
        frame=frame,
        display=table2.table2_display(frame, target, further),
        ruled_by="Device",
    )
