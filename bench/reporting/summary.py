"""A group of runs as one row of numbers: what is common to Table 1 and Table 2."""

from typing import Any

import pandas as pd

from bench.reporting.record_schema import STATUSES
from bench.reporting.records_frame import ALL_STATUSES, STALE
from bench.reporting.statistics import Interval, mean_interval

FINISHED = ("ok", "below-target")
GROUP = ["device", "architecture", "reconstruction"]


def used_statuses(include_stale: bool = False) -> tuple[str, ...]:
    """Statuses of the records whose numbers are used: valid and current (with `include_stale`, stale ones too)."""
    return (*STATUSES, STALE) if include_stale else STATUSES


def usable(runs: pd.DataFrame, include_stale: bool = False) -> pd.DataFrame:
    """The runs whose numbers are used."""
    return runs[runs["status"].isin(used_statuses(include_stale))]


def finished(runs: pd.DataFrame) -> pd.DataFrame:
    """Those of the `usable` runs that trained to their end, at the target or below it."""
    return runs[runs["outcome"].isin(FINISHED)]


def accuracies(runs: pd.DataFrame) -> pd.Series:
    """Final test accuracy (fraction) by seed of those `runs` that trained to their end."""
    return finished(runs).set_index("seed")["accuracy"].astype(float)


def select(runs: pd.DataFrame, **values: str) -> pd.DataFrame:
    """The rows of `runs` that have these values."""
    for name, value in values.items():
        runs = runs[runs[name] == value]
    return runs


def interval_columns(name: str, interval: Interval) -> dict[str, float | int]:
    """Columns `<name>_mean`, `_low`, `_high`, `_n`."""
    return {f"{name}_{part}": getattr(interval, part) for part in ("mean", "low", "high", "n")}


def summarise(runs: pd.DataFrame, include_stale: bool = False) -> dict[str, Any]:
    """Accuracy, counts of every status, and where the numbers come from, of one group of planned `runs`."""
    used = usable(runs, include_stale)
    counts = {status: int((runs["status"] == status).sum()) for status in ALL_STATUSES}
    return {
        **interval_columns("accuracy", mean_interval(accuracies(used))),
        "runs_planned": len(runs),
        **{f"runs_{status.replace('-', '_').replace(' ', '_')}": number for status, number in counts.items()},
        "stale_used": include_stale and bool((runs["status"] == STALE).any()),
        **origin(used),
    }


def origin(used: pd.DataFrame) -> dict[str, str | None]:
    """Seeds, hardware, commits, dates and record files behind the `used` runs, each as one text."""
    return {
        "seeds": _join(map(str, sorted(used["seed"]))),
        "hardware": _join(used["hardware"].dropna().unique()),
        "commits": _join(used["commit"].dropna().unique()),
        "first_date": used["date"].min() if len(used) else None,
        "last_date": used["date"].max() if len(used) else None,
        "records": _join(used["run"]),
    }


def _join(texts: Any) -> str | None:
    return "; ".join(texts) or None
