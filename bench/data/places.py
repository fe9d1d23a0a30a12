"""Where data sets are looked for, the sentence when one is nowhere, and one download at a time."""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.errors import InputError

DATA_FOLDER = Path("data")  # ignored by git; downloads and caches go here


def existing_files(folder: Path, names: Iterable[str]) -> dict[str, Path] | None:
    """The files `names` of `folder`, each as it is or gzipped; None unless all are there."""
    found = {}
    for name in names:
        candidates = [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]
        if not candidates:
            return None
        found[name] = candidates[0]
    return found


def missing(name: str, places: Iterable[Path | str], how: str, reason: Exception | None = None) -> InputError:
    """The error of a data set that was found nowhere: every place that was looked in, what failed, how to get it."""
    looked = ", ".join(str(place) for place in places)
    failed = f", and downloading it failed ({' '.join(str(reason).split())})" if reason else ""
    return InputError(f"The data set {name!r} was not found: looked in {looked}{failed}. To get it: {how}.")


@contextlib.contextmanager
def one_download_at_a_time() -> Iterator[None]:
    """Hold a lock on the data folder: runs that start together do not download into the same files."""
    DATA_FOLDER.mkdir(parents=True, exist_ok=True)
    with (DATA_FOLDER / ".download.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
