"""Made-up records for the tests of the tables: a small factory of numbers that can be checked by hand."""

import copy
from pathlib import Path
from typing import Any

from bench.plan import Run
from bench.records import write_record
from bench.reporting.build import Study

KEY = "0123456789ab"


def origin(device: str = "CPU A (2 threads)") -> dict[str, Any]:
    return {
        "hardware": {"device": device},
        "git": {"commit": "abcdef0123456789", "dirty": False},
        "digest": {"configuration": "c", "code": "d", "key": KEY},
        "date": "2026-01-02T03:04:05+00:00",
    }


def train_record(run: Run, **changes: Any) -> dict[str, Any]:
    """A record of `run` that ended ok; `changes` replace values by dotted path, written with `__`."""
    record = {
        "kind": "train",
        "schema": 1,
        "settings": {
            "architecture": run.architecture,
            "reconstruction": run.reconstruction,
            "device": run.device,
            "seed": run.seed,
            "data": "digits",
            "train_images": 1437,
            "test_images": 360,
            "image_size": 32,
            "target_accuracy": 0.94,
            "parameters": 175_000,
            "initial_channels": 16,
            "depths": [1, 2, 2],
        },
        "outcome": {"status": "ok", "reason": None, "accuracy": 0.95, "reached_target": True},
        "history": [],
        "seconds": {"load": 1.0, "build": 0.5, "training": 9.0, "evaluation": 2.0, "everything": 14.0},
        "time_to_target_s": 8.0,
        "peak_memory": {
            "process_resident_bytes": 400_000_000,
            "cuda_allocated_bytes": None,
            "cuda_reserved_bytes": None,
        },
        **origin(),
    }
    return changed(record, changes)


def memory_record(architecture: str, reconstruction: str, **changes: Any) -> dict[str, Any]:
    record = {
        "kind": "memory",
        "schema": 1,
        "settings": {
            "architecture": architecture,
            "reconstruction": reconstruction,
            "parameters": 175_000,
            "initial_channels": 16,
            "depths": [1, 2, 2],
        },
        "theory": {"bytes_per_pixel": 352.0, "batch_bytes": {"512": 186_000_000}, "forward_equivalents": 5.0},
        "measured": {"bytes_per_pixel": 349.5, "table_batch_size": 512, "table_peak_bytes": 187_654_321},
        **origin(),
    }
    return changed(record, changes)


def steps_record(architecture: str, **changes: Any) -> dict[str, Any]:
    record = {
        "kind": "steps",
        "schema": 1,
        "settings": {"architecture": architecture},
        "seconds": {"ideal": [1.0, 1.1, 0.9], "noisy": [1.5, 1.6, 1.4]},
        "ratio_to_ideal": {"noisy": {"median": 1.5, "low": 1.4, "high": 1.6}},
        **origin(),
    }
    return changed(record, changes)


def changed(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    record = copy.deepcopy(record)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = record
        for parent in parents:
            place = place[parent]
        place[last] = value
    return record


def write_train(results: Path, run: Run, **changes: Any) -> Path:
    path = results / "runs" / run.name / "record.json"
    write_record(path, train_record(run, **changes))
    return path


def study(runs: list[Run], **changes: Any) -> Study:
    """A study of these runs; its pairs are theirs, its present keys are those that the factory writes."""
    pairs = list(dict.fromkeys((run.architecture, run.reconstruction) for run in runs))
    values = {
        "scale": "quick",
        "target_accuracy": 0.94,
        "runs": runs,
        "pairs": pairs,
        "keys": {run.name: KEY for run in runs},
        "device": runs[0].device if runs else "machine",
    }
    return Study(**(values | changes))
