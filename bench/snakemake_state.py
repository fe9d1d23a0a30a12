"""What Snakemake remembers of a scale, set right by what is the case, so that the next start goes on by itself.

Where no workflow holds our lock, locks of Snakemake are left from a process that is gone, and are removed. Its marks
that a file may be incomplete follow the records, which are written whole or not at all and say what they are of.
"""

import base64
import contextlib
from collections.abc import Iterable

from bench.jobs import Job
from bench.long_measurements import LongMeasurement
from bench.workflow_lock import FOLDERS, STATE, looked_at, place


def make_way(scale: str, jobs: Iterable[Job | LongMeasurement]) -> str | None:
    """Set right what is remembered of `scale`, whose `jobs` are planned now.

    A sentence where that is left alone: a workflow is at work, or there is no writing or no locking here.
    """
    try:
        with looked_at(scale) as at_work:
            if at_work:
                return at_work
            remove_locks(scale)
            for job in jobs:
                set_mark(job)
    except OSError as error:
        faulty = error.filename or place(scale)
        return f"{faulty} cannot be changed ({error.strerror}); what a killed workflow may have left there stays."
    return None


def remove_locks(scale: str) -> None:
    """Remove Snakemake's locks of files of `scale`, and no others."""
    for lock in (STATE / "locks").glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            files = lock.read_text(encoding="utf-8", errors="replace").splitlines()
            if any(file.startswith(f"{folder}/{scale}/") for file in files for folder in FOLDERS):
                lock.unlink()


def set_mark(job: Job | LongMeasurement) -> None:
    """Mark a record that is stale or broken, so that it is made again whatever else Snakemake knows of it.

    Where the record is done, remove the mark, and with it what Snakemake knew of the record's predecessor.
    """
    name = base64.urlsafe_b64encode(job.record.as_posix().encode()).decode()
    mark, state = STATE / "incomplete" / name, job.state
    if state == "done":
        with contextlib.suppress(FileNotFoundError):
            mark.unlink()
            (STATE / "metadata" / name).unlink()
    elif state != "missing" and not mark.exists():
        mark.parent.mkdir(exist_ok=True)
        mark.write_text('{"external_jobid": null}', encoding="utf-8")
