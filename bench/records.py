"""Records: one JSON file a run, written whole or not at all, and read back with its faults named.

A record ends with a checksum of all before it, so that one which was edited is not taken for what a run measured.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from bench.errors import InputError
from bench.plain_data import unfit
from bench.same_results import SAME_KEYS

CHECKSUM = "checksum"
NO_RECORD = "give one, or, where a step has written it, run that again"


def write_text(path: Path, text: str) -> None:
    """Write `text` to a temporary file beside `path`, then move it there: a reader never sees half a file.

    What is no character (half of one, as in file names that are not UTF-8) is written as its escape.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write one record as JSON, its checksum added. Numbers that are not finite are refused: they are not JSON."""
    whole = {**record, CHECKSUM: checksum(record)}
    write_text(path, json.dumps(whole, indent=2, allow_nan=False) + "\n")


def checksum(record: dict[str, Any]) -> str:
    """SHA-256 of the record's content, whatever its spaces and line ends."""
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def read_record(path: Path) -> dict[str, Any]:
    """Read one record, without its checksum.

    A missing, broken or edited one raises `InputError` with the file's name and the fault; one without a checksum, as
    they were written before there was any, is taken as it is.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        checked = isinstance(record, dict) and CHECKSUM in record
        edited = checked and record.pop(CHECKSUM) != checksum(record)
    except OSError as error:
        raise InputError(f"The record {path} cannot be read ({error.strerror}); run it again.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}), and thus no record; {NO_RECORD}.") from error
    if not isinstance(record, dict) or "kind" not in record:
        raise InputError(f"{path} has no field 'kind', and is thus no record; {NO_RECORD}.")
    if edited:
        raise InputError(f"The record {path} was edited after it was written; delete it and run it again.")
    if wrong := unfit(record):
        raise InputError(f"The record {path} holds what no record does ({wrong}); delete it and run it again.")
    return record


def recorded_digest(record: dict[str, Any], part: str) -> str | None:
    """What `record` says of its `part`, "configuration", "code" or "key"; None where it says nothing.

    A key under which code with the same results made it is told as that of the present code (`bench.same_results`).
    """
    digest = record.get("digest")
    told = digest.get(part) if isinstance(digest, dict) else None
    return SAME_KEYS.get(told, told) if part == "key" and isinstance(told, str) else told


def key_of(path: Path) -> str | None:
    """The key of the record at `path`; None where there is no whole one."""
    try:
        return recorded_digest(read_record(path), "key")
    except InputError:
        return None
