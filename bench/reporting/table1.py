"""Table 1: what each pattern of reconstruction costs and gives. A row an architecture and reconstruction."""

from pathlib import Path
from typing import Any

import pandas as pd

from bench.reporting import cells, published
from bench.reporting.patterns import original, pattern
from bench.reporting.statistics import Interval, paired_gap
from bench.reporting.summary import accuracies, interval_columns, select, summarise, usable, used_statuses

_MEMORY = (
    "bytes_per_pixel_theory",
    "bytes_per_pixel_measured",
    "batch_size",
    "peak_bytes_theory",
    "peak_bytes_measured",
    "forward_equivalents",
)
_STEPS = ("step_ratio", "step_ratio_low", "step_ratio_high", "step_ratio_to", "step_s")
_WORDS = ("depths", "step_ratio_to")  # values that are no numbers
_STATUS = ("memory_status", "steps_status", "memory_hardware", "steps_hardware", "memory_commit", "steps_commit")


def table1_frame(
    runs: pd.DataFrame, measurements: pd.DataFrame, device: str, include_stale: bool = False
) -> pd.DataFrame:
    """Numbers of Table 1 (fractions, bytes, seconds) from the frames of runs and measurements, in the latter's order.

    Accuracy and gap are of the runs on `device`. The gap is this reconstruction minus ideal, paired by seed.
    """
    here = select(runs, device=device)
    return pd.DataFrame([_row(here, row, device, include_stale) for _, row in measurements.iterrows()])


def _row(runs: pd.DataFrame, measured: pd.Series, device: str, include_stale: bool) -> dict[str, Any]:
    names = {"architecture": measured["architecture"], "reconstruction": measured["reconstruction"]}
    own = select(runs, **names)
    ideal = select(runs, architecture=original(names["architecture"]), reconstruction="ideal")
    proposed = tuple(names.values()) == (published.ARCHITECTURE, published.RECONSTRUCTION)
    return {
        **names,
        "pattern": pattern(*names.values()),
        **_shape(own, measured, include_stale),
        **_current(measured, "memory", _MEMORY, include_stale),
        **_current(measured, "steps", _STEPS, include_stale),
        "device": device,
        **summarise(own, include_stale),
        **interval_columns("gap", _gap(own, ideal, names["reconstruction"], include_stale)),
        **{name: measured[name] for name in _STATUS},
        **{f"{kind}_record": _record(measured, kind, include_stale) for kind in ("memory", "steps")},
        "paper_accuracy": published.ACCURACY if proposed else float("nan"),
        "paper_bytes_per_pixel": published.BYTES_PER_PIXEL if proposed else float("nan"),
    }


def _gap(own: pd.DataFrame, ideal: pd.DataFrame, reconstruction: str, include_stale: bool) -> Interval:
    if reconstruction == "ideal":
        ideal = ideal.iloc[:0]  # a network is not compared with itself
    return paired_gap(accuracies(usable(own, include_stale)), accuracies(usable(ideal, include_stale)))


def _record(measured: pd.Series, kind: str, include_stale: bool) -> str | None:
    """File of the memory or step record, from the results folder; None where its numbers are not used."""
    path = Path(measured[f"{kind}_path"])
    return f"{kind}/{path.name}" if measured[f"{kind}_status"] in used_statuses(include_stale) else None


def _shape(runs: pd.DataFrame, measured: pd.Series, include_stale: bool) -> dict[str, Any]:
    """Width, depths and parameters, from the memory record or else from the first run that has them."""
    names = ("initial_channels", "depths", "parameters")
    shape = _current(measured, "memory", names, include_stale)
    recorded = usable(runs, include_stale).dropna(subset=["parameters"])
    return dict(recorded.iloc[0][[*names]]) if pd.isna(shape["parameters"]) and len(recorded) else shape


