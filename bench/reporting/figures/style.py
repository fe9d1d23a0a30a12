"""How every figure looks, and how it is written."""

import tempfile
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")  # no screen is needed

from matplotlib import pyplot
from matplotlib.figure import Figure

SUFFIXES = ("png", "pdf")
WIDTH = 7.2  # inches: the width of a page's text
matplotlib.rcParams.update(
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.spines.top": False,
        "legend.frameon": False,
        "legend.fontsize": 7,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,  # text stays text
    }
)


def new_figure(height: float, **arguments: Any) -> tuple[Figure, Any]:
    """A figure of the page's width and its axes, as `matplotlib.pyplot.subplots` makes them."""
    return pyplot.subplots(figsize=(WIDTH, height), layout="constrained", **arguments)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `<name>.png` and `<name>.pdf`, each whole or not at all, close the figure, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{suffix}" for suffix in SUFFIXES]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        for path in paths:
            # Without a date, the same records give the same file.
            figure.savefig(
                Path(temporary) / path.name, metadata={"CreationDate": None} if path.suffix == ".pdf" else {}
            )
            (Path(temporary) / path.name).replace(path)
    pyplot.close(figure)
    return paths
