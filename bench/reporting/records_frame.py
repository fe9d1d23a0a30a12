"""The training records of a scale as one tidy frame: a row a planned run, nothing left out.

`status` is the record's own (`ok`, `below-target`, `diverged`, `inexact`, `out-of-memory`, `timed-out`), or `not run`
(no record), `broken` (a record that cannot be used; `fault` says why) or `stale` (made by another code or configuration
than the present, or timed out under a lower limit).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import InputError
from bench.jobs import outgrown
from bench.plan import Run
from bench.records import recorded_digest
from bench.reporting.record_schema import STATUSES, number, read_valid

NOT_RUN, BROKEN, STALE = "not run", "broken", "stale"
ALL_STATUSES = (*STATUSES, STALE, BROKEN, NOT_RUN)


def record_path(results: Path, name: str) -> Path:
    """Where the record of the run called `name` lies in a scale's results folder."""
    return results / "runs" / name / "record.json"


def read_runs(
    results: Path, runs: Sequence[Run], keys: Mapping[str, str], time_limit_s: float | None = None
) -> pd.DataFrame:
    """Read the planned `runs` of the folder `results`; `keys` gives each run's present key by its name.

    `time_limit_s` is the present limit of a run: one that timed out under a lower limit is stale. Times are in seconds,
    sizes in bytes, accuracy is a fraction. What a run does not have is NaN or None.
    """
    rows = [_row(record_path(results, run.name), run, keys.get(run.name), time_limit_s) for run in runs]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def unplanned(results: Path, runs: Sequence[Run]) -> list[str]:
    """Names of recorded runs that are not among the planned `runs`: no table shows them."""
    planned = {run.name for run in runs}
    found = {path.parent.name for path in results.glob("runs/*/record.json")}
    return sorted(found - planned)


def _row(path: Path, run: Run, key: str | None, time_limit_s: float | None) -> dict[str, Any]:
    planned = {name: getattr(run, name) for name in ("architecture", "reconstruction", "device", "seed")}
    row = _EMPTY | planned | {"run": run.name, "path": str(path), "status": NOT_RUN}
    if not path.exists():
        return row
    try:
        record = read_valid(path, "train", planned)
    except InputError as error:
        return row | {"status": BROKEN, "fault": str(error)}
    row |= values_of(record)
    if key is not None and (recorded_digest(record, "key") != key or outgrown(record, time_limit_s)):
        row["status"] = STALE
    return row


def values_of(record: dict[str, Any]) -> dict[str, Any]:
    """What a valid training record says, by the frame's columns; the peak is the allocator's on a GPU."""
    settings, outcome, seconds, memory = (record[name] for name in ("settings", "outcome", "seconds", "peak_memory"))
    on_gpu = memory["cuda_allocated_bytes"] is not None
    return {
        "status": outcome["status"],
        "outcome": outcome["status"],
        "reason": outcome["reason"],
        "accuracy": number(outcome["accuracy"]),
        "flip_tta_accuracy": number(record.get("flip_tta_accuracy")),
        "time_to_target_s": number(record["time_to_target_s"]),
        # The headline clock: from the first byte of data to the last weight update, evaluation left out.
        "total_s": seconds["load"] + seconds["training"],
        "everything_s": float(seconds["everything"]),
        "peak_memory_bytes": number(memory["cuda_allocated_bytes" if on_gpu else "process_resident_bytes"]),
        "peak_memory_kind": "CUDA allocated" if on_gpu else "process resident",
        "hardware": record["hardware"]["device"],
        "torch": (record.get("versions") or {}).get("torch"),
        "commit": commit(record["git"]),
        "date": record["date"],
        "data": settings["data"],
        "depths": "-".join(map(str, settings["depths"])),
        "epochs": _epochs(record),
        "overflows": number((record.get("exactness") or {}).get("overflows")),
        **{name: number(settings[name]) for name in _FROM_SETTINGS},
        **_sizes(record),
    }


def _epochs(record: dict[str, Any]) -> list[tuple[float, float]]:
    """(test accuracy, seconds of the headline clock to the epoch's end) of each epoch."""
    load = record["seconds"]["load"]
    return [(epoch["test_accuracy"], load + epoch["training_s"]) for epoch in record["history"]]


def _sizes(record: dict[str, Any]) -> dict[str, float]:
    """Images trained and tested on: those that there were, or else those that were asked for (NaN: all)."""
    names = ("train_images", "test_images")
    asked = [record["settings"][name] for name in names]
    return {name: number(size) for name, size in zip(names, record.get("data", {}).get("sizes", asked), strict=True)}


def commit(git: dict[str, Any]) -> str:
    """The commit as a caption shows it: seven digits, and `dirty` where the tree had uncommitted changes."""
    name = git["commit"][:7] if git["commit"] else "unknown"
    return f"{name} (dirty)" if git["dirty"] else name


_FROM_SETTINGS = (
    "parameters",
    "initial_channels",
    "image_size",
    "target_accuracy",
)
_TEXTS = (
    "fault",
    "outcome",
    "reason",
    "peak_memory_kind",
    "hardware",
    "torch",
    "commit",
    "date",
    "depths",
    "data",
    "epochs",
)
_NUMBERS = (
    "train_images",
    "test_images",
    "accuracy",
    "flip_tta_accuracy",
    "time_to_target_s",
    "total_s",
    "everything_s",
    "peak_memory_bytes",
    "overflows",
)
_EMPTY: dict[str, Any] = dict.fromkeys(_TEXTS) | dict.fromkeys((*_NUMBERS, *_FROM_SETTINGS), math.nan)
COLUMNS = ("run", "architecture", "reconstruction", "device", "seed", "status", *_EMPTY, "path")
