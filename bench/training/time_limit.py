"""A limit on the time of a run: one that hangs ends as `timed-out`, so that the others get their turn."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

import torch

GRACE_S = 60.0  # that a run which does not answer, inside a library or a driver, is given after its limit
TOGETHER_S = 10.0  # within which the processes of one run come to its limit


class TimedOut(Exception):
    """The run's time is over."""


@contextlib.contextmanager
def time_limit(
    seconds: float | None, give_up: Callable[[str], None], grace_s: float = GRACE_S, several: bool = False
) -> Iterator[None]:
    """Raise `TimedOut` in the body after `seconds` (None: never), which the main thread has to run.

    Python raises only between two of its own instructions. A body that does not come to one within `grace_s` more is
    given up: `give_up(reason)` is called from another thread, and the process ends with exit code 0. A body that is
    one of `several` processes' is given up at once: interrupted, it could not tell the others, who wait for it.
    """
    if seconds is None:
        yield
        return
    reason = f"not done after {seconds:g} seconds, the time limit of a run"

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimedOut(reason)

    def end() -> None:
        give_up(reason if several else f"{reason}; it did not answer, and was ended")
        sys.stderr.flush()
        os._exit(0)

    before = signal.signal(signal.SIGALRM, ring)
    watchdog, started = threading.Timer(seconds + (0 if several else grace_s), end), time.monotonic()
    watchdog.daemon = True
    watchdog.start()
    signal.setitimer(signal.ITIMER_REAL, 0 if several else seconds)
    try:
        yield
    except RuntimeError as error:
        lost = several and not isinstance(error, torch.OutOfMemoryError)  # as where another process has ended
        if lost and time.monotonic() > started + seconds - TOGETHER_S:
            traceback.print_exc()  # it may have been something else
            watchdog.join()  # which ends this process
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        watchdog.cancel()
        signal.signal(signal.SIGALRM, before)
