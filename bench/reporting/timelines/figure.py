"""Live bytes over one training step (the draft's figures 1 to 4, 8 and 9): what is held, and which layer is at work."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures.style import panels

# As in the draft: weights orange, what is stored red, gradients of activations green.
COLOURS = {
    "weights": "#e69f00",
    "optimizer": "#f3cf80",
    "gradients": "#a87400",
    "input": "#b0b0b0",
    "state": "#c03028",
    "hidden": "#e8968f",
    "activation gradients": "#2c8c4a",
    "temporaries": "#4a90c4",
}
WORDS = {"gradients": "weight gradients", "state": "state", "hidden": "hidden activations"}
# Modules in a word; others are called by their class.
KINDS = {
    "BasicBlock": "block",
    "ReversibleBlock": "block",
    "Conv2d": "conv",
    "Pointwise": "conv",
    "InvertibleConv2d": "conv",
    "BatchNorm2d": "norm",
    "InvertibleBatchNorm2d": "norm",
    "ReLU": "activation",
    "LeakyReLU": "activation",
    "InvertibleLeakyReLU": "activation",
    "ChannelPooling": "pooling",
    "BatchPooling": "pooling",
    "GlobalPooling": "pooling",
    "Linear": "linear",
    "ScaledLinear": "linear",
}
MOST_STRETCHES, MOST_LABELS, MOST_NAMES = 150, 44, 80
# Parts of a layer are at work once in a pass, or twice where it is recomputed first: all of them more often where the
# layer works slice by slice.
MOST_TIMES = 2
WIDTH, HEIGHT = 7.2, 3.6  # inches: as wide as the text of a page
MEGABYTE = 1e6


@dataclass(frozen=True)
class Moment:
    """A stretch of the record, or several in a row of one part of the network."""

    phase: str
    place: str
    culprit: str  # the innermost layer that completed the most, and its operator
    operator: str
    peak: Sequence[int]
    end: Sequence[int]


def draw(timeline: dict[str, Any]) -> Figure:
    """The figure of one network's timeline, as its record holds it."""
    moments = moments_of(timeline["stretches"])
    figure, (axes,) = panels(1, 1, WIDTH, HEIGHT)
    axes.grid(False)
    edges, heights = [], []
    for index, moment in enumerate(moments):
        for start, stop, held in ((index, index + 0.75, moment.peak), (index + 0.75, index + 1, moment.end)):
            edges += [start, stop]
            heights += [held, held]
    columns = [[value / MEGABYTE for value in column] for column in zip(*heights, strict=True)]
    names = timeline["categories"]
    axes.stackplot(edges, columns, labels=[WORDS.get(name, name) for name in names], colors=[COLOURS[n] for n in names])
    most = max(sum(moment.peak) for moment in moments) / MEGABYTE
    axes.set(xlim=(0, len(moments)), ylim=(0, 1.32 * most), ylabel="live memory, MB")
    _mark_peak(axes, moments, most, timeline["modules"])
    _mark_theory(axes, timeline, names, moments)
    _mark_phases(axes, moments)
    _name_places(axes, moments, timeline["modules"])
    pixels = timeline["settings"]["batch_size"] * timeline["settings"]["image_size"] ** 2
    to_pixels, to_megabytes = partial(np.multiply, MEGABYTE / pixels), partial(np.multiply, pixels / MEGABYTE)
    per_pixel = axes.secondary_yaxis("right", functions=(to_pixels, to_megabytes))
    per_pixel.set_ylabel("bytes per input pixel")
    axes.set_title(_title(timeline), loc="left", fontsize=8)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", fontsize=7)
    return figure


def moments_of(stretches: list[dict[str, Any]]) -> list[Moment]:
    """The record's stretches; where there are too many to see, those of the inner parts of a layer in one."""
    depth = max(each["place"].count(".") for each in stretches) + 1
    while True:
        moments = [_joined(phase, place, list(group)) for (phase, place), group in groupby(stretches, _at(depth))]
        if len(moments) <= MOST_STRETCHES or depth == 1:
            return moments
        depth -= 1


def _at(depth: int) -> Any:
    return lambda each: (each["phase"], _cut(each["place"], depth))


def _joined(phase: str, place: str, group: list[dict[str, Any]]) -> Moment:
    most = max(group, key=lambda each: sum(each["peak"]))
    return Moment(phase, place, most["place"], operator_name(most["operator"]), most["peak"], group[-1]["end"])


def operator_name(operator: str) -> str:
    """`aten.convolution_backward.default` as `convolution_backward`."""
    return operator.split(".")[1] if operator.count(".") else operator


