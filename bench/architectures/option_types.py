"""Which values an option of a network's builder may have, as far as its annotation says."""

import inspect
import math
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

# Types whose values are checked, in words.
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list",
    NoneType: "null",
}


def wanted(builder: Callable[..., Any], option: str, value: Any) -> str | None:
    """What the option must be in place of `value`, in words; None where the annotation lets it be or does not say."""
    kinds = _kinds(builder, option)
    if not kinds or any(_is_of(value, kind) for kind in kinds):
        return None
    return " or ".join(WORDS[kind] for kind in kinds)


def is_whole(value: Any, at_least: int | None = None) -> bool:
    """Whether `value` is a whole number, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool) and (at_least is None or value >= at_least)


def _kinds(builder: Callable[..., Any], option: str) -> tuple[type, ...]:
    """Types of `WORDS` that the option may have; () where its annotation has others."""
    try:
        annotation = inspect.signature(builder, eval_str=True).parameters[option].annotation
    except NameError:  # a name that is there for type checkers alone
        return ()
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = tuple(get_origin(part) or part for part in parts)
    return kinds if all(kind in WORDS for kind in kinds) else ()


def _is_of(value: Any, kind: type) -> bool:
    """Whether `value`, of YAML or of Python, may stand for an option of type `kind`."""
    if kind is float:
        return (isinstance(value, float) and math.isfinite(value)) or is_whole(value)
    if kind is int:
        return is_whole(value)
    return isinstance(value, tuple | list if kind is tuple else kind)
