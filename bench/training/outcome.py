"""How a run ended. Every ending below is a row of a table, not a failure of the program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from bench.reversible import InexactReconstruction
from bench.training.time_limit import TimedOut

# What torch, oneDNN and the C++ library say when memory is refused. Several are plain RuntimeErrors.
REFUSED_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "could not create a memory object",
    "could not create a memory storage",
    "could not create a primitive",
    "mmap can't allocate",
    "alloc_failed",
    "allocation_failed",
)

# Of a convolution for which cuDNN was refused every work space that it asked for: it says no more than this.
NO_ENGINE = "unable to find an engine"


class Diverged(ArithmeticError):
    """The loss, what is predicted or the network itself is no longer made of finite numbers."""


@dataclass(frozen=True)
class Outcome:
    """`status` is ok (the final accuracy is at or above the target), below-target, diverged, inexact, out-of-memory or
    timed-out.

    inexact: exact reconstruction was promised, and a checksum told that the device did not keep the promise.
    `accuracy` is the final one, 0 .. 1, None when training did not come to its end. `reached_target`: whether any
    epoch's accuracy was at or above the target, which is what time to target is measured to.
    """

    status: str
    reason: str | None
    accuracy: float | None
    reached_target: bool


def is_memory_refusal(error: BaseException) -> bool:
    """Whether an exception says that memory was not to be had."""
    # A library's C code that is refused memory may fail to make even the exception: Python then raises SystemError.
    unsaid = isinstance(error, SystemError) and "without exception set" in str(error)
    if unsaid or isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    if NO_ENGINE in text:  # or there is none for these types on this GPU
        return torch.cuda.is_available() and torch.cuda.memory_stats().get("num_ooms", 0) > 0
    return isinstance(error, RuntimeError | OSError) and any(words in text for words in REFUSED_MEMORY)


def outcome_of(train: Callable[[], Any], history: list[dict[str, Any]], target: float) -> Outcome:
    """Run `train`, which appends an entry to `history` an epoch, and say how it ended.

    Exceptions other than divergence, inexact reconstruction, refused memory and time that is over are errors of the
    program and pass through.
    """
    try:
        train()
    except Diverged as error:
        return Outcome("diverged", str(error), None, reached(history, target))
    except TimedOut as error:
        return Outcome("timed-out", str(error), None, reached(history, target))
    except InexactReconstruction as error:
        return Outcome("inexact", str(error), None, reached(history, target))
    except Exception as error:
        if not is_memory_refusal(error):
            raise
        return Outcome("out-of-memory", first_line(error), None, reached(history, target))
    final = accuracy_of(history[-1])
    if final >= target:
        return Outcome("ok", None, final, True)
    reason = f"final accuracy {final:.4f} is below the target {target:.4f}"
    return Outcome("below-target", reason, final, reached(history, target))


def accuracy_of(epoch: dict[str, Any]) -> float:
    """The accuracy in an entry of a history, on the test images or on those held out in their place."""
    return epoch["test_accuracy"] if "test_accuracy" in epoch else epoch["validation_accuracy"]


def reached(history: list[dict[str, Any]], target: float) -> bool:
    """Whether any epoch's accuracy is at or above the target."""
    return any(accuracy_of(epoch) >= target for epoch in history)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type's name when it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def time_to_target(history: list[dict[str, Any]], target: float, load_s: float) -> float | None:
    """Seconds of load + training up to the first epoch at or above the target; None when none is."""
    for epoch in history:
        if accuracy_of(epoch) >= target:
            return load_s + epoch["training_s"]
    return None
