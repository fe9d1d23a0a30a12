"""What the section `numerics` of a configuration may not ask for, told before anything is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import InputError
from bench.numerics.variants import check_variants


def check_section(path: Path | str, numerics: Mapping[str, Any]) -> None:
    """Refuse what the sweeps of the configuration at `path` would not do, or would do without saying so.

    Signal-to-noise ratios and angles are those of float32, or of the number format of a variant: a training in another
    one would not be the one that they are about.
    """
    if held_out := numerics["data"]["validation_images"]:
        raise InputError(
            f"{path}: numerics.data.validation_images is {held_out}, but the sweeps are evaluated on test images; take"
            " it out."
        )
    precision = numerics["training"]["precision"]
    if precision != "float32":
        raise InputError(
            f"{path}: numerics.training.precision is {precision!r}, but the sweeps are about float32; take it out, and"
            " give another number format as one of numerics.repairs.variants (tf32, float64)."
        )
    check_variants(path, numerics)
