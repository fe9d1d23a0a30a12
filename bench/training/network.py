"""The step from a configuration to a network: its shape is solved for the budget, then it is built."""

from typing import Any

import psutil
from torch import nn

from bench.architectures import Shape, build, solve
from bench.architectures.budget import parameters_of
from bench.architectures.registry import check_options
from bench.errors import InputError
from bench.training.norms import set_norms
from bench.training.recipe import Recipe

BYTES_A_PARAMETER = 12  # a weight, its gradient and its momentum, in float32


def network(config: dict[str, Any], architecture: str, reconstruction: str) -> tuple[nn.Module, Shape]:
    """Build `architecture` as `config` asks: with its `initial_channels` where given, else as the solver chooses.

    Raises `InputError` when the configuration does not have the architecture or the reconstruction does not exist.
    """
    entry = architecture_entry(config, architecture)
    options = entry.get("options") or {}
    check_options(architecture, options)
    told = {"classes": config["classes"], "in_channels": config["in_channels"], **options}
    if entry.get("initial_channels") is None:
        check_budget(config["budget"])
        shape = solve(architecture, config["budget"], tuple(entry["depths"]), **told)
        return build(architecture, reconstruction, **shape.arguments(), **told), shape
    channels, depths = entry["initial_channels"], tuple(entry["depths"])
    model = build(architecture, reconstruction, initial_channels=channels, depths=depths, **told)
    return model, Shape(channels, depths, parameters_of(model))


def check_budget(budget: int) -> None:
    """Refuse a budget that this machine's free memory does not hold: it would be exhausted, and the process killed."""
    needed, available = BYTES_A_PARAMETER * budget, psutil.virtual_memory().available
    if needed > available:
        raise InputError(
            f"A budget of {budget:,} parameters takes {needed / 1e6:,.0f} MB for weights, gradients and momentum, but"
            f" this machine has {available / 1e6:,.0f} MB of free memory; lower the budget."
        )


def trained_network(
    config: dict[str, Any], architecture: str, reconstruction: str, recipe: Recipe
) -> tuple[nn.Module, Shape]:
    """`network`, with batch normalisation as `recipe` says: what is trained, and what is measured."""
    model, shape = network(config, architecture, reconstruction)
    set_norms(model, recipe)
    return model, shape


def architecture_entry(config: dict[str, Any], architecture: str) -> dict[str, Any]:
    """What the configuration says of an architecture; `InputError` names the choices."""
    if architecture not in config["architectures"]:
        choices = ", ".join(config["architectures"])
        raise InputError(f"Scale {config['scale']!r} has no architecture {architecture!r}; choose one of {choices}.")
    return config["architectures"][architecture]
