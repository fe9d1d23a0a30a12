"""Every record that a scale plans, in whatever state it is, and the cells of the tables that it stands behind."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.reporting.patterns import original
from bench.reporting.summary import select

# What the numbers under a head of Table 1 come from, by the head's beginning; all others come from training runs.
MEMORY_HEADS = ("c0; depths", "Parameters", "Bytes per pixel", "Peak MB", "Forward-equivalents")
STEPS_HEADS = ("Step time",)
NO_HEADS = ("Architecture", "Reconstruction", "Device", "Paper")
MEASURED_CLAIM = ("Measured",)


@dataclass(frozen=True)
class Listed:
    """One planned record: `state` is ok, stale, broken, not run, or how a run ended; `remark` says more of it."""

    kind: str
    name: str
    state: str
    path: str
    date: str
    commit: str
    hardware: str
    remark: str

    @property
    def anchor(self) -> str:
        """The id of its row in the report."""
        return f"{self.kind}-{self.name}"


def listed(runs: pd.DataFrame, measurements: pd.DataFrame) -> list[Listed]:
    """All planned records, runs first, from the frames that the tables are made of."""
    found = [_listed("train", row["run"], row, "") for _, row in runs.iterrows()]
    for kind in ("memory", "steps"):
        of_kind = measurements.drop_duplicates(f"{kind}_path")
        found += [_listed(kind, Path(row[f"{kind}_path"]).stem, row, f"{kind}_") for _, row in of_kind.iterrows()]
    return found


def _listed(kind: str, name: str, row: pd.Series, prefix: str) -> Listed:
    texts = {
        column: row.get(f"{prefix}{column}") for column in ("path", "date", "commit", "hardware", "fault", "reason")
    }
    text = {column: "" if pd.isna(value) else str(value) for column, value in texts.items()}
    remark = text["fault"] or text["reason"]
    origin = (text["path"], text["date"], text["commit"], text["hardware"])
    return Listed(kind, name, row[f"{prefix}status"].replace("-", " "), *origin, remark)


def behind(table: str, head: str, row: pd.Series, runs: pd.DataFrame) -> list[str]:
    """Anchors of the records behind the cell under `head` of the `row` of the table's frame; empty where none is."""
    if head.startswith(NO_HEADS) or row.get("source") == "published":
        return []
    if table == "claims":
        return claimed(row) if head.startswith(MEASURED_CLAIM) else []
    architecture, reconstruction = row["architecture"], row["reconstruction"]
    if table == "table1" and head.startswith(MEMORY_HEADS):
        return [f"memory-{architecture}-{reconstruction}"]
    if table == "table1" and head.startswith(STEPS_HEADS):
        return [f"steps-{architecture}"]
    here = select(runs, device=row["device"])
    groups = [select(here, architecture=architecture, reconstruction=reconstruction)]
    if head.startswith("Gap") and reconstruction != "ideal":
        groups.append(select(here, architecture=original(architecture), reconstruction="ideal"))
    return [f"train-{name}" for group in groups for name in group["run"]]


def claimed(row: pd.Series) -> list[str]:
    """Anchors of the records behind the measured number of a `row` of the claims table."""
    if not pd.isna(row["records"]):
        return [f"train-{name}" for name in row["records"].split("; ")]
    return [] if pd.isna(row["claim_record"]) else [f"claims-{claim_name(row['claim_record'])}"]


def claim_name(record: str) -> str:
    """What the measurement is called whose record lies at this place of a results folder."""
    return Path(record).parts[0].removesuffix(".json")
