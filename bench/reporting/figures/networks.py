"""Figures of whole networks: 10 and 12 (SNR layer by layer), and gradient angles against SNR."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures.style import Look, panels

SERIES = {
    ("ideal", "initial"): Look("before training", "black", "o", "-"),
    ("ideal", "final"): Look("after training", "#0072B2", "s", "--"),
    ("renormalised", "initial"): Look("before, re-normalising inverse", "#D55E00", "^", ":"),
}
SNR = "SNR of the restored input (dB)"
FOOT = 1e-5  # degrees: angles are recorded to 1e-4, and 0 has no place on a logarithmic scale


def layer_by_layer(frame: pd.DataFrame, title: str) -> Figure:
    """Figure 10 or 12; `title` with a place for the network's units. Layers inside a reversible block have no marks."""
    figure, (axes,) = panels(1, 1, 5.2, 3.3)
    _curves(axes, frame)
    axes.set_title(title.format(frame["units"].iloc[0]))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _curves(axes: Axes, frame: pd.DataFrame) -> None:
    """One line a look; layers whose input came back exactly (poolings) have no ratio and are left out."""
    for (mode, when), look in SERIES.items():
        group = frame[(frame["mode"] == mode) & (frame["when"] == when)].dropna(subset=["snr_db"])
        outside = (~group["inside_block"].astype(bool)).to_numpy().nonzero()[0].tolist()
        axes.plot(group["position"], group["snr_db"], markevery=outside, **look.line)
    axes.set(xlabel="layer, from the stem to the head", ylabel=SNR)


def gradient_angles(frame: pd.DataFrame, thresholds: pd.DataFrame) -> Figure:
    """Each mark is one convolution of one network, before or after training; an angle of 0 is at the foot."""
    figure, (axes,) = panels(1, 1, 4.6, 3.3)
    looks = {"layerwise": ("#0072B2", "s", "layer-wise"), "hybrid": ("#D55E00", "^", "hybrid")}
    for architecture, (color, marker, label) in looks.items():
        group = frame[frame["architecture"] == architecture]
        angles = group["angle_degrees"].clip(lower=FOOT)
        axes.plot(group["snr_db"], angles, marker, color=color, alpha=0.35, markersize=3, clip_on=False, label=label)
    for degrees, style in ((10, "--"), (45, "-")):
        found = thresholds[thresholds["below_it"].str.contains(f"than {degrees} degrees")]["threshold_db"]
        axes.axhline(degrees, color="grey", linestyle=style, linewidth=0.8)
        for value in found.dropna():
            label = f"{degrees}°: {value:z.0f} dB"
            axes.axvline(value, color="black", linestyle=style, linewidth=1.2, label=label)
    axes.set(yscale="log", ylim=(FOOT, 180), xlabel=SNR, ylabel="angle to the ideal gradient (degrees)")
    axes.legend(loc="lower left")
    return figure
