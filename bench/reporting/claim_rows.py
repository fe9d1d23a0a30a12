"""Rows of the claims table: one a number, each a mapping of the frame's columns."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.reporting import cells, published
from bench.reporting.records_frame import NOT_RUN, values_of
from bench.reporting.summary import FINISHED, finished, select, summarise, usable

GIGABYTE = 1e9
CIFAR_IMAGES, PIXELS = 50_000, 32 * 32
WHERE = {"resnet18": "3.3", "revnet": "3.4", "irevnet": "3.5", "layerwise": "4.1", "hybrid": "4.2"}


def memory_rows(of_theory: Mapping[str, Any], measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows on the paper's shapes, from the cost model and from the networks of a record of them."""
    resnet, own = of_theory["resnet18"], measured.get("resnet18")
    rows = [
        _row("3.3, eq. 10c", "ResNet-18: weights", "numbers", resnet["parameters"], own and _weights(own), "counted"),
        _row(
            "3.3, eq. 10c",
            "ResNet-18: activations and gradient",
            "numbers a pixel",
            resnet["bytes_per_pixel"] / 4,
            own and own["bytes_per_pixel"] / 4,
            "slope, image included",
        ),
    ]
    for name, where in WHERE.items():
        own, cost = measured.get(name), of_theory[name]
        paper = published.BYTES_PER_PIXEL if name == published.ARCHITECTURE else None
        slope = own and own["bytes_per_pixel"]
        basis = "slope, image included"
        rows.append(_row(where, f"{name}: memory", "bytes per pixel", cost["bytes_per_pixel"], slope, basis, paper))
        peak = own and own["extrapolated_peak_bytes"] / GIGABYTE
        basis = f"whole step, extrapolated; theory of it {cost['step_bytes'] / GIGABYTE:.3f}"
        what = f"{name}: batch of 512 at 32x32"
        rows.append(_row(where, what, "GB", cost["batch_bytes"] / GIGABYTE, peak, basis))
    return rows


def _weights(measured: dict[str, Any]) -> float:
    return measured["peaks"][0]["categories"]["weights"] / 4


def whole_data_set_rows(of_theory: Mapping[str, Any], whole: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The row on one step with the whole training set as its batch; `whole` is its record, None where there is none."""
    cost = of_theory[published.ARCHITECTURE]
    expected = (cost["weights_bytes"] + cost["bytes_per_pixel"] * CIFAR_IMAGES * PIXELS) / GIGABYTE
    held, basis = None, "CIFAR-10, c0 = 32"
    if whole:
        step, size, name = values_of(whole), whole["settings"]["image_size"], whole["settings"]["architecture"]
        fits = step["status"] in FINISHED
        held = step["peak_memory_bytes"] / GIGABYTE if fits else None
        basis += f"; measured: {step['data']}, {cells.images(step['train_images'])} images of {size}x{size}, "
        basis += f"{name} of c0 = {cells.count(step['initial_channels'])}, on {whole['hardware']['device']}, "
        basis += step["peak_memory_kind"]
        basis += "" if fits else f" ({step['status']})"
    return [_row("1", "all training images in one batch", "GB", expected, held, basis)]


def training_rows(scale: str, runs: pd.DataFrame, device: str, capped: str | None, label: str) -> list[dict[str, Any]]:
    """Rows on training the proposed model, each with the state of its runs and their records."""
    own = select(runs, architecture=published.ARCHITECTURE, reconstruction=published.RECONSTRUCTION)
    groups = large, small = select(own, device=device), select(own, device=capped or "")
    large, small = (finished(usable(group)) for group in groups)
    data = ", ".join(usable(own)["data"].dropna().unique()) or "no data yet"
    on = f"{data}, scale {scale}"
    card = f"not that card: {label or 'no capped device'}"
    accuracy = 100 * large["accuracy"].astype(float)
    minutes = small["total_s"].astype(float) / 60
    peak = small["peak_memory_bytes"].astype(float) / 1e6
    kinds = small["peak_memory_kind"].dropna().unique()
    paper, paper_minutes = 100 * published.ACCURACY, published.TOTAL_S / 60
    rows = [
        _row("abstract", "proposed model: accuracy", "%", None, *_of(accuracy, "mean", on), paper),
        _row("abstract", "training on 1 GB", "minutes", None, *_of(minutes, "median", on, card), paper_minutes),
        _row("6", "training on 1 GB: memory", "MB", None, *_of(peak, "max", on, card, *kinds)),
    ]
    large_runs, small_runs = map(_became, groups)
    return [row | became for row, became in zip(rows, (large_runs, small_runs, small_runs), strict=True)]


def _became(planned: pd.DataFrame) -> dict[str, Any]:
    """What became of the `planned` runs of a row, and the records that say so."""
    summary = pd.Series(summarise(planned))
    return {"status": NOT_RUN if planned.empty else cells.status(summary), "records": summary["records"]}


def _of(values: pd.Series, statistic: str, on: str, *further: str) -> tuple[float | None, str]:
    """(the `statistic` of `values`, what it is of: `on`, how many runs, what is `further` said)."""
    if values.empty:
        return None, "; ".join([on, *further])
    counted = "1 run" if len(values) == 1 else f"{statistic} of {len(values)} runs"
    return float(values.agg(statistic)), "; ".join([f"{on}, {counted}", *further])


def _row(
    where: str,
    claim: str,
    unit: str,
    expected: float | None,
    found: float | None,
    basis: str,
    paper: float | None = None,
) -> dict[str, Any]:
    names = ("where", "claim", "unit", "theory", "measured", "basis", "published")
    return dict(zip(names, (where, claim, unit, expected, found, basis, paper), strict=True))
