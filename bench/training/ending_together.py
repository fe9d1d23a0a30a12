"""One of several processes that runs out of memory ends the run for all: the others would wait for it in vain."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

from bench.training.processes import Processes

KEY = "out of memory"  # in the store that the processes share: what the first of them to be refused memory says
POLL_S = 0.5  # between two looks at it
LINGER_S = 3.0  # before a process ends: to those that have not looked yet, its connections break as if by a fault


@contextlib.contextmanager
def hearing_of_others(processes: Processes, give_up: Callable[[str], None]) -> Iterator[None]:
    """When another of `processes` calls `end_for_all` while the body runs: `give_up(reason)`, and the process ends.

    That is done in a thread of its own, since the body may wait for the other one; the exit code is 0.
    """
    if processes.store is None:
        yield
        return
    store, over = processes.store, threading.Event()

    def listen() -> None:
        while not over.wait(POLL_S):
            if store.check([KEY]):
                give_up(store.get(KEY).decode())
                _end()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()  # which may be ending the process


def end_for_all(processes: Processes, reason: str) -> None:
    """End this process, which was refused memory and has written what it had to write, and so the others.

    Alone, it may go on.
    """
    if processes.store is not None:
        processes.store.set(KEY, f"{reason} (in process {processes.rank + 1} of {processes.count})")
        _end()


def _end() -> None:
    sys.stderr.flush()
    time.sleep(LINGER_S)
    os._exit(0)  # whatever the main thread waits for
