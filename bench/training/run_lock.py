"""One writer a run: a lock on its folder, held as long as the process lives and given up however it ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bench.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for writing; `InputError` when another process does, or where there are no locks.

    The lock is a file's, not the folder's own, so that it also holds on network file systems. The file is removed at
    the end; one that a killed process left is locked by nobody and is taken over.
    """
    place = folder / LOCK
    descriptor = locked(place)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        place.unlink(missing_ok=True)  # while it is still held: whoever opened it meanwhile sees that it is gone
        os.close(descriptor)
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing was written


def locked(place: Path) -> int:
    """A descriptor of the file at `place`, locked."""
    while True:
        with contextlib.suppress(FileExistsError):  # raised, too, where a folder is removed at this moment
            place.parent.mkdir(parents=True)
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue  # the folder was empty, and another process removed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode(errors="replace")
            os.close(descriptor)
            raise InputError(_refused(place.parent, holder, error)) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), place.stat()):
                return descriptor
        os.close(descriptor)  # its holder removed it in between: there may be another by now


def _refused(folder: Path, holder: str, error: OSError) -> str:
    """Why `folder` could not be locked, as a sentence; `holder` is what its lock says."""
    if isinstance(error, BlockingIOError):
        who = f"process {holder}" if holder.isdigit() else "another process"
        return f"The run in {folder} is being written by {who}; wait for it or end it."
    return f"The run's folder {folder} cannot be locked ({error.strerror}); choose one on a file system with locks."
