"""One of several processes that ends, or comes to its limit of time, ends the others; one that is done is let be."""

import time

import pytest
from torch.distributed import HashStore

from bench.training.ending_together import KEY, POLL_S, end_for_all, ending_together
from bench.training.processes import ALONE, Processes
from tests.training.own_process import run_script

# The body waits for another process, which never comes. Errors are those that it meets where the other has ended.
WAITING = """
import threading
from torch.distributed import TCPStore
from bench.training import ending_together
from bench.training.processes import Processes

ending_together.LINGER_S = 0.1
store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
first, second = (Processes(rank, 2, store=store) for rank in (0, 1))
{before}
with ending_together.ending_together(second, {seconds}, print):
    {body}
"""
FOREVER = "threading.Event().wait()"


@pytest.mark.parametrize("body", [FOREVER, "store.get('what nobody says')"])
def test_a_process_that_waits_is_ended_at_the_limit_of_time(body):
    done = run_script(WAITING.format(before="", seconds=0.1, body=body))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "timed-out not done after 0.1 seconds, the time limit of a run\n"


TOLD = "first.store.set(ending_together.KEY, 'out-of-memory: refused: 1 MB')"


@pytest.mark.parametrize("seconds", [None, 0.1])
@pytest.mark.parametrize(
    "body", [FOREVER, "import time; time.sleep(1); raise RuntimeError('Connection closed by peer')"]
)
def test_what_another_has_said_comes_first_and_ends_this_one_though_the_body_fails_of_it(body, seconds):
    done = run_script(WAITING.format(before=TOLD, seconds=seconds, body=body))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out-of-memory refused: 1 MB\n" and "Connection" not in done.stderr


def test_a_process_ends_itself_and_says_which_of_them_it_was():
    saying = "listener = threading.Thread(target=lambda: print(store.clone().get(ending_together.KEY).decode()))\n"
    saying += "listener.start()\nending_together.end_for_all(second, 'out-of-memory', 'refused')"
    done = run_script(WAITING.format(before=saying, seconds=None, body=FOREVER))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out-of-memory: refused (in process 2 of 2)\n"


def never(status: str, reason: str) -> None:
    raise AssertionError(f"{status}: {reason}")


@pytest.mark.parametrize("seconds", [None, 2 * POLL_S])
def test_a_body_that_ends_in_time_is_left_alone_and_others_are_told_nothing(seconds):
    store = HashStore()
    with ending_together(Processes(0, 2, store=store), seconds, never):
        pass
    time.sleep(3 * POLL_S)
    assert not store.check([KEY])


def test_an_error_of_the_body_passes_through():
    with pytest.raises(KeyError), ending_together(Processes(0, 2, store=HashStore()), 60.0, never):
        raise KeyError


def test_a_process_that_is_alone_is_let_be():
    with ending_together(ALONE, 0.0, never):
        time.sleep(2 * POLL_S)
        end_for_all(ALONE, "out-of-memory", "refused")
