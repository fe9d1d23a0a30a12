"""Choosing a recipe on training images held out for it: every combination of what is to be tried, and how it did.

The test set is never read for an evaluation here, so that what it says of the chosen recipe later is about new images.
"""

import copy
import dataclasses
import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.errors import InputError
from bench.training.recipe import Recipe

OPTION = "options."  # what an architecture is built with, beside the recipe
Settings = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One combination of settings and its runs: final accuracy on the held-out images by seed, None where none came."""

    settings: Settings
    accuracies: dict[int, float | None]
    seconds: float

    @property
    def score(self) -> float:
        """Mean accuracy; a run that did not come to its end counts as 0, so that a risky recipe is not chosen."""
        return statistics.fmean(accuracy or 0.0 for accuracy in self.accuracies.values())

    def entry(self) -> dict[str, Any]:
        """The trial as the record has it."""
        by_seed = {str(seed): accuracy for seed, accuracy in self.accuracies.items()}
        return {"settings": self.settings, "accuracies": by_seed, "mean": self.score, "seconds": self.seconds}


def combinations(tried: Mapping[str, Sequence[Any]]) -> list[Settings]:
    """Every combination of the values tried, the last key varying fastest; `InputError` for an unknown key."""
    known = {field.name for field in dataclasses.fields(Recipe)}
    for key in tried:
        if key not in known and not key.startswith(OPTION):
            raise InputError(
                f"--try {key} is no setting of the recipe; choose from {', '.join(sorted(known))}, or {OPTION}<name>."
            )
    return [dict(zip(tried, values, strict=True)) for values in itertools.product(*tried.values())]


def changed(config: dict[str, Any], architecture: str, settings: Settings, held_out: int) -> dict[str, Any]:
    """`config` with `settings` in place of its own, evaluated on `held_out` of its training images."""
    config = copy.deepcopy(config)
    config["data"]["validation_images"] = held_out
    entry = config["architectures"][architecture]
    entry["options"] = entry.get("options") or {}
    for key, value in settings.items():
        if key.startswith(OPTION):
            entry["options"][key.removeprefix(OPTION)] = value
        else:
            config["training"][key] = value
    return config


def search(
    tried: Sequence[Settings], seeds: Sequence[int], run: Callable[[Settings, int], dict[str, Any]]
) -> list[Trial]:
    """Run every combination with every seed, `run` giving the record of one; the best comes first."""
    trials = []
    for settings in tried:
        records = {seed: run(settings, seed) for seed in seeds}
        accuracies = {seed: record["outcome"]["accuracy"] for seed, record in records.items()}
        seconds = sum(record["seconds"]["load"] + record["seconds"]["training"] for record in records.values())
        trials.append(Trial(settings, accuracies, seconds))
    return sorted(trials, key=lambda trial: trial.score, reverse=True)
