"""One writer a run, over processes and kills."""

import errno
import multiprocessing
import os
import signal
import time

import pytest

from bench.errors import InputError
from bench.training.run_lock import LOCK, run_lock

SPAWN = multiprocessing.get_context("fork")


def hold(folder, ready):
    with run_lock(folder):
        (folder / "something").touch()
        ready.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """A process that writes the run in `tmp_path / "run"`."""
    ready = SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path / "run", ready))
    process.start()
    assert ready.wait(30)
    yield process
    process.kill()
    process.join()


def test_a_second_writer_is_refused_in_one_sentence(tmp_path, holder):
    with pytest.raises(InputError, match=f"being written by process {holder.pid}; wait"), run_lock(tmp_path / "run"):
        pass
    with run_lock(tmp_path / "other"):
        pass


def test_a_killed_writer_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert (tmp_path / "run" / LOCK).exists()
    with run_lock(tmp_path / "run"):
        pass
    assert not (tmp_path / "run" / LOCK).exists()


def test_it_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "run"):
        raise ZeroDivisionError
    assert not (tmp_path / "run").exists()


def test_a_file_system_without_locks_is_not_taken_for_a_writer(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(InputError, match=r"cannot be locked \(No locks available\); choose one"), run_lock(tmp_path):
        pass


def contend(folder, inside, overlaps, wins):
    for _ in range(30):
        try:
            with run_lock(folder):
                if not inside.acquire(block=False):
                    overlaps.value += 1
                    continue
                wins.value += 1
                time.sleep(0.0005)
                inside.release()
        except InputError:
            time.sleep(0.0005)


def test_many_writers_are_never_two_at_once(tmp_path):
    inside, overlaps, wins = SPAWN.Lock(), SPAWN.Value("i", 0), SPAWN.Value("i", 0)
    contenders = [SPAWN.Process(target=contend, args=(tmp_path / "run", inside, overlaps, wins)) for _ in range(6)]
    for process in contenders:
        process.start()
    for process in contenders:
        process.join()
    assert overlaps.value == 0 and wins.value > 6
    assert all(process.exitcode == 0 for process in contenders)