def _current(measured: pd.Series, kind: str, names: tuple[str, ...], include_stale: bool) -> dict[str, Any]:
    """The values of a memory or step record, empty where it is stale and stale ones are not asked for."""
    use = measured[f"{kind}_status"] in used_statuses(include_stale)
    return {name: measured[name] if use else None if name in _WORDS else float("nan") for name in names}


def table1_display(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as a reader sees it: text cells under two-level heads."""
    return pd.DataFrame([_display(row, _batch(frame)) for _, row in frame.iterrows()])


def _batch(frame: pd.DataFrame) -> str:
    sizes = frame["batch_size"].dropna().unique()
    return " at batch " + ", ".join(f"{int(size)}" for size in sizes) if len(sizes) else ""


def _display(row: pd.Series, batch: str) -> dict[tuple[str, str], str]:
    def of(kind: str, text: str) -> str:
        state = row[f"{kind}_status"]
        return text if text != cells.DASH or state == "ok" else state.replace("-", " ")

    shape = (
        cells.DASH if cells.is_missing(row["depths"]) else f"{cells.count(row['initial_channels'])}; {row['depths']}"
    )
    return {
        ("Architecture", ""): row["architecture"],
        ("Reconstruction", ""): f"{row['reconstruction']}: {row['pattern']}",
        ("c0; depths", ""): shape,
        ("Parameters", ""): cells.count(row["parameters"]),
        ("Bytes per pixel", "theory"): of("memory", cells.decimal(row["bytes_per_pixel_theory"], 0)),
        ("Bytes per pixel", "measured"): of("memory", cells.decimal(row["bytes_per_pixel_measured"], 0)),
        (f"Peak MB{batch}", "theory"): of("memory", cells.megabytes(row["peak_bytes_theory"])),
        (f"Peak MB{batch}", "measured"): of("memory", cells.megabytes(row["peak_bytes_measured"])),
        ("Forward-equivalents", ""): of("memory", cells.decimal(row["forward_equivalents"], 1)),
        ("Step time", "relative"): of("steps", cells.ratio(row)),
        ("Accuracy", "%"): cells.accuracy(row),
        ("Gap to ideal", "points"): cells.percent_interval(row, "gap", signed=True),
        ("Paper", "CIFAR-10"): _paper(row),
    }


def _paper(row: pd.Series) -> str:
    if cells.is_missing(row["paper_accuracy"]):
        return cells.DASH
    return f"{100 * row['paper_accuracy']:.1f} %; {row['paper_bytes_per_pixel']:.0f} bytes per pixel"


NOTES = (
    "A network is trained and measured in each reconstruction: ideal stores every activation that the backward pass "
    "needs, by PyTorch's own autograd and kernels; noisy reconstructs it by the floating-point inverse of what is "
    "named; exact does so bit for bit, on a grid (docs/exact.md). c0: channels after the stem; depths: "
    "units at each resolution.",
    "Bytes per pixel: peak memory of a training step per input pixel, weights and fixed costs not counted (theory: the "
    "paper's model, without the input image; measured: slope between two batch sizes, the float32 image included, 12 "
    "bytes per pixel at three channels). Peak MB: theory, the paper's M, which is weights and, images aside, what "
    "grows with the batch; measured, all that is live, images, weight gradients and optimizer included; 1 MB = "
    "1,000,000 bytes.",
    "Forward-equivalents: operations of a training step in forward passes (3 = forward and backward, nothing "
    "recomputed). Step time: measured, relative to the same network in ideal mode (a baseline's that is in it: to "
    "resnet18; streamed-int16: to streamed in ideal mode): median (its 95 % bootstrap interval) over paired rounds.",
    "Accuracy: final test accuracy, mean ± half of the 95 % t-interval over n runs that trained to their end; others "
    "are counted beside it. Gap: this mode minus ideal (streamed-int16: minus streamed in ideal mode), paired by "
    "seed, with the same interval.",
    f"Paper: {published.SOURCE}.",
)
