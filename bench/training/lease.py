"""Leases of GPUs: a file lock a GPU, so that runs started side by side never share one.

The kernel gives a lock up when its process ends, however it ends. Locks are named by the GPUs' UUIDs and lie in the
machine's temporary folder: they hold between several workflows, checkouts and numberings of the GPUs, where user and
TMPDIR are the same. Who wants several at once gathers them behind a gate, so that two such never wait for each other's
half.
"""

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.errors import InputError

POLL_S = 0.2
VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


@dataclass(frozen=True)
class Lease:
    """The GPUs that this process may use, by UUID (none: no GPU is needed), and the seconds waited for them."""

    gpus: tuple[str, ...] = ()
    wait_s: float = 0.0


_held: list[Lease] = []  # by this process: one, or none


@contextlib.contextmanager
def gpu_lease(kind: str, count: int = 1, folder: Path | None = None) -> Iterator[Lease]:
    """Hold `count` GPUs for a device of `kind` (auto, cuda, cpu); those that this process sees are then they alone.

    To be entered before torch first speaks to CUDA, which reads what it may see once. Waits as long as it takes. Inside
    another lease of this process it is that one.
    """
    gpus = visible_gpus() if kind != "cpu" else []
    if not gpus:
        yield Lease()
        return
    if count > len(gpus):
        raise InputError(f"{count} GPUs were asked for, but this process sees {len(gpus)}; ask for fewer.")
    if _held:
        yield _held[0]
        return
    folder = folder or Path(tempfile.gettempdir()) / f"gpu-leases-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    start, before = time.monotonic(), {name: os.environ.get(name) for name in (VISIBLE, ORDER)}
    with contextlib.ExitStack() as held:
        leased = gather(gpus, count, folder, held)
        show(leased)
        try:
            _held.append(Lease(leased, time.monotonic() - start))
            yield _held[0]
        finally:
            _held.clear()
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def show(gpus: tuple[str, ...]) -> None:
    """Let CUDA see `gpus` only, in this order; torch must not have spoken to it yet."""
    os.environ[VISIBLE] = ",".join(gpus)
    os.environ[ORDER] = "PCI_BUS_ID"  # nvidia-smi's order, where a name is but a number


def gather(gpus: list[str], count: int, folder: Path, held: contextlib.ExitStack) -> tuple[str, ...]:
    """Lock `count` of `gpus`, waiting for them; `held` keeps the locks."""
    with contextlib.ExitStack() as gate:
        if count > 1:
            while not lock(folder / "gate.lock", gate):
                time.sleep(POLL_S)
        leased: list[str] = []
        while True:
            for gpu in gpus:
                if len(leased) < count and gpu not in leased and lock(folder / f"{gpu}.lock", held):
                    leased.append(gpu)
            if len(leased) == count:
                return tuple(leased)
            time.sleep(POLL_S)


def lock(place: Path, held: contextlib.ExitStack) -> bool:
    """Lock the file at `place` if nobody has; `held` keeps it open, and so locked."""
    file: IO[str] = place.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    held.enter_context(file)
    return True


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by UUID: those of CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists."""
    listed = listed_gpus()
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return list(listed.values())
    names: list[str] = []
    for entry in filter(None, (word.strip() for word in visible.split(","))):
        if entry == "-1":
            break  # CUDA, too, reads no further
        full = [uuid for uuid in listed.values() if uuid.startswith(entry)]
        names.append(listed.get(entry) or (full[0] if len(full) == 1 else entry))
    return list(dict.fromkeys(names))


def listed_gpus() -> dict[str, str]:
    """Number -> UUID of every GPU that nvidia-smi lists; none where there is no nvidia-smi."""
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (line.split(",") for line in answer.splitlines() if "," in line)
    return {index.strip(): uuid.strip() for index, uuid in rows}
