"""A run that hangs ends as timed out, whether it answers or not."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bench.training.outcome import outcome_of
from bench.training.time_limit import TimedOut, time_limit
from tests.training.own_process import run_script


@pytest.fixture
def never() -> Iterator[Callable[[str], None]]:
    """A `give_up` that was not called in the end, when no watchdog is left that would call it."""
    reasons: list[str] = []

    def give_up(reason: str) -> None:
        reasons.append(reason)
        raise AssertionError(reason)  # or the tests' own process would be ended

    yield give_up
    watchdogs = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for watchdog in watchdogs:
        watchdog.join(5)
    assert reasons == [] and not any(watchdog.is_alive() for watchdog in watchdogs)


def test_a_body_that_takes_too_long_is_ended_and_is_a_row(never):
    def train() -> None:
        with time_limit(0.05, never):
            while True:
                time.sleep(0.01)

    outcome = outcome_of(train, [{"test_accuracy": 0.99}], target=0.9)
    assert (outcome.status, outcome.accuracy, outcome.reached_target) == ("timed-out", None, True)
    assert "0.05 seconds" in outcome.reason


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_a_body_that_ends_in_time_is_left_alone(seconds, never):
    with time_limit(seconds, never):
        time.sleep(0.01)
    time.sleep(0.01)


def test_an_error_of_the_body_passes_through_and_stops_the_clock(never):
    with pytest.raises(KeyError), time_limit(0.05, never, grace_s=0.05):
        raise KeyError
    time.sleep(0.2)


HANG = """
import ctypes
from bench.training.time_limit import time_limit
with time_limit(0.1, print, grace_s=0.2):
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):  # the second never returns to Python, as a driver may not
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""


def test_a_body_that_does_not_answer_is_given_up():
    done = run_script(HANG)
    assert done.returncode == 0
    assert "it did not answer" in done.stdout


def test_timed_out_is_no_memory_refusal_nor_divergence():
    assert not issubclass(TimedOut, ArithmeticError | MemoryError | OSError)
