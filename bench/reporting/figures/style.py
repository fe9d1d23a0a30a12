"""How every figure looks: colours that the colour-blind can tell apart, marks and dashes that do without colour."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

pyplot.rcParams.update(
    {
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "lines.linewidth": 1.5,
        "lines.markersize": 5,
        "pdf.fonttype": 42,
    }
)


@dataclass(frozen=True)
class Look:
    """One series: its name in the legend, colour (Okabe and Ito), mark and dashes."""

    label: str
    color: str
    marker: str
    linestyle: str

    @property
    def line(self) -> dict:
        """Arguments of `plot` or `errorbar`."""
        return {
            "label": self.label,
            "color": self.color,
            "marker": self.marker,
            "linestyle": self.linestyle,
            "markerfacecolor": "white",
        }


MODES = {
    "ideal": Look("ideal (stored)", "black", "o", "-"),
    "noisy": Look("noisy (inverse)", "#0072B2", "s", "--"),
    "renormalised": Look("noisy, re-normalising inverse", "#D55E00", "^", ":"),
}
THEORY: dict[str, Any] = {"color": "black", "linewidth": 1.2}
MEASURED: dict[str, Any] = {"color": "#D55E00", "linestyle": "", "marker": "x", "markersize": 5}


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `<name>.png` and `<name>.pdf`, without dates, so that the same data give the same file."""
    paths = [folder / f"{name}.{suffix}" for suffix in ("png", "pdf")]
    for path in paths:
        temporary = path.with_name(f".{path.name}")
        metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
        figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
        temporary.replace(path)
        figure.set_layout_engine("none")  # the second file keeps the first one's layout: finding it is half the work
    pyplot.close(figure)
    return paths


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `rows` x `columns` axes, each width x height inches, as a flat list."""
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(columns * width, rows * height), layout="constrained", squeeze=False, **options
    )
    return figure, list(axes.flat)
