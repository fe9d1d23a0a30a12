"""Figures of single layers: 6 (batch norm), 7 (leaky ReLU), noise near the signal, and the coupling convolution."""

import pandas as pd
from matplotlib.figure import Figure

from bench.reporting.figures.style import MEASURED, THEORY, panels

ALPHA = "SNR factor α of the inverse (dB)"


def figure6(toy: pd.DataFrame, random: pd.DataFrame) -> Figure:
    """Left, eq. 19c; right, the corrected eq. 22c on random layers."""
    figure, (left, right) = panels(1, 2, 3.5, 2.9, sharey=True)
    left.plot(toy["rho"], toy["alpha_theory_db"], label="theory, eq. 19c", **THEORY)
    left.plot(toy["rho"], toy["alpha_measured_db"], label="measured", **MEASURED)
    left.set(xscale="log", xlabel="ρ, ratio of the two scales γ", ylabel=ALPHA, title="Toy layer, γ = (1, ρ)")
    right.plot(
        random["rho"], random["alpha_theory_db"], "_", color="black", markersize=9, label="theory, eq. 22c corrected"
    )
    right.plot(random["rho"], random["alpha_measured_db"], label="measured", **MEASURED)
    right.set(xscale="log", xlabel="ρ, end of the range of γ", title="Random γ, β, means and deviations")
    for axes in (left, right):
        axes.legend(loc="lower center")
    return figure


def figure7(frame: pd.DataFrame) -> Figure:
    """Eq. 28c over slopes."""
    figure, (axes,) = panels(1, 1, 3.6, 2.9)
    axes.plot(frame["slope"], frame["alpha_theory_db"], label="theory, eq. 28c", **THEORY)
    axes.plot(frame["slope"], frame["alpha_measured_db"], label="measured", **MEASURED)
    axes.set(xscale="log", xlabel="negative slope n", ylabel=ALPHA, title="Leaky ReLU, noise of deviation 1e-5")
    axes.legend(loc="lower center")
    return figure


def noise_near_signal(frame: pd.DataFrame) -> Figure:
    """The regime that the paper leaves open."""
    figure, (axes,) = panels(1, 1, 4.6, 3.9)
    colors = ["#0072B2", "#009E73", "#CC79A7", "#E69F00"]
    for (key, group), color, marker in zip(
        frame.groupby(["layer", "parameter"], sort=False), colors, "osD^", strict=True
    ):
        x, symbol = group["noise_to_signal_db"], "n" if key[0] == "leaky ReLU" else "ρ"
        axes.plot(x, group["alpha_theory_db"], color=color, linestyle=":", linewidth=1.2)
        axes.plot(x, group["alpha_with_flips_db"], color=color, linewidth=1.2)
        label = f"{key[0]}, {symbol} = {key[1]:g}"
        axes.plot(x, group["alpha_measured_db"], marker, color=color, markerfacecolor="white", label=label)
    axes.plot([], [], ":", color="grey", label="formula of the paper")
    axes.plot([], [], "-", color="grey", label="with sign flips")
    axes.set(xlabel="noise power over signal power at the output (dB)", ylabel=ALPHA)
    figure.legend(ncols=2, loc="outside lower center")
    return figure


def coupling(frame: pd.DataFrame) -> Figure:
    """The invertible convolution, against its singular values and the closed form."""
    figure, (axes,) = panels(1, 1, 3.6, 2.9)
    axes.plot(frame["gain"], frame["closed_form_db"], "--", color="grey", label="closed form, no border")
    axes.plot(frame["gain"], frame["alpha_theory_db"], label="theory, singular values", **THEORY)
    axes.plot(frame["gain"], frame["alpha_measured_db"], label="measured", **MEASURED)
    axes.set(xscale="log", xlabel="gain of the kernels' initialisation", ylabel=ALPHA, title="Coupling convolution")
    axes.set_xticks(frame["gain"].tolist(), [f"{gain:g}" for gain in frame["gain"]])
    axes.minorticks_off()
    axes.legend(loc="lower left")
    return figure
