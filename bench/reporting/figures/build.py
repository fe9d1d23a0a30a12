"""All figures of a scale: CSVs from the records, then each figure from its CSV."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.records import write_text
from bench.reporting.figures import frames, layers, limits, networks, repairs, style, sweeps
from bench.reporting.figures.names import FIGURES
from bench.reporting.figures.thresholds import thresholds_frame

DRAW: dict[str, Callable[..., Figure]] = {
    "figure6": layers.figure6,
    "figure7": layers.figure7,
    "noise_near_signal": layers.noise_near_signal,
    "coupling": layers.coupling,
    "figure10": partial(networks.layer_by_layer, title="Layer-wise network of {} units"),
    "figure11": sweeps.sweep_figure,
    "figure12": partial(
        networks.layer_by_layer, title="Hybrid network of {} units (marks: not inside a reversible block)"
    ),
    "figure13": sweeps.sweep_figure,
    "gradient_angles": networks.gradient_angles,
    "repairs": repairs.repairs_figure,
}


def tables(single: Mapping[str, Any], swept: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Every CSV by name, from the records of the experiments `layers` and `sweeps`."""
    places, by_layer = frames.places_frame(swept), frames.layers_frame(swept)
    angles, repaired = frames.angles_frame(by_layer), frames.repairs_frame(places)
    rows = {name: pd.DataFrame(found) for name, found in single["rows"].items()}
    return {
        **rows,
        "formula_limits": limits.formula_limits(rows["noise_near_signal"]),
        "figure10": frames.curves(by_layer, "layerwise"),
        "figure11": frames.sweep_frame(places, "layerwise").assign(chance=1 / swept["settings"]["classes"]),
        "figure12": frames.curves(by_layer, "hybrid"),
        "figure13": frames.sweep_frame(places, "hybrid").assign(chance=1 / swept["settings"]["classes"]),
        "gradient_angles": angles,
        "thresholds": thresholds_frame(angles, places),
        "repairs": repaired,
        "repair_limits": limits.repair_limits(repaired),
    }


def write_csvs(single: Mapping[str, Any], swept: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write every CSV into `folder`; returns their paths."""
    paths = []
    for name, frame in tables(single, swept).items():
        paths.append(folder / f"{name}.csv")
        write_text(paths[-1], frame.to_csv(index=False, float_format="%.8g", lineterminator="\n"))
    return paths


def draw_figures(folder: Path) -> list[Path]:
    """Draw every figure from the CSVs in `folder`, beside them; returns the figures' paths."""
    paths = []
    for name, sources in FIGURES.items():
        paths += style.save(DRAW[name](*(pd.read_csv(folder / f"{source}.csv") for source in sources)), folder, name)
    return paths
