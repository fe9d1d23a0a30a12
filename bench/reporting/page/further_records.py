"""The records of a scale that stand behind figures and claims: experiments on noise, timelines, long measurements."""

from pathlib import Path
from typing import Any

from bench.configuration import Configuration
from bench.errors import InputError
from bench.plan import numerics_key, numerics_targets, timeline_key
from bench.provenance import code_digest
from bench.records import read_record, recorded_digest
from bench.reporting.claims import SHAPES_RECORD, WHOLE_BATCH_RECORD
from bench.reporting.page.records import Listed, claim_name
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE, commit

# long measurement -> its record, and the code that it depends on
CLAIMS = {"paper-shapes": (SHAPES_RECORD, "memory"), "whole-batch": (WHOLE_BATCH_RECORD, "train")}


def further_records(configuration: Configuration, results: Path) -> list[Listed]:
    """Those that the scale plans, and long measurements that were made by hand."""
    numerics = [
        _listed("numerics", name, results / "numerics" / f"{name}.json", "key", numerics_key(configuration, name))
        for name in numerics_targets(configuration)
    ]
    timeline = _listed("timeline", "all", results / "timeline.json", "key", timeline_key(configuration))
    claims = [
        _listed("claims", claim_name(place), results / place, "code", code_digest(code))
        for name, (place, code) in CLAIMS.items()
        if name in configuration["claims"] or (results / place).exists()
    ]
    return [*numerics, timeline, *claims]


def _listed(kind: str, name: str, path: Path, part: str, present: str) -> Listed:
    """A record in whatever state it is; it is stale where its digest of `part` is not the `present` one."""
    if not path.exists():
        return Listed(kind, name, NOT_RUN, str(path), "", "", "", "")
    try:
        record = read_record(path)
        origin = (record["date"], commit(record["git"]), record["hardware"]["device"])
    except (InputError, KeyError, TypeError) as error:
        return Listed(kind, name, BROKEN, str(path), "", "", "", str(error))
    stale = recorded_digest(record, part) != present
    return Listed(kind, name, STALE if stale else _ended(record), str(path), *origin, "")


def _ended(record: dict[str, Any]) -> str:
    """How a run ended, as the tables write it; other records are made or not."""
    return record["outcome"]["status"].replace("-", " ") if record["kind"] == "train" else "ok"
