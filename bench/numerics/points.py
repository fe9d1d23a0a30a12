"""The points of the sweeps: which networks are trained, in which mode, and in which sweep each is a point.

Depths grow as in the authors' experiments: (0, 1, 1) units at the three resolutions, and one more at the first, second
and third in turn with every step. Points of two sweeps that ask for the same network share one training run.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from bench.configuration import Configuration

ARCHITECTURES = ("layerwise", "hybrid")
# mode -> (reconstruction, how batch norm restores its input)
MODES = {
    "ideal": ("ideal", "statistics"),
    "noisy": ("noisy", "statistics"),
    "renormalised": ("noisy", "renormalised"),
}
START = (0, 1, 1)


def depths_at(step: int) -> tuple[int, ...]:
    """Units (layer-wise) or blocks (hybrid) at each resolution after `step` additions; step 1 is (1, 1, 1)."""
    return tuple(start + (step + 2 - place) // 3 for place, start in enumerate(START))


@dataclass(frozen=True)
class Variant:
    """What may be changed against noise: options of the architecture, gamma fixed at 1, float64 throughout, TF32."""

    options: dict[str, Any] = field(default_factory=dict, hash=False)
    frozen_gamma: bool = False
    float64: bool = False
    tf32: bool = False


@dataclass(frozen=True)
class Point:
    """One training run."""

    architecture: str
    mode: str
    step: int
    seed: int
    variant: Variant = Variant()

    @property
    def name(self) -> str:
        """Its file's name: what it is, and a digest of its variant where it has one."""
        text = json.dumps(vars(self.variant), sort_keys=True)
        mark = "" if self.variant == Variant() else f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        return f"{self.architecture}-{self.mode}-step{self.step}{mark}-seed{self.seed}"


@dataclass(frozen=True)
class Place:
    """A point in a sweep: where its accuracy is drawn."""

    sweep: str  # "depth", "slope" or "repairs"
    point: Point
    slope: float | None = None
    repair: str | None = None


def depth_places(numerics: dict[str, Any]) -> list[Place]:
    """Figures 11 and 13 against depth: every mode."""
    return [
        Place("depth", Point(architecture, mode, step, seed))
        for architecture in ARCHITECTURES
        for step in numerics["depth"][architecture]
        for mode in MODES
        for seed in numerics["seeds"]
    ]


def slope_places(numerics: dict[str, Any]) -> list[Place]:
    """Figures 11 and 13 against the negative slope, at one depth."""
    sweep = numerics["slope"]
    return [
        Place("slope", Point(architecture, mode, sweep["steps"][architecture], seed, slope_variant(slope)), slope=slope)
        for architecture in ARCHITECTURES
        for slope in sweep[architecture]
        for mode in ("ideal", "noisy")
        for seed in sweep["seeds"] or numerics["seeds"]
    ]


def slope_variant(slope: float) -> Variant:
    """The variant with another negative slope; the architecture's own slope is no variant."""
    from bench.architectures import ARCHITECTURES as REGISTERED

    default = REGISTERED["layerwise"].defaults["negative_slope"]
    return Variant() if slope == default else Variant({"negative_slope": slope})


def repair_places(numerics: dict[str, Any], repair: str, step: int) -> list[Place]:
    """The runs that tell whether `repair` holds at `step`: ideal and noisy from every seed."""
    sweep = numerics["repairs"]
    variant = Variant(**sweep["variants"][repair])
    return [
        Place("repairs", Point("layerwise", mode, step, seed, variant), repair=repair)
        for mode in ("ideal", "noisy")
        for seed in sweep["seeds"] or numerics["seeds"]
    ]


def all_places(configuration: Configuration) -> list[Place]:
    """Every place of the sweeps; of the repairs those too that may turn out not to be needed."""
    numerics = configuration["numerics"]
    repairs = [
        place
        for repair in numerics["repairs"]["variants"]
        for step in numerics["repairs"]["steps"]
        for place in repair_places(numerics, repair, step)
    ]
    return [*depth_places(numerics), *slope_places(numerics), *repairs]
