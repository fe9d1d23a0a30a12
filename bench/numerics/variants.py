"""The changes of the repairs, looked at before anything is trained: the sweeps before them take hours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.architectures import build
from bench.architectures.registry import check_options
from bench.errors import InputError
from bench.numerics.points import MODES, START

SWEPT = "norm_inverse"  # an option that the modes of the sweeps set


def check_variants(path: Path | str, numerics: Mapping[str, Any]) -> None:
    """Refuse options in the section `numerics` of the configuration at `path` that the layer-wise network lacks."""
    for name, variant in numerics["repairs"]["variants"].items():
        try:
            _check(variant["options"])
        except InputError as error:
            raise InputError(f"{path}: numerics.repairs.variants.{name}.options: {error}") from error


def _check(options: Mapping[str, Any]) -> None:
    if not options:
        return
    if SWEPT in options:
        raise InputError(f"{SWEPT} is what the modes of the sweeps differ in; leave it out.")
    check_options("layerwise", options)
    with torch.device("meta"):  # shapes without memory
        build("layerwise", MODES["noisy"][0], depths=START, **options)
