"""The record of a training run: what was asked for, how it ended, what it took, and where it was made."""

import dataclasses
import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import Any

import torch

from bench import provenance
from bench.training.outcome import Outcome, time_to_target
from bench.training.processes import Processes
from bench.training.recipe import Recipe

SCHEMA = 1


def settings_of(
    config: dict[str, Any],
    architecture: str,
    reconstruction: str,
    seed: int,
    device: dict[str, Any],
    device_type: str,
    recipe: Recipe,
) -> dict[str, Any]:
    """What a run was asked for. Shape and parameters follow once the network is built (`shape_of`)."""
    data = config["data"]
    entry = config["architectures"][architecture]
    return {
        "scale": config["scale"],
        "architecture": architecture,
        "reconstruction": reconstruction,
        "seed": seed,
        "device": device["name"],
        "device_type": device_type,
        "label": device.get("label"),
        "memory_cap_mb": device.get("memory_cap_mb"),
        "data": data["name"],
        "train_images": data.get("train_images"),
        "test_images": data.get("test_images"),
        "evaluated_on": None,
        "image_size": data["image_size"],
        "classes": config["classes"],
        "in_channels": config["in_channels"],
        "budget": config["budget"],
        "parameters": None,
        "initial_channels": entry.get("initial_channels"),
        "depths": list(entry["depths"]),
        "widths": None,
        "options": entry.get("options") or {},
        "target_accuracy": config["target_accuracy"],
        "training": dataclasses.asdict(recipe),
    }


def shape_of(shape: Any) -> dict[str, Any]:
    """The settings that the solver chose."""
    return {
        "parameters": shape.parameters,
        "initial_channels": shape.initial_channels,
        "depths": list(shape.depths),
        "widths": None if shape.widths is None else list(shape.widths),
    }


def run_record(
    settings: dict[str, Any],
    outcome: Outcome,
    history: list[dict[str, Any]],
    seconds: dict[str, float],
    peak_memory: dict[str, Any],
    digest: dict[str, str],
    device: torch.device,
    processes: Processes,
    **remarks: Any,
) -> dict[str, Any]:
    """Put a record together. `remarks` are facts beside the rest: allocator, source of the data, times resumed."""
    target = settings["target_accuracy"]
    hardware = provenance.hardware(device)
    if processes.several:
        hardware["device"] = f"{processes.count} processes, {hardware['device']} each"
    batch_size = settings["training"]["batch_size"]
    return {
        "kind": "train",
        "schema": SCHEMA,
        "settings": settings,
        "outcome": dataclasses.asdict(outcome),
        "history": history,
        "seconds": seconds,
        "time_to_target_s": time_to_target(history, target, seconds["load"]),
        "peak_memory": peak_memory,
        "hardware": hardware,
        "processes": {
            "count": processes.count,
            "global_batch_size": batch_size,
            "batch_size_each": batch_size // processes.count,
            "batch_normalisation": "over the images of each process" if processes.several else "over the batch",
        },
        "versions": provenance.versions(),
        "git": provenance.git(),
        "digest": digest,
        **remarks,
        "command": ["python", "-m", "bench", *sys.argv[1:]],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def digest_of(value: Any) -> str:
    """Digest, 12 hexadecimal digits, of a value made of plain dictionaries, lists, texts and numbers."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
