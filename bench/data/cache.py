"""A cache of decoded images: one .npy file, found by a digest of the files that it was made from.

Decoding 60,000 small JPEG files takes many seconds; reading one array takes a fraction of one. The file holds plain
numbers (never a pickle) and a check sum of them, and is written whole or not at all.
"""

import contextlib
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.data.places import DATA_FOLDER

CACHE_FOLDER = DATA_FOLDER / "cache"
TEMPORARY = ".cache."  # how names of files that are being written begin
ABANDONED_S = 3600.0  # after which such a file is one that a killed process left


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
    """Digest of places, classes, sizes and times of change: a file that is edited is decoded again.

    Sizes and times alone do not tell two folders apart: archives may give all files one time, bitmaps are of one size.
    """
    places: dict[str, str] = {}  # a folder as it was given -> where it is, whatever the working folder and links
    lines = []
    for name, file in files:
        status, folder = file.stat(), file.path.removesuffix(file.name)
        place = places.get(folder) or places.setdefault(folder, os.path.realpath(folder))
        lines.append(f"{name}\0{place}/{file.name}\0{status.st_size}\0{status.st_mtime_ns}\n")
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def read(place: Path, count: int) -> np.ndarray | None:
    """The array at `place` if it is whole, agrees with its check sum, and has `count` images."""
    try:
        with place.open("rb") as file:
            array = np.load(file, allow_pickle=False)
            told = file.read()
    except (OSError, ValueError, EOFError):
        return None
    fits = array.dtype == np.uint8 and array.ndim == 4 and len(array) == count
    return array if fits and told == check_sum(array) else None


def check_sum(array: np.ndarray) -> bytes:
    """CRC-32 of the array's bytes, 4 bytes: what follows them in the file."""
    return zlib.crc32(np.ascontiguousarray(array).data).to_bytes(4, "big")


def write(place: Path, array: np.ndarray) -> None:
    """Write the array beside its place, then move it there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(place.parent)
        descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=TEMPORARY)
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.write(check_sum(array))
        Path(temporary).replace(place)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for path in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                path.unlink()
