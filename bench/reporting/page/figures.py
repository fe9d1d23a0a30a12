"""The figures of a scale, embedded: every PNG file of its folder, as it was drawn."""

import base64
from dataclasses import dataclass
from pathlib import Path

EMBEDDED_BYTES = 6_500_000  # of all figures together: as text they take a third more, and the report stays under 10 MB


@dataclass(frozen=True)
class Figure:
    """One figure: `source` is the image itself, or its path from the report where there was no room left for it."""

    name: str
    caption: str
    source: str


def figures(folder: Path) -> list[Figure]:
    """All figures of `folder`, which lies beside the report, by name.

    A caption is the text file of the figure's name beside it, if there is one, else that name in words.
    """
    found, used = [], 0
    for path in sorted(folder.glob("*.png")):
        content = path.read_bytes()
        used += len(content)
        fits = used <= EMBEDDED_BYTES
        source = f"data:image/png;base64,{base64.b64encode(content).decode()}" if fits else f"{folder.name}/{path.name}"
        found.append(Figure(path.stem, _caption(path), source))
    return found


def _caption(path: Path) -> str:
    for beside in (path.with_suffix(".txt"), path.with_suffix(".md")):
        if beside.is_file():
            return " ".join(beside.read_text(encoding="utf-8").replace("**", "").split())
    return path.stem.replace("-", " ").replace("_", " ").capitalize()
