"""Table 2: time and accuracy at a number of epochs fixed in advance, and time to the target accuracies.

A row a device, architecture and reconstruction.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.reporting import cells, published
from bench.reporting.devices import row_labels
from bench.reporting.statistics import mean_interval, time_to_target
from bench.reporting.summary import GROUP, finished, interval_columns, summarise, usable

FLIP_TTA = ("Accuracy with flip TTA", "%")


def table2_frame(
    runs: pd.DataFrame,
    labels: Mapping[str, str],
    target_accuracy: float,
    include_stale: bool = False,
    further_targets: Sequence[float] = (),
) -> pd.DataFrame:
    """Numbers of Table 2 (fractions, bytes, seconds) from the frame of runs, in its order, then the published row.

    `labels` gives what a device is called by its name, e.g. that it is emulated. `further_targets` are accuracies that
    there are columns of besides `target_accuracy`.
    """
    targets = _by_name(target_accuracy, further_targets)
    called = row_labels(runs, labels, include_stale)
    rows = [
        dict(zip(GROUP, names, strict=True)) | {"label": called[names]} | _row(group, include_stale, targets)
        for names, group in runs.groupby(GROUP, sort=False)
    ]
    # The columns are there, too, where a scale measures and trains nothing.
    columns = [*GROUP, "label", *_row(runs.iloc[:0], include_stale, targets), *_PUBLISHED]
    return pd.DataFrame([*rows, _PUBLISHED], columns=list(dict.fromkeys(columns)))


def _row(runs: pd.DataFrame, include_stale: bool, targets: Mapping[str, float]) -> dict[str, Any]:
    used = usable(runs, include_stale)
    ended = finished(used)
    return {
        "source": "measured",
        "parameters": used["parameters"].dropna().max(),
        **summarise(runs, include_stale),
        **interval_columns("flip_tta_accuracy", mean_interval(ended["flip_tta_accuracy"])),
        **{name: number for key, target in targets.items() for name, number in _at_target(key, used, target).items()},
        "total_median_s": ended["total_s"].median(),
        "everything_median_s": ended["everything_s"].median(),
        "peak_memory_bytes": used["peak_memory_bytes"].max(),
        "peak_memory_kind": "; ".join(used["peak_memory_kind"].dropna().unique()) or None,
        "reason": "; ".join(used["reason"].dropna().unique()) or None,
    }


def _at_target(name: str, used: pd.DataFrame, target: float) -> dict[str, Any]:
    """Columns of one target: how many runs are there at their end, how many ever were, and the median time to it.

    A run that was judged by another target has its time to this one in its accuracies by epoch.
    """
    times_s = used["epochs"].map(lambda epochs: _first_at(epochs, target)).astype(float)
    time = time_to_target(used["time_to_target_s"].where(used["target_accuracy"] == target, times_s))
    return {
        f"final_at_{name}_k": int((finished(used)["accuracy"] >= target).sum()),
        f"final_at_{name}_n": time.n,
        f"{name}_reached_k": time.reached,
        f"{name}_reached_n": time.n,
        f"time_to_{name}_median_s": time.median_s,
    }


def _by_name(target_accuracy: float, further_targets: Sequence[float]) -> dict[str, float]:
    """Every target, by what it is called in the names of columns."""
    return {"target": target_accuracy} | {column_name(target): target for target in further_targets}


def column_name(target: float) -> str:
    """What a further target is called in the names of columns, in percent (`target_92`)."""
    return f"target_{100 * target:g}"


def _first_at(epochs: Sequence[tuple[float, float]], target: float) -> float:
    """Seconds to the first of `epochs`, (accuracy, seconds) each, that is at the target; NaN where none is."""
    return next((seconds for accuracy, seconds in epochs if accuracy >= target), math.nan)


_PUBLISHED = {
    "device": "gtx-750-published",
    "label": f"{published.DEVICE} (published)",
    "architecture": published.ARCHITECTURE,
    "reconstruction": published.RECONSTRUCTION,
    "source": "published",
    "paper_accuracy": published.ACCURACY,
    "paper_total_s": published.TOTAL_S,
}


def table2_display(frame: pd.DataFrame, target_accuracy: float, further_targets: Sequence[float] = ()) -> pd.DataFrame:
    """Table 2 as a reader sees it: text cells under two-level heads."""
    targets = {name: f"{100 * each:g} %" for name, each in _by_name(target_accuracy, further_targets).items()}
    table = pd.DataFrame([_display(row, targets) for _, row in frame.iterrows()])
    return table.drop(columns=[FLIP_TTA]) if (table[FLIP_TTA] == cells.DASH).all() else table


def _display(row: pd.Series, targets: Mapping[str, str]) -> dict[tuple[str, str], str]:
    ours = row["source"] == "measured"
    return {
        ("Device", ""): row["label"],
        ("Architecture", ""): row["architecture"],
        ("Reconstruction", ""): row["reconstruction"],
        ("Status", ""): cells.status(row) if ours else "not measured here",
        ("Accuracy", "%"): cells.percent_interval(row, "accuracy") if ours else cells.DASH,
        FLIP_TTA: cells.percent_interval(row, "flip_tta_accuracy") if ours else cells.DASH,
        **{
            (f"Runs at {text}", "at the end"): _ended(row, name) if ours else cells.DASH
            for name, text in targets.items()
        },
        ("Time of a run", "median"): cells.duration(row["total_median_s"]),
        **{
            (f"First at {text}", "median (reached)"): _time(row, name) if ours else cells.DASH
            for name, text in targets.items()
        },
        ("Everything", "median"): cells.duration(row["everything_median_s"]),
        ("Peak MB", ""): cells.megabytes(row["peak_memory_bytes"]),
        ("Paper", "CIFAR-10"): _paper(row),
    }


def _ended(row: pd.Series, target: str) -> str:
    n = int(row[f"final_at_{target}_n"])
    return f"{int(row[f'final_at_{target}_k'])} of {n}" if n else cells.DASH


def _time(row: pd.Series, target: str) -> str:
    k, n = int(row[f"{target}_reached_k"]), int(row[f"{target}_reached_n"])
    return f"{cells.duration(row[f'time_to_{target}_median_s'])} ({k} of {n})" if n else cells.DASH


def _paper(row: pd.Series) -> str:
    if cells.is_missing(row["paper_total_s"]):
        return cells.DASH
    return f"{row['paper_total_s'] / 60:.0f} min; {100 * row['paper_accuracy']:.1f} %"


NOTES = (
    "Status: ok, the final accuracy is at the target; below target, it is not; diverged, the loss was not finite; "
    "inexact, a reconstructed activation was not the stored one in exact mode; not run, no record; stale, the record "
    "is of another code or configuration (its numbers are left out unless said otherwise); broken, it cannot be used.",
    "Epochs are fixed in advance. Accuracy: of the last epoch on the test images, mean ± half of the 95 % t-interval "
    "over n runs that trained to their end; with flip TTA (logits of an image and of its mirror image added) in a "
    "column of its own. Runs at the target at the end: k of n, a run that failed counted as not there. Time of a run: "
    "data loading and training to the last weight update, evaluation left out; median of runs that came to their end.",
    "First at the target (secondary, and optimistic, being the best of several noisy evaluations): the same clock up "
    "to the first epoch whose test accuracy is at the target; a run that does not get there counts as infinite (∞); "
    "k of n runs got there. Everything: from process start, building, warm-up and evaluation included.",
    "Peak MB (1 MB = 1,000,000 bytes), highest of the runs: on CUDA what the allocator handed out, on a CPU "
    "the resident memory of the process, Python and its libraries included.",
    f"Paper: {published.SOURCE}, and not comparable with times on other hardware or data.",
)
