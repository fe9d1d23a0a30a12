"""Checking a value against a JSON schema: defaults are filled in, and a fault is told in one sentence."""

import copy
import difflib
import math
from collections.abc import Collection, Iterator
from typing import Any

import jsonschema

_BASE = jsonschema.Draft202012Validator
_KINDS = {"integer": "a whole number", "number": "a number", "string": "text", "object": "a mapping", "array": "a list"}
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "a list of at least {}",
    "maxItems": "a list of at most {}",
    "minLength": "text of {} or more letters",
    "minProperties": "a mapping with {} or more keys",
    "uniqueItems": "a list without repetition",
    "pattern": "lower-case letters and digits, with '-' between words",
}


def fault(value: Any, schema: dict[str, Any]) -> str | None:
    """The first thing that is wrong with `value` by `schema`, a sentence without its full stop; None if all is right.

    `value` is changed: a missing key that has a default in the schema gets it.
    """
    errors = _Validator(schema).iter_errors(value)
    first = min(errors, key=lambda error: [str(part) for part in error.absolute_path], default=None)
    return None if first is None else " ".join(_sentence(first).split())  # a key may have line ends


def nearest(given: object, choices: Collection[str]) -> str:
    """' (did you mean ...?)' where some of `choices` look like `given`, else nothing."""
    near = difflib.get_close_matches(str(given), choices, n=2)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _properties(validator: Any, properties: dict, instance: Any, schema: dict) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, dict):
        for key, subschema in properties.items():
            if "default" in subschema:
                # A copy: two values must not share one list.
                instance.setdefault(key, copy.deepcopy(subschema["default"]))
    yield from _BASE.VALIDATORS["properties"](validator, properties, instance, schema)


# For us 2.0 is no whole number (a seed 2.0 would make another file name than 2), and infinity and NaN are no numbers.
_Validator = jsonschema.validators.extend(
    _BASE,
    {"properties": _properties},
    type_checker=_BASE.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            ),
        }
    ),
)


def _sentence(error: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        suggestion = nearest(unknown, known) or f"; the keys there are {', '.join(known)}"
        return f"unknown key {key}{'.' if key else ''}{unknown}{suggestion}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        meaning = error.schema["properties"][missing]["description"]
        return f"the key {key}{'.' if key else ''}{missing} is missing ({meaning.rstrip('.')})"
    return f"{key or 'the content'} must be {_wanted(error)}, but is {error.instance!r}{_meaning(error)}"


def _wanted(error: jsonschema.ValidationError) -> str:
    wanted = error.validator_value
    if error.validator == "type":
        return " or ".join(_KINDS.get(kind, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted))
    if error.validator == "enum":
        return f"one of {', '.join(wanted)}"
    return _LIMITS[error.validator].format(wanted)


def _meaning(error: jsonschema.ValidationError) -> str:
    text = error.schema.get("description", "").rstrip(".")
    if error.validator == "type" and isinstance(error.instance, str):
        try:
            float(error.instance)
            text += "; YAML takes 5e-4 for text, write 0.0005"
        except ValueError:
            pass
    return f" ({text})" if text else ""
