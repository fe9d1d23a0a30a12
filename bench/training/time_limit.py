"""A limit on the time of a run: one that hangs ends as `timed-out`, so that the others get their turn."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

GRACE_S = 60.0  # that a run which does not answer, inside a library or a driver, is given after its limit


class TimedOut(Exception):
    """The run's time is over."""


def time_is_over(seconds: float) -> str:
    """The reason that a record gives."""
    return f"not done after {seconds:g} seconds, the time limit of a run"


@contextlib.contextmanager
def time_limit(seconds: float | None, give_up: Callable[[str], None], grace_s: float = GRACE_S) -> Iterator[None]:
    """Raise `TimedOut` in the body after `seconds` (None: never), which the main thread has to run.

    Python raises only between two of its own instructions. A body that does not come to one within `grace_s` more is
    given up: `give_up(reason)` is called from another thread, and the process ends with exit code 0.
    """
    if seconds is None:
        yield
        return
    reason = time_is_over(seconds)

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimedOut(reason)

    def end() -> None:
        give_up(f"{reason}; it did not answer, and was ended")
        sys.stderr.flush()
        os._exit(0)

    before = signal.signal(signal.SIGALRM, ring)
    watchdog = threading.Timer(seconds + grace_s, end)
    watchdog.daemon = True
    watchdog.start()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        watchdog.cancel()
        signal.signal(signal.SIGALRM, before)
