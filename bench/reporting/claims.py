"""The claims table: every number that the draft leaves as XXX, by theory, by our records, and as published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import InputError
from bench.long_measurements import FILES
from bench.memory.paper_shapes import SHAPES, theory
from bench.provenance import code_digest
from bench.records import recorded_digest
from bench.reporting import published
from bench.reporting.cells import DASH, is_missing
from bench.reporting.claim_rows import memory_rows, training_rows, whole_data_set_rows
from bench.reporting.formats import Table
from bench.reporting.record_schema import read_valid
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE, commit
from bench.reporting.summary import FINISHED

SHAPES_RECORD, WHOLE_BATCH_RECORD = FILES["paper-shapes"], FILES["whole-batch"]


def claims_table(
    scale: str,
    results: Path,
    runs: pd.DataFrame,
    device: str,
    capped: str | None,
    whole_batch_key: Callable[[dict[str, Any]], str | None],
    label: str = "",
) -> Table:
    """The table from the folder `results` and the frame of its training runs.

    Accuracy is that of the runs on `device`, Table 1's; `capped` and `label` are the capped device's name and label.
    `whole_batch_key` gives the key that a record of the whole data set as one batch would have now.
    """
    faults: list[str] = []
    shapes_code = code_digest("memory")
    shapes, shapes_status = _current(results / SHAPES_RECORD, "paper-shapes", "code", lambda _: shapes_code, faults)
    whole, whole_status = _current(results / WHOLE_BATCH_RECORD, "train", "key", whole_batch_key, faults)
    of_theory = {name: theory(name) for name in SHAPES}
    measured = shapes["networks"] if shapes else {}
    frame = pd.concat(
        [
            pd.DataFrame(memory_rows(of_theory, measured)).assign(status=shapes_status, claim_record=SHAPES_RECORD),
            pd.DataFrame(whole_data_set_rows(of_theory, whole)).assign(
                status=whole_status, claim_record=WHOLE_BATCH_RECORD
            ),
            pd.DataFrame(training_rows(scale, runs, device, capped, label)),
        ],
        ignore_index=True,
    )
    of_runs = frame["records"].notna()  # these say themselves what became of their runs, beside a number too
    frame["status"] = frame["status"].where(frame["measured"].isna() | of_runs, "ok")
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


def _current(
    path: Path, kind: str, part: str, present: Callable[[dict[str, Any]], str | None], faults: list[str]
) -> tuple[dict[str, Any] | None, str]:
    """(record, what its rows show where they have no number).

    There is none where it was not made, or its digest of `part` is not the `present` one, or where it is broken: then
    `faults` is told.
    """
    if not path.exists():
        return None, NOT_RUN
    try:
        record = read_valid(path, kind, {})
    except InputError as error:
        faults.append(str(error))
        return None, BROKEN
    if recorded_digest(record, part) != present(record):
        return None, STALE
    return record, record.get("outcome", {}).get("status", NOT_RUN)


def _display(row: pd.Series) -> dict[tuple[str, str], str]:
    return {
        ("Section", ""): row["where"],
        ("Number", ""): row["claim"],
        ("Unit", ""): row["unit"],
        ("Theory", ""): _number(row["theory"], DASH),
        ("Measured", ""): _measured(row),
        ("Published", ""): _number(row["published"], DASH),
        ("What was measured", ""): row["basis"],
    }


def _measured(row: pd.Series) -> str:
    """The number, and beside it what became of the runs where not all ended well."""
    text = _number(row["measured"], DASH if row["status"] in FINISHED else row["status"])
    return text if is_missing(row["measured"]) or row["status"] == "ok" else f"{text} ({row['status']})"


def _number(value: float | None, missing: str) -> str:
    if value is None or is_missing(value):
        return missing
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


NOTES = (
    "Theory: the paper's cost model (eqs. 5-13 and 30), without input images, weight gradients and optimizer; the "
    "number beside an extrapolated one adds them. ResNet-18 has 11.2 M parameters, RevNet 11.0 M, the others c0 = 32.",
    "Measured at the paper's shapes: slope of live bytes between two batches (`python -m bench paper-shapes`). "
    "The whole data set: peak memory of the process that made the step (`python -m bench whole-batch`), on a GPU what "
    "the allocator handed out.",
    f"Published: {published.SOURCE}.",
)
