"""One workflow of a scale at a time, and the next start after one that was killed.

Snakemake's own lock is a file that outlives its process: after a kill every start is refused until somebody unlocks the
folder by hand. Ours is the kernel's, held as long as the process lives, however it ends. Where nobody holds it, locks
of Snakemake are left from a process that is gone, and are removed. So are its marks that a record may be incomplete,
where the record is one of this plan: records are written whole or not at all.
"""

import base64
import contextlib
import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path

from bench.errors import InputError
from bench.jobs import Job
from bench.training.run_lock import LOCK

STATE = Path(".snakemake")  # Snakemake's folder in the one that it works in
FOLDERS = ("results", "paper_tables")  # of which each scale has a part of its own


def make_way(scale: str, jobs: Iterable[Job]) -> str | None:
    """Remove what a killed workflow of `scale`, whose `jobs` are planned now, has left of Snakemake's state; returns a
    sentence where one is at work, and leaves that alone.

    Raises `InputError` where a run of a killed workflow is still at work: its record would be made twice.
    """
    with contextlib.suppress(FileNotFoundError, PermissionError), place(scale).open("r+") as file:
        if holder := held_by(file.fileno()):
            return (
                f"A workflow of the scale {scale} is at work in this folder ({holder});"
                " wait for it, or end it, before you start another."
            )
    for lock in sorted(Path("results", scale, "runs").glob(f"*/{LOCK}")):
        with contextlib.suppress(FileNotFoundError, PermissionError), lock.open("r+") as file:
            if holder := held_by(file.fileno()):
                raise InputError(
                    f"The run in {lock.parent} is at work ({holder}) though no workflow is; wait for it, or end it,"
                    " then start again: nothing that is done will be repeated."
                )
    remove_locks(scale)
    remove_marks(job.record for job in jobs if job.state == "done")
    return None


def hold(scale: str) -> None:
    """Be the workflow of `scale` in this folder until the process ends; `InputError` where there is one."""
    STATE.mkdir(exist_ok=True)
    descriptor = os.open(place(scale), os.O_RDWR | os.O_CREAT, 0o644)
    if holder := held_by(descriptor):
        os.close(descriptor)
        raise InputError(f"Another workflow of the scale {scale} has just been started in this folder ({holder}).")
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    # Left open: the lock ends with the process. Jobs do not inherit it.


def place(scale: str) -> Path:
    """The file that is locked."""
    return STATE / f"{scale}.lock"


def held_by(descriptor: int) -> str | None:
    """Take the lock of an open file; where another process has it, its name."""
    for patience in (0.05, 0.05, 0):  # somebody who only looks lets go at once
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(patience)
        else:
            return None
    number = os.pread(descriptor, 20, 0).decode(errors="replace")
    return f"process {number}" if number.isdigit() else "another process"


def remove_locks(scale: str) -> None:
    """Remove Snakemake's locks of files of `scale`, and no others."""
    for lock in (STATE / "locks").glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            files = lock.read_text(encoding="utf-8").splitlines()
            if any(file.startswith(f"{folder}/{scale}/") for file in files for folder in FOLDERS):
                lock.unlink()


def remove_marks(records: Iterable[Path]) -> None:
    """Remove Snakemake's marks that these whole records may be incomplete, and what it knew of their predecessors."""
    for record in records:
        name = base64.urlsafe_b64encode(record.as_posix().encode()).decode()
        with contextlib.suppress(FileNotFoundError):
            (STATE / "incomplete" / name).unlink()
            (STATE / "metadata" / name).unlink()
