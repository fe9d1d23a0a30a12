"""Figures 11 and 13: smallest SNR and accuracy against depth and against slope, ideal and noisy."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures.style import MODES, panels

DEPTH = {"layerwise": "depth (conv-BN-activation units)", "hybrid": "depth (reversible blocks)"}
SNR = "smallest SNR (dB)"


def sweep_figure(frame: pd.DataFrame) -> Figure:
    """Left, against depth; right, against the negative slope. Bars: smallest and largest over the seeds."""
    architecture, chance = frame["architecture"].iloc[0], frame["chance"].iloc[0]
    figure, axes = panels(2, 2, 3.7, 2.6, sharex="col", sharey="row")
    for column, (sweep, x) in enumerate((("depth", "depth"), ("slope", "slope"))):
        ours = frame[(frame["sweep"] == sweep) & (frame["source"] == "measured")]
        _snr(axes[column], ours, x)
        _accuracy(axes[2 + column], ours, x, chance)
    _authors(axes[2], frame[frame["source"] != "measured"])
    slopes = frame[frame["sweep"] == "slope"]
    depth = f" at {slopes['depth'].iloc[0]:g} {'units' if architecture == 'layerwise' else 'blocks'}"
    axes[2].set_xlabel(DEPTH[architecture])
    axes[3].set(xscale="log", xlabel=f"negative slope n{depth}")
    marked = sorted(slopes["slope"].unique())
    axes[3].set_xticks(marked, [f"{slope:g}" for slope in marked], rotation=45 if len(marked) > 6 else 0)
    axes[3].minorticks_off()
    axes[0].set_ylabel(SNR)
    axes[2].set(ylabel="test accuracy (%)", ylim=(0, 102))
    handles, labels = axes[2].get_legend_handles_labels()
    more = [pair for pair in zip(*axes[0].get_legend_handles_labels(), strict=True) if pair[1] not in labels]
    handles, labels = handles + [pair[0] for pair in more], labels + [pair[1] for pair in more]
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _snr(axes: Axes, frame: pd.DataFrame, x: str) -> None:
    for mode, look in MODES.items():
        group = frame[frame["mode"] == mode]
        if mode == "ideal":  # what the inverse would give on the weights that ideal training ends with
            line = look.line | {"label": "inverse of ideally trained weights", "color": "grey", "marker": "d"}
            axes.plot(group[x], group["snr_final_db"], **line)
        else:
            axes.plot(group[x], group["snr_initial_db"], **look.line)
    axes.axhline(0, color="grey", linewidth=0.8)


def _accuracy(axes: Axes, frame: pd.DataFrame, x: str, chance: float) -> None:
    for mode, look in MODES.items():
        group = frame[frame["mode"] == mode]
        mean = 100 * group["accuracy_mean"]
        spread = [mean - 100 * group["accuracy_low"], 100 * group["accuracy_high"] - mean]
        axes.errorbar(group[x], mean, spread, capsize=2, **look.line)
    lost = frame[frame["diverged"] > 0]
    if len(lost):
        axes.plot(
            lost[x],
            100 * lost["accuracy_mean"],
            "x",
            color="black",
            markersize=9,
            zorder=5,
            label="diverged, counted as chance",
        )
    axes.axhline(100 * chance, color="grey", linewidth=0.8, linestyle=":")


def _authors(axes: Axes, frame: pd.DataFrame) -> None:
    for (source, mode), group in frame.groupby(["source", "mode"], sort=False):
        style: dict[str, Any] = {"color": "grey", "linewidth": 1, "marker": ".", "linestyle": MODES[mode].linestyle}
        axes.plot(group["depth"], 100 * group["accuracy_mean"], label=f"{source}, {_word(mode)} (CIFAR-10)", **style)


def _word(mode: str) -> str:
    return "ideal" if mode == "ideal" else "noisy"
