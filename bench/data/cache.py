"""A cache of decoded images: one .npy file, found by a digest of the files that it was made from.

Decoding 60,000 small JPEG files takes many seconds; reading one array takes a fraction of one. The file holds plain
numbers (never a pickle), and is written whole or not at all.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.data.places import DATA_FOLDER

CACHE_FOLDER = DATA_FOLDER / "cache"


def cached_array(files: list[tuple[str, os.DirEntry]], make: Callable[[], np.ndarray]) -> tuple[np.ndarray, bool]:
    """The uint8 array that `make` makes of `files` (class and file), and whether it came from the cache.

    A cache that is damaged or does not fit is made again; one that cannot be written (a full or read-only disk) is done
    without.
    """
    place = CACHE_FOLDER / f"{digest(files)}.npy"
    array = read(place, len(files))
    if array is not None:
        return array, True
    array = make()
    write(place, array)
    return array, False


def digest(files: list[tuple[str, os.DirEntry]]) -> str:
    """Digest of classes, names, sizes and times of change: a file that is edited is decoded again."""
    lines = []
    for name, file in files:
        status = file.stat()
        lines.append(f"{name}/{file.name}\0{status.st_size}\0{status.st_mtime_ns}\n")
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def read(place: Path, count: int) -> np.ndarray | None:
    """The array at `place` if it is whole and has `count` images."""
    try:
        array = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.dtype == np.uint8 and array.ndim == 4 and len(array) == count else None


def write(place: Path, array: np.ndarray) -> None:
    """Write the array beside its place, then move it there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=".cache.")
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.save(file, array, allow_pickle=False)
        Path(temporary).replace(place)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
