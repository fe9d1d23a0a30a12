"""Choosing a recipe on training images held out for it: every combination of what is to be tried, and how it did.

The test set is never read for an evaluation here, so that what it says of the chosen recipe later is about new images.
"""

import copy
import dataclasses
import itertools
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import yaml

from bench.architectures.registry import SHAPE
from bench.configuration import SCHEMA
from bench.errors import InputError
from bench.plain_data import unfit
from bench.schema import fault
from bench.strict_yaml import read_yaml
from bench.training.network import network
from bench.training.recipe import Recipe, recipe_from

OPTION = "options."  # what an architecture is built with, beside the recipe
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")  # such as 1e-2, which YAML takes for text
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

    @property
    def unfinished(self) -> int:
        """Runs that did not come to their end."""
        return sum(accuracy is None for accuracy in self.accuracies.values())

    def entry(self) -> dict[str, Any]:
        """The trial as the record has it."""
        by_seed = {str(seed): accuracy for seed, accuracy in self.accuracies.items()}
        return {"settings": self.settings, "accuracies": by_seed, "mean": self.score, "seconds": self.seconds}


def values_tried(texts: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each key, from `--try` as it was given, each time of another key."""
    tried: dict[str, list[Any]] = {}
    for key, values in map(parsed, texts):
        if key in tried:
            raise InputError(f"--try {key} is given twice; give all of its values at once, as KEY=V1,V2,...")
        tried[key] = values
    return tried


def parsed(text: str) -> tuple[str, list[Any]]:
    """`key=1,2` as (key, [1, 2]); values are read as YAML, and what looks like a number is one."""
    key, equals, values = text.partition("=")
    if not (key and equals and values):
        raise InputError(f"--try {text} is not KEY=V1,V2,...; give values of one setting.")
    try:
        read = [float(each) if NUMBER.fullmatch(each.strip()) else yaml.safe_load(each) for each in values.split(",")]
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"--try {text} has a value that is not valid YAML; give numbers or words.") from error
    return key.strip(), read


def combinations(tried: Mapping[str, Sequence[Any]]) -> list[Settings]:
    """Every combination of the values tried, the last key varying fastest; `InputError` for an unknown key."""
    known = {field.name for field in dataclasses.fields(Recipe)}
    for key in tried:
        if key.removeprefix(OPTION) in SHAPE:
            raise InputError(f"--try {key} is no option, but part of the network's shape; try it in a configuration.")
        if key not in known and not key.startswith(OPTION):
            raise InputError(
                f"--try {key} is no setting of the recipe; choose from {', '.join(sorted(known))}, or {OPTION}<name>."
            )
    return [dict(zip(tried, values, strict=True)) for values in itertools.product(*tried.values())]


def changed(config: dict[str, Any], architecture: str, settings: Settings, held_out: int | None) -> dict[str, Any]:
    """`config` with `settings` in place of its own, evaluated on `held_out` of its training images (None: on others).

    Raises `InputError` where a configuration could not say that.
    """
    config = copy.deepcopy(config)
    config["data"]["validation_images"] = held_out
    entry = config["architectures"][architecture]
    entry["options"] = entry.get("options") or {}
    for key, value in settings.items():
        if key.startswith(OPTION):
            entry["options"][key.removeprefix(OPTION)] = value
        else:
            config["training"][key] = value
    if wrong := fault(config, read_yaml(SCHEMA)) or unfit(settings):
        raise InputError(f"--try: {wrong}.")
    return config


def check_tried(tried: Iterable[str], config: dict[str, Any], device: dict[str, Any]) -> None:
    """Refuse to try keys of the recipe that no run of `config` on `device` would follow: its trials would all be one.

    `device` is an entry of `devices`.
    """
    training, where = config["training"], f"the device {device['name']!r}"
    passed_over = {
        "norm_scale_eps": training["norm_scale"] != "absolute" and f"norm_scale is {training['norm_scale']}",
        "lookahead_decay": not training["lookahead"] and "lookahead is 0",
        "batch_size": device["batch_size"] and f"{where} has {device['batch_size']} in its place",
        "epochs": device["epochs"] and f"{where} has {device['epochs']} in their place",
    }
    for key in tried:
        if reason := passed_over.get(key):
            raise InputError(f"--try {key} changes nothing, since {reason}; change that, or try another setting.")


def check_trial(config: dict[str, Any], architecture: str, reconstruction: str, device: dict[str, Any]) -> None:
    """Refuse what a run of `config` would refuse, before another run is trained; `device` is an entry of `devices`."""
    recipe_from(config["training"], device)
    with torch.device("meta"):  # shapes without memory
        network(config, architecture, reconstruction)


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
