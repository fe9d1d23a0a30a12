"""`python -m bench show RECORD`: a record as a person reads it."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.records import read_record

BYTES, SECONDS = "_bytes", "_s"
LONGEST = 12  # entries of a list that are printed


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this step."""
    parser.add_argument("record", type=Path, help="a record, or the folder of a training run")


def run(arguments: argparse.Namespace) -> int:
    """Print the record, a line a value."""
    path = arguments.record / "record.json" if arguments.record.is_dir() else arguments.record
    text = "\n".join([f"{path}", *told(read_record(path))])
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))  # what a terminal cannot show is an escape
    return 0


def told(record: dict[str, Any]) -> list[str]:
    """The lines of a record: sections in its order, values under them."""
    lines = []
    for section, content in record.items():
        if isinstance(content, dict):
            lines += ["", section, *(f"  {line}" for line in _lines(content))]
        elif isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
            lines += ["", section, *(f"  {line}" for line in _table(content))]
        else:
            lines.append(f"{section}: {value(section, content)}")
    return lines


def value(name: str, content: Any) -> str:
    """One value in words: sizes in MB, times with their unit, long lists cut."""
    if content is None:
        return "none"
    if isinstance(content, int | float) and not isinstance(content, bool):
        if name.endswith(BYTES):
            return f"{content / 1e6:,.2f} MB"
        return f"{content:,.6g}{' s' if name.endswith(SECONDS) else ''}"
    if isinstance(content, list):
        more = f" ... ({len(content)} in all)" if len(content) > LONGEST else ""
        return ("; " if any(isinstance(each, dict) for each in content) else ", ").join(
            value(name, each) for each in content[:LONGEST]
        ) + more
    if isinstance(content, dict):
        return ", ".join(f"{key} {value(key, inner)}" for key, inner in content.items())
    return str(content)


def _lines(section: dict[str, Any]) -> Iterator[str]:
    width = max(map(len, section), default=0)
    for name, content in section.items():
        yield f"{name:{width}}  {value(name, content)}"


def _table(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Entries under their heads, as a history has them; a cell is empty where an entry does not have its head."""
    heads = list(dict.fromkeys(head for entry in entries for head in entry))
    rows = [heads, *([value(head, entry[head]) if head in entry else "" for head in heads] for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        yield "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
