"""The report put together: from tables and records to one HTML text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from bench.errors import InputError
from bench.records import read_record
from bench.reporting.build import Study, build_tables
from bench.reporting.formats import Table
from bench.reporting.measurements_frame import read_measurements
from bench.reporting.page.cells import Cell
from bench.reporting.page.curves import lines, panel
from bench.reporting.page.figures import Figure
from bench.reporting.page.glossary import GLOSSARY, meaning
from bench.reporting.page.records import Listed, behind, listed
from bench.reporting.records_frame import read_runs
from bench.reporting.summary import GROUP, usable

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Grid:
    """A table of the report: heads with their meaning, and rows of cells."""

    name: str
    title: str
    text: str
    heads: list[tuple[str, str]]
    rows: list[list[Cell]]
    notes: Sequence[str] = ()


def page(study: Study, results: Path, figures: Sequence[Figure], claims: Table, further: Sequence[Listed]) -> str:
    """The report of `study` from the records in `results`, with its `claims`; `further`: records behind `figures`."""
    tables = [*build_tables(study, results), claims]
    runs = read_runs(results, study.runs, study.keys, study.time_limit_s)
    measurements = read_measurements(results, study.pairs, study.measurement_keys)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        scale=study.scale,
        grids=[_grid(table, runs) for table in tables],
        figures=figures,
        curves=_curves(usable(runs), study.target_accuracy),
        records=[*listed(runs, measurements), *further],
        glossary=GLOSSARY,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
    )


def _grid(table: Table, runs: pd.DataFrame) -> Grid:
    title, _, rest = table.caption.partition(". ")
    heading, _, text = rest.partition(". ")
    heads = [(", ".join(filter(None, head)), meaning(head[0]) or "") for head in table.display.columns]
    rows = [
        [
            Cell(text, tuple(behind(table.name, head[0], row, runs)))
            for head, text in zip(table.display.columns, texts, strict=True)
        ]
        for (_, row), texts in zip(table.frame.iterrows(), table.display.itertuples(index=False), strict=True)
    ]
    return Grid(table.name, f"{title}. {heading}", text, heads, rows, (*table.warnings, *table.notes))


def _curves(runs: pd.DataFrame, target: float) -> list[dict[str, Any]]:
    """A title and two drawings, accuracy and loss, for each device, architecture and reconstruction."""
    drawn = []
    for names, group in runs.groupby(GROUP, sort=False):
        records = [record for path in group["path"] if (record := _history(Path(path)))]
        if records:
            accuracy = panel(lines(records, "accuracy", 100), "accuracy, %", 100, 100 * target)
            drawn.append(
                {"title": ", ".join(names), "panels": [accuracy, panel(lines(records, "loss"), "training loss")]}
            )
    return drawn


def _history(path: Path) -> dict[str, Any] | None:
    """The record at `path` if it has a history that can be drawn."""
    try:
        record = read_record(path)
        for entry in record["history"]:
            entry["accuracy"] = entry.get("test_accuracy", entry.get("validation_accuracy"))
        drawable = all(_drawable(entry) for entry in record["history"])
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return record if drawable and record["history"] else None


def _drawable(entry: dict[str, Any]) -> bool:
    """Whether the values of an epoch are numbers; accuracy and loss may be null, the epoch and its loss not missing."""
    return isinstance(entry["epoch"], int | float) and all(
        isinstance(entry[name], int | float | None) for name in ("loss", "accuracy")
    )
