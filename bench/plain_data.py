"""Plain data: what JSON can say. Keys are digests of it and records are made of it, so nothing else is let in."""

import math
from typing import Any

DEEPEST = 100  # levels of lists and mappings: those who walk them call themselves, and a cycle has no end of them
MOST = 2_000_000  # values: a dozen YAML anchors, each a list of the one before, are more than fit into memory


def unfit(content: Any) -> str | None:
    """What of `content` JSON cannot say, a sentence without its full stop that names the place; None where all is."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), [content])]  # lists and mappings, and where they are
    seen = 0
    while waiting:
        place, value = waiting.pop()
        if value and len(place) > DEEPEST:  # what is in it is one level deeper
            return f"{place[1]} is nested more than {DEEPEST} levels deep, or holds itself"
        seen += len(value)
        if seen > MOST:
            return f"it holds more than {MOST:,} values"
        if isinstance(value, dict) and (odd := [key for key in value if not isinstance(key, str)]):
            kind = type(odd[0]).__name__
            return f"a key of {_named(place)} must be text (write it in quotes), but is of the kind {kind}"
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, dict | list):
                waiting.append(((*place, key), inner))
            elif wrong := _odd(inner):
                wanted = "a number, text (in quotes), true, false, null, a list or a mapping"
                return f"{_named((*place, key))} must be {wanted}, but is {wrong}"
    return None


def _named(place: tuple[str | int, ...]) -> str:
    """The place below the content, which stands in a list of its own."""
    return ".".join(map(str, place[1:])) or "the content"


def _odd(value: Any) -> str | None:
    """What a single `value` is in place of text, a finite number, true, false or null; None where it is one of them."""
    if value is None or isinstance(value, str):
        return None
    if not isinstance(value, int | float):
        return f"of the kind {type(value).__name__}"
    try:
        return None if math.isfinite(value) else f"{value}, which is not finite"
    except OverflowError:
        return "a whole number of more than 308 digits"
