"""The claims table: every number that the draft leaves as XXX, by theory, by our records, and as published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import InputError
from bench.memory.paper_shapes import SHAPES, theory
from bench.provenance import code_digest
from bench.records import recorded_digest
from bench.reporting import published
from bench.reporting.cells import DASH, is_missing
from bench.reporting.current import record_of
from bench.reporting.formats import Table
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE, commit
from bench.reporting.summary import finished, select, usable

GIGABYTE = 1e9
CIFAR_IMAGES, PIXELS = 50_000, 32 * 32
WHERE = {"resnet18": "3.3", "revnet": "3.4", "irevnet": "3.5", "layerwise": "4.1", "hybrid": "4.2"}
SHAPES_RECORD, WHOLE_BATCH_RECORD = "paper_shapes.json", "whole-batch/record.json"
FIELDS = {  # of a record, by its kind, that the table is made of
    "paper-shapes": ("networks", "hardware", "git", "date"),
    "train": ("settings", "data", "outcome", "peak_memory"),
}


def claims_table(
    scale: str, results: Path, runs: pd.DataFrame, device: str, capped: str | None, label: str = ""
) -> Table:
    """The table from the folder `results` and the frame of its training runs.

    Accuracy is that of the runs on `device`, Table 1's; `capped` and `label` are the capped device's name and label.
    """
    faults: list[str] = []
    shapes, shapes_status = _current(results / SHAPES_RECORD, "paper-shapes", "memory", faults)
    whole, whole_status = _current(results / WHOLE_BATCH_RECORD, "train", "train", faults)
    of_theory = {name: theory(name) for name in SHAPES}
    measured = shapes["networks"] if shapes else {}
    frame = pd.concat(
        [
            pd.DataFrame(_memory(of_theory, measured)).assign(status=shapes_status, claim_record=SHAPES_RECORD),
            pd.DataFrame(_whole_data_set(of_theory, whole)).assign(
                status=whole_status, claim_record=WHOLE_BATCH_RECORD
            ),
            pd.DataFrame(_training(scale, runs, device, capped, label)).assign(status=NOT_RUN),
        ],
        ignore_index=True,
    )
    frame["status"] = frame["status"].where(frame["measured"].isna(), "ok")
    frame["claim_record"] = frame["claim_record"].where(frame["status"] != NOT_RUN)
    return Table(
        name="claims",
        caption=f"Claims. The numbers that the draft leaves open. Scale {scale}"
        + (f"; measured at the paper's shapes on {_origin(shapes)}" if shapes else ""),
        notes=NOTES,
        warnings=tuple(faults),
        frame=frame,
        display=pd.DataFrame([_display(row) for _, row in frame.iterrows()]),
    )


def _origin(record: dict[str, Any]) -> str:
    return f"{record['hardware']['device']}, {record['date'][:10]}, commit {commit(record['git'])}"


def _memory(of_theory: Mapping[str, Any], measured: Mapping[str, Any]) -> list[dict[str, Any]]:
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


def _whole_data_set(of_theory: Mapping[str, Any], whole: dict[str, Any] | None) -> list[dict[str, Any]]:
    cost = of_theory[published.ARCHITECTURE]
    expected = (cost["weights_bytes"] + cost["bytes_per_pixel"] * CIFAR_IMAGES * PIXELS) / GIGABYTE
    held, basis = None, "CIFAR-10, c0 = 32"
    if whole:
        settings, images = whole["settings"], whole["data"]["sizes"][0]
        fits = whole["outcome"]["status"] in ("ok", "below-target")
        held = whole["peak_memory"]["process_resident_bytes"] / GIGABYTE if fits else None
        what = f"{settings['data']}, {images:,} images of {settings['image_size']}x{settings['image_size']}"
        basis += f"; measured: {what}, {settings['architecture']} of c0 = {settings['initial_channels']}, resident"
        basis += "" if fits else f" ({whole['outcome']['status']})"
    return [_row("1", "all training images in one batch", "GB", expected, held, basis)]


def _training(scale: str, runs: pd.DataFrame, device: str, capped: str | None, label: str) -> list[dict[str, Any]]:
    own = select(usable(runs), architecture=published.ARCHITECTURE, reconstruction=published.RECONSTRUCTION)
    small = select(own, device=capped or "")
    large = select(own, device=device)
    data = ", ".join(own["data"].dropna().unique()) or "no data yet"
    on = f"{data}, scale {scale}"
    large, small = finished(large), finished(small)
    accuracy = 100 * large["accuracy"].astype(float)
    minutes = small["total_s"].astype(float) / 60
    peak = small["peak_memory_bytes"].astype(float) / 1e6
    emulated = f"{on}; not that card: {label or 'no capped device'}"
    rows = [
        _row("abstract", "proposed model: accuracy", "%", None, _mean(accuracy), on, 100 * published.ACCURACY),
        _row("abstract", "training on 1 GB", "minutes", None, _mean(minutes), emulated, published.TOTAL_S / 60),
        _row("6", "training on 1 GB: memory", "MB", None, _mean(peak), f"{emulated}; whole process"),
    ]
    groups = (large, small, small)
    return [row | {"records": "; ".join(group["run"]) or None} for row, group in zip(rows, groups, strict=True)]


def _mean(values: pd.Series) -> float | None:
    return None if values.empty else float(values.mean())


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


def _current(path: Path, kind: str, code: str, faults: list[str]) -> tuple[dict[str, Any] | None, str]:
    """(record, what its rows show where they have no number).

    There is none where it was not made, or by other code, or where it is broken: then `faults` is told.
    """
    if not path.exists():
        return None, NOT_RUN
    try:
        record = record_of(path, kind, FIELDS[kind])
    except InputError as error:
        faults.append(str(error))
        return None, BROKEN
    if recorded_digest(record, "code") != code_digest(code):
        return None, STALE
    return record, record.get("outcome", {}).get("status", NOT_RUN)


def _display(row: pd.Series) -> dict[tuple[str, str], str]:
    return {
        ("Section", ""): row["where"],
        ("Number", ""): row["claim"],
        ("Unit", ""): row["unit"],
        ("Theory", ""): _number(row["theory"], DASH),
        ("Measured", ""): _number(row["measured"], row["status"]),
        ("Published", ""): _number(row["published"], DASH),
        ("What was measured", ""): row["basis"],
    }


def _number(value: float | None, missing: str) -> str:
    if is_missing(value):
        return missing
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


NOTES = (
    "Theory: the paper's cost model (eqs. 5-13 and 30), without input images, weight gradients and optimizer; the "
    "number beside an extrapolated one adds them. ResNet-18 and RevNet have 11.2 M parameters, the others c0 = 32.",
    "Measured at the paper's shapes: slope of live bytes between two small batches (`python -m bench paper-shapes`). "
    "The whole data set: peak resident memory of the process that made the step (`python -m bench whole-batch`).",
    f"Published: {published.SOURCE}.",
)
