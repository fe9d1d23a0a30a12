"""One workflow of a scale in a folder, whatever starts and dies at whatever moment."""

import contextlib
import errno
import fcntl
import multiprocessing
import multiprocessing.connection
import multiprocessing.synchronize
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.training.run_lock import run_lock
from bench.workflow_lock import hold, looked_at, place
from tests.refusals import as_others

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Workflow:
    """A process that tries to be the workflow of a scale; `refusal` says why not, "" when it is."""

    def __init__(self, scale: str = "smoke", around: Callable = contextlib.nullcontext) -> None:
        self.answer, answer = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=self.work, args=(scale, around, answer))
        self.process.start()

    @staticmethod
    def work(scale: str, around: Callable, answer: multiprocessing.connection.Connection) -> None:
        try:
            with around():
                hold(scale)
            answer.send("")
        except InputError as error:
            answer.send(str(error))
        time.sleep(60)

    @property
    def refusal(self) -> str:
        assert self.answer.poll(30)
        return self.answer.recv()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@contextlib.contextmanager
def after(event: multiprocessing.synchronize.Event) -> Iterator[None]:
    """What is within waits until `event` is set."""
    event.wait(30)
    yield


@pytest.fixture
def start() -> Iterator[Callable[..., Workflow]]:
    """Starts a workflow that is killed at the end of the test."""
    started = []
    yield lambda *arguments: started.append(Workflow(*arguments)) or started[-1]
    for each in started:
        each.kill()


def test_a_second_workflow_is_refused_and_the_first_is_named(start: Callable) -> None:
    first = start()
    assert first.refusal == ""
    second = start().refusal
    assert f"of the scale smoke is at work in this folder (process {first.process.pid}); wait for it" in second
    with looked_at("smoke") as at_work:
        assert at_work == second
    assert start("quick").refusal == ""


def test_a_killed_workflow_holds_nothing_and_leaves_no_name(start: Callable) -> None:
    place("smoke").parent.mkdir()
    place("smoke").write_text("123456789012")  # a number that is longer than any of a process
    first = start()
    assert first.refusal == ""
    first.kill()
    second = start()
    assert second.refusal == ""
    assert place("smoke").read_text() == str(second.process.pid)


def test_of_starts_at_the_same_instant_one_goes_on(start: Callable) -> None:
    for scale in ("smoke", "quick", "paper"):
        barrier = FORK.Barrier(5)

        @contextlib.contextmanager
        def together(barrier: multiprocessing.synchronize.Barrier = barrier) -> Iterator[None]:
            barrier.wait(30)
            yield

        refusals = [each.refusal for each in [start(scale, together) for _ in range(5)]]
        assert refusals.count("") == 1
        assert all(f"scale {scale} is at work" in refusal for refusal in refusals if refusal)


def test_who_only_looks_keeps_nobody_from_starting(start: Callable) -> None:
    looking = FORK.Event()
    late = start("smoke", lambda: after(looking))  # before, since a process that is forked later would share the lock
    with looked_at("smoke") as at_work:
        assert at_work is None
        looking.set()
        time.sleep(0.1)
        assert not late.answer.poll()
    assert late.refusal == ""


def test_who_only_looks_for_long_is_named_and_no_process_before_it(start: Callable, folder: Path) -> None:
    for file in (place("smoke"), folder / "results/smoke/runs/a run/.lock"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("4194305")  # of a process that is gone
    looked = FORK.Event()
    late = start("smoke", lambda: after(looked))  # before, since a process that is forked later would share the lock
    with looked_at("smoke"):
        looked.set()
        assert f"(process {os.getpid()})" in late.refusal


def test_a_run_that_its_workflow_has_left_is_named_and_nothing_is_held(start: Callable) -> None:
    ready = FORK.Event()

    def write() -> None:
        with run_lock(Path("results/smoke/runs/a run")):
            ready.set()
            time.sleep(60)

    run = FORK.Process(target=write)
    run.start()
    assert ready.wait(30)
    try:
        refusal = start().refusal
        assert f"The run in results/smoke/runs/a run is at work (process {run.pid}) though no workflow is" in refusal
        assert start("quick").refusal == ""
    finally:
        run.kill()
        run.join()
    assert Path("results/smoke/runs/a run/.lock").exists()  # left behind, and held by nobody
    assert start().refusal == ""


@pytest.mark.parametrize("name", ["results", "results/smoke", "paper_tables", ".snakemake"])
def test_a_folder_that_cannot_be_written_is_one_sentence(start: Callable, folder: Path, name: str) -> None:
    place = folder / name
    place.mkdir(parents=True)
    place.chmod(0o555)
    refusal = start("smoke", as_others).refusal
    assert name in refusal and "\n" not in refusal and ("cannot be written" in refusal or "Permission" in refusal)
    place.chmod(0o755)
    assert start("smoke", as_others).refusal == ""


def test_a_file_system_without_locks_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)  # injected: such a file system is not at hand
    with pytest.raises(InputError, match=r"smoke\.lock cannot be locked \(No locks available\); work in a folder"):
        hold("smoke")
    with pytest.raises(OSError, match="No locks"), looked_at("smoke"):
        pass
