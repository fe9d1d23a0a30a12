"""Remarks under a table: whatever a reader would otherwise not see. Each is one sentence."""

import pandas as pd

from bench.reporting.summary import GROUP, usable, used_statuses

_KINDS = ("memory", "steps")


def faults(runs: pd.DataFrame, measurements: pd.DataFrame) -> list[str]:
    """What is wrong with each broken record, which is named."""
    columns = [runs["fault"], *(measurements[f"{kind}_fault"] for kind in _KINDS)]
    return list(pd.concat(columns).dropna().unique())


def strangers(names: list[str]) -> list[str]:
    """Runs recorded in the results folder that the configuration does not plan."""
    if not names:
        return []
    return [f"Not in the configuration's plan, and not shown: {', '.join(names)}."]


def mixtures(runs: pd.DataFrame, include_stale: bool = False) -> list[str]:
    """Rows whose runs were made on different hardware, by different commits, or with different networks or data."""
    what = {
        "hardware": "hardware",
        "torch": "versions of torch",
        "commit": "commits",
        "parameters": "parameter counts",
        "data": "data sets",
        "train_images": "numbers of training images",
    }
    sentences = []
    for names, group in usable(runs, include_stale).groupby(GROUP, sort=False):
        mixed = [words for column, words in what.items() if group[column].nunique() > 1]
        if mixed:
            sentences.append(f"The runs of {', '.join(names)} mix {' and '.join(mixed)}.")
    return sentences


def machines(measurements: pd.DataFrame, include_stale: bool = False) -> list[str]:
    """Kinds of measured records that Table 1 compares though they were made on different hardware."""
    sentences = []
    for kind in _KINDS:
        used = measurements[f"{kind}_status"].isin(used_statuses(include_stale))
        found = measurements.loc[used, f"{kind}_hardware"].dropna().unique()
        if len(found) > 1:
            sentences.append(f"The {kind} records were made on different hardware: {'; '.join(found)}.")
    return sentences


def overflows(runs: pd.DataFrame, include_stale: bool = False) -> list[str]:
    """Rows of exact reconstruction some of whose values left the grid, so that they were rounded after all."""
    counts = usable(runs, include_stale).groupby(GROUP, sort=False)["overflows"].sum()
    return [
        f"In {', '.join(names)} {int(count):,} values left the grid's range; what lay behind them was restored up to"
        " rounding."
        for names, count in counts.items()
        if count > 0
    ]


def extrapolated(measurements: pd.DataFrame, include_stale: bool = False) -> list[str]:
    """Networks whose peak at the table's batch size was told by the slope, and not measured."""
    used = _used(measurements, include_stale)
    return [
        f"The measured peak of {row['architecture']}, {row['reconstruction']} at batch {row['batch_size']:.0f} is "
        "extrapolated from smaller batches."
        for _, row in used[used["peak_extrapolated"].eq(True)].iterrows()
    ]


def mismatches(runs: pd.DataFrame, measurements: pd.DataFrame, include_stale: bool = False) -> list[str]:
    """Networks that were measured with another parameter count than the one they were trained with."""
    trained = usable(runs, include_stale).groupby(["architecture", "reconstruction"])["parameters"].first()
    used = _used(measurements, include_stale)
    measured = used.set_index(["architecture", "reconstruction"])["parameters"].dropna()
    return [
        f"{names[0]}, {names[1]} was measured with {count:,.0f} parameters but trained with {trained[names]:,.0f}."
        for names, count in measured.items()
        if names in trained.index and trained[names] != count
    ]


def _used(measurements: pd.DataFrame, include_stale: bool) -> pd.DataFrame:
    """The rows whose memory is in the table."""
    return measurements[measurements["memory_status"].isin(used_statuses(include_stale))]
