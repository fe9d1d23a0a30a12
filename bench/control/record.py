"""The record of a training of the control: read where it is there, else made."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from bench import data, provenance
from bench.control.training import Ended, train_control
from bench.errors import InputError
from bench.records import read_record, recorded_digest, write_record
from bench.training.clock import Clock
from bench.training.outcome import Diverged
from bench.training.recipe import Recipe
from bench.training.settings import set_determinism

SCHEMA = 1
PUBLISHED: dict[str, Any] = {
    "accuracy": 0.9401,
    "of": "views_accuracy",
    "data": "cifar10",
    "source": "K. Jordan, arXiv 2404.00498",
}
PHASES = ("load", "build", "training", "evaluation")


def there_or_made(
    place: Path, config: dict[str, Any], recipe: Recipe, seed: int, device: torch.device
) -> dict[str, Any]:
    """The record at `place` where it is of these settings and the present code; else train, and write it there."""
    digest = {"code": provenance.code_digest("control")}
    settings = {
        "seed": seed,
        "device_type": device.type,
        "data": {key: value for key, value in config["data"].items() if key != "root"},
        "training": dataclasses.asdict(recipe),
    }
    try:
        record = read_record(place)
        if record.get("settings") == settings and recorded_digest(record, "code") == digest["code"]:
            return record
    except InputError:
        pass  # missing or broken: it is made
    set_determinism(device, seed, capped=False)
    clock = Clock(device)
    with clock.phase("load"):
        images = data.load(config["data"], config["in_channels"], config["classes"])

    def told(epoch: int, loss: float) -> None:
        print(f"seed {seed}, epoch {epoch} of {recipe.epochs}: loss {loss:.3f}", flush=True)

    outcome: dict[str, str | None] = {"status": "ok", "reason": None}
    try:
        ended = train_control(images, recipe, seed, clock, told)
    except Diverged as stopped:
        outcome = {"status": "diverged", "reason": str(stopped)}
        ended = Ended(*(None for _ in dataclasses.fields(Ended)))
    record = {
        "kind": "control",
        "schema": SCHEMA,
        "settings": settings,
        "evaluated_on": images.evaluated_on,
        "outcome": outcome,
        **dataclasses.asdict(ended),
        "published": PUBLISHED,
        "seconds": {phase: clock.phases[phase] for phase in PHASES},
        **provenance.origin(device),
        "digest": digest,
    }
    write_record(place, record)
    return record
