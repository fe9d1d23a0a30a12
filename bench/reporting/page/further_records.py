"""The records of a scale that stand behind figures and claims: experiments on noise, timelines, long measurements."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.configuration import Configuration
from bench.errors import InputError
from bench.long_measurements import FILES, at_hand
from bench.plan import numerics_key, numerics_targets, timeline_key
from bench.provenance import code_digest
from bench.records import recorded_digest
from bench.reporting.current import record_of
from bench.reporting.page.records import Listed, claim_name
from bench.reporting.record_schema import STATUSES
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE, commit
from bench.whole_batch_key import present_key

Present = Callable[[dict[str, Any]], str | None]  # the present digest, by what the record says


def further_records(configuration: Configuration, results: Path) -> list[Listed]:
    """Those that the scale plans, and long measurements that were made by hand."""
    numerics = []
    for name in numerics_targets(configuration):
        key = numerics_key(configuration, name)
        numerics.append(_listed("numerics", name, results / "numerics" / f"{name}.json", "numerics", "key", key))
    key = timeline_key(configuration)
    timeline = _listed("timeline", "all", results / "timeline.json", "timeline", "key", key)
    # long measurement -> its record's kind, and what the record's digest of a part must be
    present: dict[str, tuple[str, str, str | Present]] = {
        "paper-shapes": ("paper-shapes", "code", code_digest("memory")),
        "whole-batch": ("train", "key", lambda record: present_key(configuration, record)),
    }
    there = at_hand(configuration, results)
    long = [
        _listed("claims", claim_name(file), results / file, *present[name])
        for name, file in FILES.items()
        if results / file in there
    ]
    return [*numerics, timeline, *long]


def _listed(section: str, name: str, path: Path, kind: str, part: str, present: str | Present) -> Listed:
    """A record of `kind` in whatever state it is; it is stale where its digest of `part` is not the `present` one."""
    if not path.exists():
        return Listed(section, name, NOT_RUN, str(path), "", "", "", "")
    try:
        record = record_of(path, kind, ("date", "git", "hardware"))
        origin = (record["date"], commit(record["git"]), record["hardware"]["device"])
        ended, wanted = _ended(record), present(record) if callable(present) else present
        state = ended if recorded_digest(record, part) == wanted else STALE
    except InputError as error:
        return Listed(section, name, BROKEN, str(path), "", "", "", str(error))
    except (AttributeError, LookupError, TypeError):
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
