"""Numbers as a reader sees them. Units stand in the column heads; a dash is a value that does not apply."""

import math

import pandas as pd

from bench.reporting.records_frame import ALL_STATUSES

DASH = "—"


def is_missing(value: object) -> bool:
    """Whether `value` is None or NaN."""
    return value is None or bool(pd.isna(value))


def count(value: float) -> str:
    """A whole number with thousands separated."""
    return DASH if is_missing(value) else f"{int(value):,}"


def images(number: float) -> str:
    """A number of images; NaN is all that a data set has."""
    return "all" if is_missing(number) else count(number)


def decimal(value: float, digits: int) -> str:
    """A number with that many decimals."""
    return DASH if is_missing(value) else f"{value:,.{digits}f}"


def megabytes(value_bytes: float) -> str:
    """Bytes as MB (10^6 bytes), to three figures or to the MB."""
    if is_missing(value_bytes):
        return DASH
    size = value_bytes / 1e6
    return f"{size:,.0f}" if size >= 100 else f"{size:.3g}"


def duration(seconds: float) -> str:
    """Seconds as `12.3 s`, minutes from two on as `12.3 min`, hours from two on as `2.1 h`; infinite as ∞."""
    if is_missing(seconds):
        return DASH
    if math.isinf(seconds):
        return "∞"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def percent_interval(row: pd.Series, name: str, signed: bool = False) -> str:
    """Columns `<name>_mean`, `_low`, `_n` (fractions) as `93.30 ± 0.25 (n=3)` percent; a single run as `(1 run)`."""
    mean, n = row[f"{name}_mean"], int(row[f"{name}_n"])
    if n == 0:
        return DASH
    percent = round(100 * mean, 2) + 0.0  # no minus before a zero
    text = f"{percent:+.2f}" if signed else f"{percent:.2f}"
    text = text.replace("-", "−")
    if n == 1:
        return f"{text} (1 {'pair' if signed else 'run'})"
    return f"{text} ± {100 * (mean - row[f'{name}_low']):.2f} (n={n})"


def ratio(row: pd.Series) -> str:
    """Columns `step_ratio`, `_low`, `_high` as `1.52 (1.48–1.60)`; one round as `1.52`, the reference as `1`."""
    median, low, high = (row[name] for name in ("step_ratio", "step_ratio_low", "step_ratio_high"))
    if is_missing(median):
        return DASH
    if low == high:  # the reference itself, or a single round, which has no interval
        return "1" if median == 1 else f"{median:.2f}"
    return f"{median:.2f} ({low:.2f}–{high:.2f})"


def status_counts(row: pd.Series) -> dict[str, int]:
    """How many runs of a row have each status, those with none left out, in words (`out of memory`)."""
    words = {status: status.replace("-", " ") for status in ALL_STATUSES}
    counts = {word: int(row["runs_" + word.replace(" ", "_")]) for word in words.values()}
    return {word: number for word, number in counts.items() if number}


def status(row: pd.Series) -> str:
    """`ok`, or `2 ok, 1 diverged`: what became of every planned run of a row."""
    counts = status_counts(row)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {word}" for word, number in counts.items()) or DASH


def accuracy(row: pd.Series) -> str:
    """Mean accuracy; beside it the runs that it leaves out, or in its place what became of them."""
    shown = ("ok", "below target", "stale") if row["stale_used"] else ("ok", "below target")
    left_out = {word: number for word, number in status_counts(row).items() if word not in shown}
    if row["accuracy_n"] == 0:
        return status(row)
    text = percent_interval(row, "accuracy")
    if row["stale_used"]:
        text += ", stale used"
    # Of stale runs that are used only those that came to their end are in the mean.
    if (unfinished := int(row["runs_planned"]) - int(row["accuracy_n"]) - sum(left_out.values())) > 0:
        left_out["stale not at its end"] = unfinished
    return "; ".join([text, *(f"{number} {word}" for word, number in left_out.items())])
