"""The comparison as a Markdown table, with the line that says how it was made."""

import statistics
from typing import Any

HEAD = ("method", "bytes per pixel", "of plain", "s per step", "of plain (95 %)", "gradient error", "batches counted")


def markdown(record: dict[str, Any]) -> str:
    """The table of a record of `python -m bench peers`."""
    rows = [_row(name, row) for name, row in record["rows"].items()]
    lines = [HEAD, (":--", *["--:"] * (len(HEAD) - 1)), *rows]
    return "\n".join([caption(record), "", *map(_line, lines), "", note(record), ""])


def caption(record: dict[str, Any]) -> str:
    """Network, batch, machine, allocator, date and command."""
    shape, versions = record["settings"], record["versions"]
    return (
        f"{shape['blocks']} blocks at {shape['channels']} channels, batch {shape['batch_size']},"
        f" {shape['image_size']}x{shape['image_size']} pixels, float32, {shape['memory_format'].replace('_', ' ')};"
        f" {record['hardware']['device']}, torch {versions['torch']}; allocator: {record['allocator']};"
        f" medians of {shape['rounds']} interleaved rounds;"
        f" {record['date'][:10]}; `{' '.join(record['command'])}`."
    )


def note(record: dict[str, Any]) -> str:
    """What the columns are."""
    exact = record["rounding"]
    return (
        "Bytes per pixel: slope of the peak of tracked tensors between half the batch and all of it, images included."
        " Gradient error: against plain autograd, over all parameters (worst parameter, largest entry); plain float32"
        f" against float64 is {exact['relative_error']:.0e} ({exact['worst_parameter']:.0e})."
        " Batches counted: by the running statistics in one step."
    )


def _line(cells: tuple[str, ...]) -> str:
    """One line of the table; a library's own words may hold the sign that ends a cell."""
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _row(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    name = f"{name} {row['version']}" if row["version"] else name
    if row["status"] != "ok":
        return (name, ": ".join(filter(None, (row["status"], row.get("reason")))), *[""] * (len(HEAD) - 2))
    ratio, errors = row["time_ratio"], row["gradients"]
    return (
        name,
        f"{row['bytes_per_pixel']:.0f}",
        f"{row['bytes_ratio']:.3f}",
        f"{statistics.median(row['seconds']):.2f}",
        f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
        f"{errors['relative_error']:.0e} ({errors['worst_parameter']:.0e})" if errors["relative_error"] else "0",
        str(row["statistics_updates"]),
    )
