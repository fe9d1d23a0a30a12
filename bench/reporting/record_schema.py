"""What the tables need of a record. A record that does not hold it is called broken, with the reason."""

import json
import math
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from bench.errors import InputError
from bench.records import read_record

STATUSES = ("ok", "below-target", "diverged", "inexact", "out-of-memory", "timed-out")

# JSON has integers of any size; up to this one a float holds each exactly, and nothing measured is larger.
_RANGE = {"minimum": 0, "maximum": 2**53}
_COUNT = {"type": "integer", **_RANGE}
_AMOUNT = {"type": "number", **_RANGE}
_AMOUNT_OR_NULL = {"type": ["number", "null"], **_RANGE}
_COUNT_OR_NULL = {"type": ["integer", "null"], **_RANGE}
_TEXT = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    """An object that has all of `properties`, and may have more."""
    return {"type": "object", "required": list(properties), "properties": properties}


_ORIGIN = {
    "hardware": _object(device=_TEXT),
    "git": _object(commit={"type": ["string", "null"]}, dirty={"type": ["boolean", "null"]}),
    "digest": _object(key=_TEXT),
    "date": _TEXT,
}
_SHAPE = {
    "architecture": _TEXT,
    "parameters": _COUNT_OR_NULL,  # null where memory ran out before the network was built
    "initial_channels": _COUNT_OR_NULL,
    "depths": {"type": "array", "items": _COUNT},
}
_TRAIN = _object(
    settings=_object(
        **_SHAPE,
        reconstruction=_TEXT,
        seed={"type": "integer"},
        device=_TEXT,
        data=_TEXT,
        train_images=_COUNT_OR_NULL,  # as asked for: null is all; `data.sizes` says how many there were
        test_images=_COUNT_OR_NULL,
        image_size=_COUNT,
        target_accuracy=_AMOUNT,
    ),
    outcome=_object(
        status={"enum": list(STATUSES)},
        reason={"type": ["string", "null"]},
        accuracy={"type": ["number", "null"], "minimum": 0, "maximum": 1},
    ),
    history={"type": "array", "items": _object(test_accuracy=_AMOUNT, training_s=_AMOUNT)},
    seconds=_object(load=_AMOUNT, training=_AMOUNT, evaluation=_AMOUNT, everything=_AMOUNT),
    time_to_target_s=_AMOUNT_OR_NULL,
    peak_memory=_object(process_resident_bytes=_COUNT_OR_NULL, cuda_allocated_bytes=_COUNT_OR_NULL),
    **_ORIGIN,
)
# Runs that choose a recipe are judged on training images, and belong into no table.
_TRAIN["properties"]["settings"]["properties"]["evaluated_on"] = {"const": "test"}
_TRAIN["properties"]["flip_tta_accuracy"] = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_TRAIN["properties"]["data"] = {
    "type": "object",
    "properties": {"sizes": {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2}},
}
_TRAIN["properties"]["exactness"] = {"type": ["object", "null"], "properties": {"overflows": _COUNT}}
# A run that came to its end has an accuracy.
_TRAIN["if"] = {"properties": {"outcome": {"properties": {"status": {"enum": ["ok", "below-target"]}}}}}
_TRAIN["then"] = {"properties": {"outcome": {"properties": {"accuracy": {"type": "number"}}}}}

_MEMORY = _object(
    settings=_object(**_SHAPE, reconstruction=_TEXT),
    theory=_object(
        bytes_per_pixel=_AMOUNT,
        batch_bytes={"type": "object", "additionalProperties": _AMOUNT},
        forward_equivalents=_AMOUNT,
    ),
    measured=_object(bytes_per_pixel=_AMOUNT_OR_NULL, table_batch_size=_COUNT, table_peak_bytes=_AMOUNT_OR_NULL),
    **_ORIGIN,
)
_ENDED = {
    "type": ["object", "null"],
    "required": ["status"],
    "properties": {"status": {"enum": ["ok", "out-of-memory"]}},
}
_RATIO = _object(median=_AMOUNT, low=_AMOUNT, high=_AMOUNT)
_STEPS = _object(
    settings=_object(architecture=_TEXT),
    seconds={"type": "object", "additionalProperties": {"type": "array", "items": _AMOUNT, "minItems": 1}},
    **_ORIGIN,
)
_MEMORY["properties"]["outcome"] = _ENDED
_STEPS["properties"] |= {
    "outcome": _ENDED,
    "ratio_to_ideal": {"type": ["object", "null"], "additionalProperties": _RATIO},
    "reference": {"type": ["string", "null"]},
    "ratio_to_reference": {"type": "object", "additionalProperties": _RATIO},
}
_NETWORK = _object(
    bytes_per_pixel=_AMOUNT,
    extrapolated_peak_bytes=_AMOUNT,
    peaks={"type": "array", "minItems": 1, "items": _object(categories=_object(weights=_AMOUNT))},
)
_SHAPES = _object(
    networks={"type": "object", "additionalProperties": _NETWORK},
    **{name: schema for name, schema in _ORIGIN.items() if name != "digest"},
)
_SCHEMAS = {"train": _TRAIN, "memory": _MEMORY, "steps": _STEPS, "paper-shapes": _SHAPES}
_VALIDATORS = {kind: Draft202012Validator(schema) for kind, schema in _SCHEMAS.items()}


def fault(record: dict[str, Any], kind: str, settings: dict[str, Any]) -> str | None:
    """Say what keeps `record` from being the one of `kind` with these `settings`; None where nothing does."""
    if record.get("kind") != kind:
        return f"its kind is {record.get('kind')!r}, not {kind!r}"
    error = best_match(_VALIDATORS[kind].iter_errors(record))
    if error is not None:
        return f"{'.'.join(map(str, error.absolute_path)) or 'record'}: {error.message}"
    try:
        json.dumps(record, allow_nan=False)  # Python reads NaN and Infinity, which no comparison above refuses
    except ValueError:
        return "it holds a number that is not finite"
    own = record.get("settings", {})
    wrong = {name: own[name] for name, value in settings.items() if own[name] != value}
    if wrong:
        return "its settings are of another run: " + ", ".join(f"{name} is {value!r}" for name, value in wrong.items())
    return None


def read_valid(path: Path, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Read the record of `kind` at `path`; `InputError` names the file and the fault where it is broken."""
    record = read_record(path)
    reason = fault(record, kind, settings)
    if reason is not None:
        raise InputError(f"The record {path} is broken ({reason}); delete it and run it again.")
    return record


def number(value: float | None) -> float:
    """A number of a record as a float; null becomes NaN."""
    return math.nan if value is None else float(value)
