"""One workflow of a scale at a time in a folder.

Snakemake's own lock is a file that outlives its process: after a kill every start is refused until somebody unlocks the
folder by hand. Ours is the kernel's, held as long as the process lives, however it ends.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.errors import InputError
from bench.training.run_lock import LOCK

STATE = Path(".snakemake")  # Snakemake's folder in the one that it works in
FOLDERS = ("results", "paper_tables")  # of which each scale has a part of its own
PATIENCE_S = 0.5  # who only looks lets go again at once


def hold(scale: str) -> None:
    """Be the workflow of `scale` in this folder until the process ends.

    Raises:
        InputError: there is one; or a run that one has left, whose record would be made twice; or there is no writing
            or no locking here.
    """
    for folder in FOLDERS:
        check_writable(Path(folder, scale))
    try:
        STATE.mkdir(exist_ok=True)
        descriptor = os.open(place(scale), os.O_RDWR | os.O_CREAT, 0o644)
        holder = held_by(descriptor)
    except OSError as error:
        raise InputError(
            f"{place(scale)} cannot be locked ({error.strerror}); work in a folder of your own, on a file system that"
            " has locks: two workflows in one folder would disturb each other."
        ) from error
    try:
        if holder:
            raise InputError(busy(scale, holder))
        refuse_runs_at_work(scale)
    except InputError:
        os.close(descriptor)
        raise
    # Left open: the lock ends with the process. Jobs do not inherit it.


@contextlib.contextmanager
def looked_at(scale: str) -> Iterator[str | None]:
    """Keep workflows of `scale` from starting, for a moment; yields a sentence instead where one is at work.

    Raises `OSError` where there is no writing or no locking here.
    """
    STATE.mkdir(exist_ok=True)
    descriptor = os.open(place(scale), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        holder = held_by(descriptor)
        yield busy(scale, holder) if holder else None
    finally:
        os.close(descriptor)


def place(scale: str) -> Path:
    """The file that is locked."""
    return STATE / f"{scale}.lock"


def busy(scale: str, holder: str) -> str:
    """The sentence where a workflow is at work."""
    return (
        f"A workflow of the scale {scale} is at work in this folder ({holder});"
        " wait for it, or end it, before you start another."
    )


def held_by(descriptor: int, patience_s: float = PATIENCE_S) -> str | None:
    """Take the lock of an open file and write our number into it, so that whoever is refused is told of the holder.

    Where another process keeps it for `patience_s` seconds, its name.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                break
            time.sleep(0.02)
        else:
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return None
    number = os.pread(descriptor, 20, 0).decode(errors="replace")
    return f"process {number}" if number.isdigit() else "another process"


def refuse_runs_at_work(scale: str) -> None:
    """Raise `InputError` where a run of `scale` is being written."""
    for lock in sorted(Path("results", scale, "runs").glob(f"*/{LOCK}")):
        # Suppressed: the run has just ended, or its lock is not ours to look at, and then it refuses a second writer.
        with contextlib.suppress(OSError), lock.open("r+") as file:
            if holder := held_by(file.fileno(), patience_s=0):
                raise InputError(
                    f"The run in {lock.parent} is at work ({holder}) though no workflow is; wait for it, or end it,"
                    " then start again: nothing that is done will be repeated."
                )


def check_writable(folder: Path) -> None:
    """Raise `InputError` where no file could be made in `folder`, nor the folder itself."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        raise InputError(
            f"The folder {there} cannot be written; change its permissions, or work in a copy of the project that you"
            " can write: nothing that is done will be repeated."
        )
