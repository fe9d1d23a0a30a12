"""The memory and step records of a scale as one tidy frame: a row an (architecture, reconstruction), none left out."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import InputError
from bench.records import recorded_digest
from bench.reporting.record_schema import number, read_valid
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE, commit

Pair = tuple[str, str]  # architecture, reconstruction


def memory_path(results: Path, pair: Pair) -> Path:
    """Where the memory record of a pair lies in a scale's results folder."""
    return results / "memory" / f"{pair[0]}-{pair[1]}.json"


def steps_path(results: Path, architecture: str) -> Path:
    """Where the record of an architecture's step times lies in a scale's results folder."""
    return results / "steps" / f"{architecture}.json"


def read_measurements(results: Path, pairs: Sequence[Pair], keys: Mapping[Path, str] | None = None) -> pd.DataFrame:
    """Read the memory record and the step record of every pair.

    `keys` gives the present key of a record by its path, where it is known; another key in the record makes it stale.
    `memory_status` and `steps_status` are `ok`, `out-of-memory`, `not run`, `broken` (`memory_fault`, `steps_fault`) or
    `stale`. Sizes are in bytes, times in seconds; what is not known is NaN.
    """
    keys = keys or {}
    rows = []
    for pair in pairs:
        memory, steps = memory_path(results, pair), steps_path(results, pair[0])
        row = _EMPTY | {"architecture": pair[0], "reconstruction": pair[1]}
        row |= _read(memory, "memory", dict(zip(("architecture", "reconstruction"), pair, strict=True)), keys, pair[1])
        row |= _read(steps, "steps", {"architecture": pair[0]}, keys, pair[1])
        rows.append(row)
    return pd.DataFrame(rows, columns=["architecture", "reconstruction", *_EMPTY])


def _read(path: Path, kind: str, settings: dict[str, Any], keys: Mapping[Path, str], mode: str) -> dict[str, Any]:
    row: dict[str, Any] = {f"{kind}_status": NOT_RUN, f"{kind}_path": str(path)}
    if not path.exists():
        return row
    try:
        record = read_valid(path, kind, settings)
        status = (record.get("outcome") or {"status": "ok"})["status"]
        values = _memory(record) if kind == "memory" else _steps(record, mode) if status == "ok" else {}
    except InputError as error:
        return row | {f"{kind}_status": BROKEN, f"{kind}_fault": str(error)}
    stale = path in keys and recorded_digest(record, "key") != keys[path]
    origin = {"hardware": record["hardware"]["device"], "commit": commit(record["git"]), "date": record["date"]}
    return (
        row
        | values
        | {f"{kind}_{name}": value for name, value in origin.items()}
        | {f"{kind}_status": STALE if stale else status}
    )


def _memory(record: dict[str, Any]) -> dict[str, Any]:
    settings, theory, measured = record["settings"], record["theory"], record["measured"]
    batch = measured["table_batch_size"]
    return {
        "parameters": number(settings["parameters"]),
        "initial_channels": number(settings["initial_channels"]),
        "depths": "-".join(map(str, settings["depths"])),
        "bytes_per_pixel_theory": number(theory["bytes_per_pixel"]),
        "bytes_per_pixel_measured": number(measured["bytes_per_pixel"]),
        "batch_size": batch,
        "peak_bytes_theory": number(theory["batch_bytes"].get(str(batch))),
        "peak_bytes_measured": number(measured["table_peak_bytes"]),
        "peak_extrapolated": bool(measured.get("table_peak_extrapolated")),
        "forward_equivalents": number(theory["forward_equivalents"]),
    }


def _steps(record: dict[str, Any], mode: str) -> dict[str, Any]:
    """Times of `mode`; its ratio is to the same network's ideal mode, or else to the record's reference."""
    seconds = record["seconds"].get(mode)
    if seconds is None:
        name = record["settings"]["architecture"]
        raise InputError(f"The step record of {name} has no times for {mode}; delete it and run it again.")
    values: dict[str, Any] = {"step_s": statistics.median(seconds)}
    ratio, relative_to = (record.get("ratio_to_ideal") or {}).get(mode), "ideal"
    if ratio is None and record.get("reference") is not None:
        ratio, relative_to = record.get("ratio_to_reference", {}).get(mode), record["reference"]
    elif ratio is None and mode == "ideal":
        ratio = dict.fromkeys(("median", "low", "high"), 1.0)  # itself
    if ratio is None:
        return values
    names = {"step_ratio": "median", "step_ratio_low": "low", "step_ratio_high": "high"}
    return values | {name: number(ratio[key]) for name, key in names.items()} | {"step_ratio_to": relative_to}


_NUMBERS = (
    "parameters",
    "initial_channels",
    "bytes_per_pixel_theory",
    "bytes_per_pixel_measured",
    "batch_size",
    "peak_bytes_theory",
    "peak_bytes_measured",
    "forward_equivalents",
    "step_s",
    "step_ratio",
    "step_ratio_low",
    "step_ratio_high",
)
_OF_RECORD = ("status", "fault", "path", "hardware", "commit", "date")
_TEXTS = (
    "depths",
    "step_ratio_to",
    "peak_extrapolated",
    *(f"{kind}_{name}" for kind in ("memory", "steps") for name in _OF_RECORD),
)
_EMPTY: dict[str, Any] = dict.fromkeys(_NUMBERS, math.nan) | dict.fromkeys(_TEXTS)
