"""The figures of a scale, embedded as they were drawn."""

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.configuration import Configuration
from bench.reporting.figures.names import FIGURES
from bench.reporting.timelines.names import timeline_names

EMBEDDED_BYTES = 6_500_000  # of all figures together: as text they take a third more, and the report stays under 10 MB


@dataclass(frozen=True)
class Figure:
    """One figure: `source` is the image itself, or its path from the report where there was no room left for it."""

    name: str
    caption: str
    source: str


def planned_figures(configuration: Configuration) -> list[str]:
    """Names of the figures that the scale has now; others in its folder were drawn for a configuration of before."""
    return [*(FIGURES if configuration["numerics"] else ()), *timeline_names(configuration)]


def figures(folder: Path, names: Iterable[str], report: Path) -> list[Figure]:
    """Those of the figures called `names` that are in `folder`, for the HTML file `report`.

    A caption is the text file of the figure's name beside it, if there is one, else that name in words.
    """
    found, used = [], 0
    for path in (folder / f"{name}.png" for name in names):
        if not path.is_file():
            continue
        content = path.read_bytes()
        used += len(content)
        if used <= EMBEDDED_BYTES:
            source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        else:
            source = quote(os.path.relpath(path, report.parent))
        found.append(Figure(path.stem, _caption(path), source))
    return found


def _caption(path: Path) -> str:
    for beside in (path.with_suffix(".txt"), path.with_suffix(".md")):
        if beside.is_file():
            return " ".join(beside.read_text(encoding="utf-8").replace("**", "").split())
    return path.stem.replace("-", " ").replace("_", " ").capitalize()
