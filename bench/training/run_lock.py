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
    """Hold `folder` for writing; `InputError` when another process does.

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
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise InputError(f"The run in {place.parent} is being written by {who}; wait for it or end it.") from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), place.stat()):
                return descriptor
        os.close(descriptor)  # its holder removed it in between: there may be another by now
