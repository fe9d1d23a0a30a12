"""Curves of training as small SVG drawings: test accuracy and loss by epoch, a line a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 300, 150, 40, 24, 8, 8  # of a panel and its margins, px


@dataclass(frozen=True)
class Line:
    """One run: its name, which stands in the tooltip, and (epoch, value) points."""

    name: str
    points: list[tuple[float, float]]


def lines(records: Sequence[dict[str, Any]], quantity: str, factor: float = 1.0) -> list[Line]:
    """The curve of `quantity`, a key of the entries of `history`, of each record."""
    return [
        Line(
            f"seed {record['settings']['seed']}",
            [(entry["epoch"], factor * entry[quantity]) for entry in record["history"] if entry[quantity] is not None],
        )
        for record in records
    ]


def panel(curves: Sequence[Line], label: str, top: float | None = None, target: float | None = None) -> str:
    """An SVG element with all `curves` from 0 to `top` (default: the highest value), and a line at `target`."""
    points = [point for curve in curves for point in curve.points]
    last = max((x for x, _ in points), default=1.0)
    height = top or max((y for _, y in points), default=1.0) or 1.0

    def place(x: float, y: float) -> str:
        across = (x - 1) / (last - 1) if last > 1 else 0.5
        return (
            f"{LEFT + across * (WIDTH - LEFT - RIGHT):.1f},"
            f"{HEIGHT - BOTTOM - min(y / height, 1) * (HEIGHT - BOTTOM - TOP):.1f}"
        )

    drawn = [_frame(label, last, height)]
    if target is not None:
        ends = [place(1, target), place(last, target)] if last > 1 else []
        drawn.append(f'<polyline class="target" points="{" ".join(ends)}"/>')
    for number, curve in enumerate(curves):
        path = " ".join(place(x, y) for x, y in curve.points)
        title = f"{curve.name}: {curve.points[-1][1]:.4g} at the end" if curve.points else f"{curve.name}: no epoch"
        drawn.append(
            f'<polyline class="line line{number % 5}" points="{path}"><title>{escape(title)}</title></polyline>'
        )
        if curve.points:
            x, y = place(*curve.points[-1]).split(",")
            drawn.append(f'<circle class="line{number % 5}" cx="{x}" cy="{y}" r="2.5"/>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(drawn)}</svg>'


def _frame(label: str, last: float, height: float) -> str:
    """Axes, their ends, and the label."""
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    texts = [
        (LEFT - 4, base, "end", "0"),
        (LEFT - 4, TOP + 8, "end", f"{height:.3g}"),
        (LEFT, HEIGHT - 8, "start", "1"),
        (right, HEIGHT - 8, "end", f"{last:.0f}"),
        ((LEFT + right) / 2, HEIGHT - 8, "middle", "epoch"),
        (LEFT + 6, TOP + 8, "start", label),
    ]
    words = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>' for x, y, anchor, text in texts
    )
    return f'<path class="axes" d="M{LEFT},{TOP}V{base}H{right}"/>{words}'
