"""What memory and step records have in common: the network as it was built, and where the numbers come from."""

from typing import Any

import torch

from bench import provenance
from bench.architectures import Shape
from bench.plan import measured_recipe
from bench.training.run_record import digest_of

SCHEMA = 1


def shape_settings(config: dict[str, Any], architecture: str, shape: Shape) -> dict[str, Any]:
    """The settings that say which network it was."""
    return {
        "scale": config["scale"],
        "architecture": architecture,
        "initial_channels": shape.initial_channels,
        "depths": list(shape.depths),
        "widths": None if shape.widths is None else list(shape.widths),
        "parameters": shape.parameters,
        "budget": config["budget"],
        "options": config["architectures"][architecture].get("options") or {},
        "image_size": config["data"]["image_size"],
        "in_channels": config["in_channels"],
        "classes": config["classes"],
        **measured_recipe(config),
    }


def origin(config: dict[str, Any], kind: str, key: str, device: torch.device) -> dict[str, Any]:
    """Hardware, versions, commit, digests, command and date; `key` is the plan's key of the record."""
    return {
        **provenance.origin(device),
        "digest": {"configuration": digest_of(config), "code": provenance.code_digest(kind), "key": key},
    }
