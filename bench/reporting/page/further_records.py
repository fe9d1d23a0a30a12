"""The records of a scale that stand behind figures and claims: experiments on noise, timelines, long measurements."""

from pathlib import Path
from typing import Any

from bench.configuration import Configuration
from bench.errors import InputError
from bench.plan import numerics_key, numerics_targets, timeline_key
from bench.provenance import code_digest
from bench.records import recorded_digest
from bench.reporting.claims import SHAPES_RECORD, WHOLE_BATCH_RECORD
from bench.reporting.current import record_of
from bench.reporting.page.records import Listed, claim_name
from bench.reporting.record_schema import STATUSES
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE, commit

# long measurement -> its record, that record's kind, and the code that it depends on
CLAIMS = {
    "paper-shapes": (SHAPES_RECORD, "paper-shapes", "memory"),
    "whole-batch": (WHOLE_BATCH_RECORD, "train", "train"),
}


def further_records(configuration: Configuration, results: Path) -> list[Listed]:
    """Those that the scale plans, and long measurements that were made by hand."""
    numerics = [
        _listed("numerics", name, results / "numerics" / f"{name}.json", "numerics", numerics_key(configuration, name))
        for name in numerics_targets(configuration)
    ]
    timeline = _listed("timeline", "all", results / "timeline.json", "timeline", timeline_key(configuration))
    claims = [
        _listed("claims", claim_name(place), results / place, kind, code_digest(code), part="code")
        for name, (place, kind, code) in CLAIMS.items()
        if name in configuration["claims"] or (results / place).exists()
    ]
    return [*numerics, timeline, *claims]


def _listed(section: str, name: str, path: Path, kind: str, present: str, part: str = "key") -> Listed:
    """A record of `kind` in whatever state it is; it is stale where its digest of `part` is not the `present` one."""
    if not path.exists():
        return Listed(section, name, NOT_RUN, str(path), "", "", "", "")
    try:
        record = record_of(path, kind, ("date", "git", "hardware"))
        origin = (record["date"], commit(record["git"]), record["hardware"]["device"])
        state = STALE if recorded_digest(record, part) != present else _ended(record)
    except InputError as error:
        return Listed(section, name, BROKEN, str(path), "", "", "", str(error))
    except (LookupError, TypeError):
        fault = f"The record {path} does not say where it is from or how it ended; delete it and run it again."
        return Listed(section, name, BROKEN, str(path), "", "", "", fault)
    return Listed(section, name, state, str(path), *origin, "")


def _ended(record: dict[str, Any]) -> str:
    """How a run ended, as the tables write it (`LookupError`: in no known way); other records are made or not."""
    if record["kind"] != "train":
        return "ok"
    status = record["outcome"]["status"]
    if status not in STATUSES:
        raise LookupError(status)
    return status.replace("-", " ")