def called(place: str, modules: dict[str, str]) -> str:
    """A part of the network by its kind and its name, as `block 3`; by its name alone where that says what it is."""
    if not place:
        return "between layers"
    kind = KINDS.get(modules[place], modules[place])
    return f"{kind} {place}" if place.split(".")[-1].isdigit() else place


def _mark_peak(axes: Axes, moments: list[Moment], most: float, modules: dict[str, str]) -> None:
    index = max(range(len(moments)), key=lambda each: sum(moments[each].peak))
    at_right = index > len(moments) / 2
    axes.annotate(
        f"peak {most:.3g} MB: {moments[index].phase}, {called(moments[index].culprit, modules)},"
        f" {moments[index].operator}",
        xy=(index + 0.4, most),
        xytext=(0.99 if at_right else 0.01, 0.9),
        textcoords="axes fraction",
        ha="right" if at_right else "left",
        fontsize=7,
        arrowprops={"arrowstyle": "->", "lw": 0.8},
    )


def _mark_theory(axes: Axes, timeline: dict[str, Any], names: list[str], moments: list[Moment]) -> None:
    """Theory's peak: state, hidden activations, gradient and input, on what is there before the step begins."""
    settings = timeline["settings"]
    pixels = settings["batch_size"] * settings["image_size"] ** 2
    fixed = sum(held for name, held in zip(names, moments[0].end, strict=True) if name in ("weights", "optimizer"))
    theory = fixed + pixels * sum(timeline["theory_bytes_per_pixel"].values())
    axes.axhline(theory / MEGABYTE, color="black", lw=0.8, ls="--", label="theory")


def _mark_phases(axes: Axes, moments: list[Moment]) -> None:
    start = 0
    for phase, group in groupby(moments, lambda moment: moment.phase):
        count = len(list(group))
        if start:
            axes.axvline(start, color="black", lw=0.6, ls=":")
        if count > len(moments) / 8:
            axes.text(start, 0.995, f" {phase}", transform=axes.get_xaxis_transform(), ha="left", va="top")
        elif phase:  # the optimizer's moment is narrow
            axes.text(start, 0.995, f"{phase} ", transform=axes.get_xaxis_transform(), ha="right", va="top")
        start += count


def _name_places(axes: Axes, moments: list[Moment], modules: dict[str, str]) -> None:
    """Under each part of the network its name; the parts of a part together where all do not fit."""
    depth = max(moment.place.count(".") for moment in moments) + 1
    while len(runs := _runs(moments, depth)) > MOST_LABELS and depth > 1:
        depth -= 1
    shown = [runs[0]]
    for middle, name in runs[1:]:
        if middle - shown[-1][0] > len(moments) / MOST_NAMES:  # else the two would overlap
            shown.append((middle, name))
    axes.set_xticks([middle for middle, _ in shown], [called(name, modules) for _, name in shown])
    axes.tick_params(axis="x", labelrotation=90, labelsize=5.5, length=2)


def _runs(moments: list[Moment], depth: int) -> list[tuple[float, str]]:
    """(middle, name) of each part of the network at work; moments between layers belong to what is around them.

    A layer that works slice by slice has one name: those of its parts would come again with every slice.
    """
    named = [(index, moment) for index, moment in enumerate(moments) if moment.place]
    found = []
    for _, group in groupby(named, lambda each: (each[1].phase, _cut(each[1].place, 1))):
        part = list(group)
        runs = _middles(part, depth)
        times = Counter(name for _, name in runs)
        found += _middles(part, 1) if min(times.values()) > MOST_TIMES else runs
    return found


def _middles(part: list[tuple[int, Moment]], depth: int) -> list[tuple[float, str]]:
    found = []
    for name, group in groupby(part, lambda each: _cut(each[1].place, depth)):
        indices = [index for index, _ in group]
        found.append(((indices[0] + indices[-1] + 1) / 2, name))
    return found


def _cut(place: str, depth: int) -> str:
    return ".".join(place.split(".")[:depth])


def _title(timeline: dict[str, Any]) -> str:
    settings, theory = timeline["settings"], timeline["theory_bytes_per_pixel"]
    size = settings["image_size"]
    shape = f"batch {settings['batch_size']} of {size}×{size}"
    if "depths" in settings:
        depths = "-".join(map(str, settings["depths"]))
        shape = f"c0 = {settings['initial_channels']}, depths {depths}, {shape}"
    return (
        f"{settings['architecture']}, {settings['reconstruction']}: {shape}\n"
        f"theory, bytes per pixel: state {theory['state']:.0f}, hidden {theory['hidden']:.0f}, "
        f"gradient {theory['gradient']:.0f}, input {theory['image']:.0f}"
    )
