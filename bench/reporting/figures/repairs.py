"""How deep a noisy layer-wise network may be with each repair."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.reporting.figures.style import panels

PAPER_UNITS = 7  # the authors' fifth step, their last before the collapse


def repairs_figure(limits: pd.DataFrame) -> Figure:
    """Bars: units up to which noisy training is within half a point of ideal; marks: up to which it trains at all."""
    ordered = limits.iloc[::-1]
    figure, (axes,) = panels(1, 1, 5.2, 1.3 + 0.28 * len(limits))
    axes.barh(
        ordered["repair"],
        ordered["units_within_half_a_point"],
        color="#56B4E9",
        edgecolor="black",
        label="within 0.5 points",
    )
    trained = ordered[ordered["units_within_five_points"] > 0]  # 0: at none of the depths tried
    axes.plot(
        trained["units_within_five_points"],
        trained["repair"],
        "D",
        color="black",
        markersize=4,
        label="within 5 points",
    )
    axes.plot(ordered["units_tried"], ordered["repair"], "|", color="black", markersize=12, label="deepest tried")
    for row in limits[limits["units_within_half_a_point"] == 0].itertuples():
        axes.annotate(f"not at {row.units_tried_first}, the first tried", (0.3, row.repair), va="center", fontsize=8)
    axes.axvline(PAPER_UNITS, color="#D55E00", linestyle="--", label="authors, last before the collapse")
    axes.set_xlabel("units of a noisy layer-wise network (conv-BN-activation)")
    axes.set_xlim(0, limits["units_tried"].max() + 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
