"""Cells of the report's tables: the text, the number by which it sorts, and the records behind it."""

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"([−+-]?[\d,]*\.?\d+)(?:\s*(s|min|h|d)\b)?")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Cell:
    """One cell; `anchors` are those of its records in the report."""

    text: str
    anchors: tuple[str, ...] = ()

    @property
    def sort(self) -> str:
        """What it sorts by: a number as text, times in seconds; the text itself where it does not begin with one."""
        if self.text.startswith("∞"):
            return "1e308"
        found = _NUMBER.match(self.text)
        if not found or not any(character.isdigit() for character in found[1]):
            return self.text
        value = float(found[1].replace(",", "").replace("−", "-")) * _SECONDS.get(found[2] or "s", 1)
        return repr(value)
