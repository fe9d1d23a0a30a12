"""The processes of a run end together: where one is refused memory, or time is over, the others would wait in vain."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

from bench.training.processes import Processes
from bench.training.time_limit import time_is_over

KEY = "the end"  # in the store that the processes share: the status of the run and the reason, by the first to say so
POLL_S = 0.5  # between two looks at it
LINGER_S = 3.0  # before a process ends: to those that have not looked yet, its connections break as if by a fault


@contextlib.contextmanager
def ending_together(processes: Processes, seconds: float | None, give_up: Callable[[str, str], None]) -> Iterator[None]:
    """End this process while the body runs, once another calls `end_for_all` or `seconds` (None: never) are over.

    `give_up(status, reason)` is called before, all in a thread of its own, since the body may wait for another process;
    the exit code is 0. A process that is alone is let be.
    """
    if processes.store is None:
        yield
        return
    # On a connection of its own: the main thread's is taken while that waits for what another is to say.
    store = processes.store.clone()  # type: ignore[attr-defined]
    left, begun = threading.Event(), time.monotonic()

    def listen() -> None:
        while not left.wait(POLL_S):
            if store.check([KEY]):
                status, _, reason = store.get(KEY).decode().partition(": ")
                give_up(status, reason)
                _end()
            elif seconds is not None and time.monotonic() > begun + seconds:
                store.set(KEY, f"timed-out: {time_is_over(seconds)}")

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        left.set()
        listener.join()  # which may be ending the process


def end_for_all(processes: Processes, status: str, reason: str) -> None:
    """End this process, which has written what it had to write, and so the others.

    Alone, it may go on.
    """
    if processes.store is not None:
        processes.store.set(KEY, f"{status}: {reason} (in process {processes.rank + 1} of {processes.count})")
        _end()


def _end() -> None:
    sys.stderr.flush()
    time.sleep(LINGER_S)
    os._exit(0)  # whatever the main thread waits for
