"""Table 2: time and accuracy at a number of epochs fixed in advance, and time to the target accuracy.

A row a device, architecture and reconstruction.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.reporting import cells, published
from bench.reporting.statistics import mean_interval, time_to_target
from bench.reporting.summary import GROUP, finished, interval_columns, summarise, usable

FLIP_TTA = ("Accuracy with flip TTA", "%")


def table2_frame(runs: pd.DataFrame, labels: Mapping[str, str], include_stale: bool = False) -> pd.DataFrame:
    """Numbers of Table 2 (fractions, bytes, seconds) from the frame of runs, in its order, then the published row.

    `labels` gives what a device is called by its name, e.g. that it is emulated; one that has no label is called by its
    hardware.
    """
    groups = runs.groupby(GROUP, sort=False)
    rows = []
    for names, group in groups:
        label = labels.get(names[0]) or _hardware(usable(runs[runs["device"] == names[0]], include_stale)) or names[0]
        rows.append(dict(zip(GROUP, names, strict=True)) | {"label": label} | _row(group, include_stale))
    return pd.DataFrame([*rows, _PUBLISHED])


def _row(runs: pd.DataFrame, include_stale: bool) -> dict[str, Any]:
    used = usable(runs, include_stale)
    time = time_to_target(used["time_to_target_s"])
    ended = finished(used)
    return {
        "source": "measured",
        "parameters": runs["parameters"].dropna().max(),
        **summarise(runs, include_stale),
        **interval_columns("flip_tta_accuracy", mean_interval(ended["flip_tta_accuracy"])),
        "final_at_target_k": int((used["outcome"] == "ok").sum()),
        "final_at_target_n": len(used),
        "target_reached_k": time.reached,
        "target_reached_n": time.n,
        "time_to_target_median_s": time.median_s,
        "total_median_s": ended["total_s"].median(),
        "everything_median_s": ended["everything_s"].median(),
        "peak_memory_bytes": used["peak_memory_bytes"].max(),
        "peak_memory_kind": "; ".join(used["peak_memory_kind"].dropna().unique()) or None,
        "reason": "; ".join(used["reason"].dropna().unique()) or None,
    }


def _hardware(used: pd.DataFrame) -> str:
    return "; ".join(used["hardware"].dropna().unique())


_PUBLISHED = {
    "device": "gtx-750-published",
    "label": f"{published.DEVICE} (published)",
    "architecture": published.ARCHITECTURE,
    "reconstruction": published.RECONSTRUCTION,
    "source": "published",
    "paper_accuracy": published.ACCURACY,
    "paper_total_s": published.TOTAL_S,
}


def table2_display(frame: pd.DataFrame, target_accuracy: float) -> pd.DataFrame:
    """Table 2 as a reader sees it: text cells under two-level heads."""
    table = pd.DataFrame([_display(row, f"{100 * target_accuracy:g} %") for _, row in frame.iterrows()])
    return table.drop(columns=[FLIP_TTA]) if (table[FLIP_TTA] == cells.DASH).all() else table


def _display(row: pd.Series, target: str) -> dict[tuple[str, str], str]:
    ours = row["source"] == "measured"
    return {
        ("Device", ""): row["label"],
        ("Architecture", ""): row["architecture"],
        ("Reconstruction", ""): row["reconstruction"],
        ("Status", ""): cells.status(row) if ours else "not measured here",
        ("Accuracy", "%"): cells.percent_interval(row, "accuracy") if ours else cells.DASH,
        FLIP_TTA: cells.percent_interval(row, "flip_tta_accuracy") if ours else cells.DASH,
        (f"Runs at {target}", "at the end"): _at_target(row) if ours else cells.DASH,
        ("Time of a run", "median"): cells.duration(row["total_median_s"]),
        (f"First at {target}", "median (reached)"): _time(row) if ours else cells.DASH,
        ("Everything", "median"): cells.duration(row["everything_median_s"]),
        ("Peak MB", ""): cells.megabytes(row["peak_memory_bytes"]),
        ("Paper", "CIFAR-10"): _paper(row),
    }


def _at_target(row: pd.Series) -> str:
    n = int(row["final_at_target_n"])
    return f"{int(row['final_at_target_k'])} of {n}" if n else cells.DASH


def _time(row: pd.Series) -> str:
    if row["target_reached_n"] == 0:
        return cells.DASH
    k, n = int(row["target_reached_k"]), int(row["target_reached_n"])
    return f"{cells.duration(row['time_to_target_median_s'])} ({k} of {n})"


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
