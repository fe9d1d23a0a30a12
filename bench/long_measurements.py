"""Long measurements for the claims table: where their records lie, which a scale asks for, and how far each has got.

They are no jobs of a plan: how long they take is not estimated, and where a scale's `claims` does not ask for them they
may be made by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.configuration import Configuration
from bench.errors import InputError
from bench.jobs import outgrown, state_of
from bench.provenance import code_digest
from bench.records import recorded_digest
from bench.training.whole_batch import CAP_MB, DEVICE
from bench.whole_batch_key import present_key

FILES = {"paper-shapes": "paper_shapes.json", "whole-batch": "whole-batch/record.json"}
STEP = {  # what `python -m bench whole-batch` makes, if not told otherwise
    "architecture": "hybrid",
    "reconstruction": "noisy",
    "device": DEVICE,
    "seed": 1,
    "memory_cap_mb": CAP_MB,
    "train_images": None,
}


@dataclass(frozen=True)
class LongMeasurement:
    """One record; `key` is what Snakemake compares, and `answers` says whether a record is what would be made now."""

    name: str
    record: Path
    key: str
    answers: Callable[[dict[str, Any]], bool]

    @property
    def state(self) -> str:
        """As a job's: `done`, `missing`, `stale` or `broken`."""
        return state_of(self.record, self.answers)


def asked(configuration: Configuration, results: Path) -> list[LongMeasurement]:
    """Those that the configuration's `claims` asks for, whose records are in the folder `results`.

    Raises:
        InputError: the configuration does not have the network that one of them is of.
    """
    makers = {"paper-shapes": _paper_shapes, "whole-batch": _whole_batch}
    return [makers[name](configuration, results / FILES[name]) for name in configuration["claims"]]


def at_hand(configuration: Configuration, results: Path) -> list[Path]:
    """The records of those that are asked for, and of others that were made by hand."""
    return [
        results / file for name, file in FILES.items() if name in configuration["claims"] or (results / file).exists()
    ]


def whole_batch_key(configuration: Configuration, images: int | None) -> str | None:
    """Key of the record of a step with all `images` of the training set; None: however many, as of a demand."""
    return present_key(configuration, {"settings": STEP, "data": {"sizes": [images]}})


def _paper_shapes(configuration: Configuration, record: Path) -> LongMeasurement:
    key = code_digest("memory")  # of nothing else: its networks are the draft's, whatever the scale
    return LongMeasurement("paper-shapes", record, key, lambda found: recorded_digest(found, "code") == key)


def _whole_batch(configuration: Configuration, record: Path) -> LongMeasurement:
    demand = whole_batch_key(configuration, None)
    if demand is None:
        raise InputError(
            f"Scale {configuration['scale']!r} claims whole-batch, a step of the architecture {STEP['architecture']!r},"
            " but does not have that; add it, or leave whole-batch out of claims."
        )

    def answers(found: dict[str, Any]) -> bool:
        try:
            images = found["data"]["sizes"][0]
        except (KeyError, IndexError, TypeError):
            return False
        current = recorded_digest(found, "key") == whole_batch_key(configuration, images)
        return current and not outgrown(found, configuration["time_limit_s"])

    return LongMeasurement("whole-batch", record, demand, answers)
