"""A record as it is wanted now: of its kind, and made with the present settings and code."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import InputError
from bench.records import read_record, recorded_digest


def record_of(path: Path, kind: str, fields: Sequence[str] = ()) -> dict[str, Any]:
    """The record at `path`; `InputError` where it is missing, broken, of another kind or without one of `fields`."""
    record = read_record(path)
    if record["kind"] != kind:
        raise InputError(f"The record {path} is of kind {record['kind']!r}, not {kind!r}; delete it and run it again.")
    if missing := [field for field in fields if field not in record]:
        raise InputError(f"The record {path} has no field {missing[0]!r}; delete it and run it again.")
    return record


def current_record(path: Path, kind: str, key: str, include_stale: bool, fields: Sequence[str] = ()) -> dict[str, Any]:
    """The same, where its key is `key`; another is an `InputError`, or with `include_stale` a warning."""
    record = record_of(path, kind, fields)
    if recorded_digest(record, "key") != key:
        told = f"The record {path} was made with other settings or other code"
        if not include_stale:
            raise InputError(f"{told}; run it again, or draw it as it is with --include-stale.")
        print(f"warning: {told}.", file=sys.stderr)
    return record
