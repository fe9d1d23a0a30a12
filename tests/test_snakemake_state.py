"""What Snakemake remembers is set right by the records, and only where no workflow is at work."""

import base64
import errno
import fcntl
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from bench.configuration import FOLDER, read
from bench.jobs import Job, planned_jobs
from bench.records import write_record
from bench.snakemake_state import make_way
from bench.workflow_lock import STATE, hold
from tests.refusals import as_others

FORK = multiprocessing.get_context("fork")
LOCKS = {
    "0.input.lock": "bench/reporting/cells.py\nresults/smoke/runs/a/record.json\n",
    "0.output.lock": "paper_tables/smoke/table1.md\n",
    "1.output.lock": "results/smokey/runs/a/record.json\nelsewhere/results/smoke/x\n",
    "2.output.lock": "results/quick/größer.json\n",
}
OURS, OTHERS = ["0.input.lock", "0.output.lock"], ["1.output.lock", "2.output.lock"]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Four jobs of the smoke scale in a working folder where Snakemake's locks lie."""
    monkeypatch.chdir(tmp_path)
    for name, files in LOCKS.items():
        (STATE / "locks").mkdir(parents=True, exist_ok=True)
        (STATE / "locks" / name).write_text(files)
    return planned_jobs(read(FOLDER / "smoke.yaml"), Path("results/smoke"))[:4]


def locks() -> list[str]:
    return sorted(path.name for path in (STATE / "locks").iterdir())


def remembered(job: Job, folder: str) -> Path:
    """The file in which Snakemake remembers the record of `job`."""
    return STATE / folder / base64.urlsafe_b64encode(str(job.record).encode()).decode()


def test_locks_of_the_scale_are_removed_and_no_others(jobs: list[Job]) -> None:
    assert make_way("smoke", jobs) is None
    assert locks() == OTHERS


def test_where_a_workflow_is_at_work_nothing_is_touched(jobs: list[Job]) -> None:
    ready = FORK.Event()

    def work() -> None:
        hold("smoke")
        ready.set()
        time.sleep(60)

    workflow = FORK.Process(target=work)
    workflow.start()
    assert ready.wait(30)
    jobs[0].record.parent.mkdir(parents=True)
    jobs[0].record.write_text("{")
    try:
        assert f"at work in this folder (process {workflow.pid})" in str(make_way("smoke", jobs))
    finally:
        workflow.kill()
        workflow.join()
    assert locks() == sorted(LOCKS) and not remembered(jobs[0], "incomplete").exists()
    assert make_way("smoke", jobs) is None
    assert locks() == OTHERS and remembered(jobs[0], "incomplete").exists()


def test_marks_say_what_the_records_say(jobs: list[Job]) -> None:
    done, stale, broken, missing = jobs
    write_record(done.record, {"kind": "train", "digest": {"key": done.key}})
    write_record(stale.record, {"kind": "train", "digest": {"key": "another"}})
    broken.record.parent.mkdir(parents=True)
    broken.record.write_text('{"kind": "tra')
    kept = '{"external_jobid": "17"}'  # of a cluster's job, which Snakemake may still ask after
    for job in (done, missing, stale):
        for folder in ("incomplete", "metadata"):
            remembered(job, folder).parent.mkdir(exist_ok=True)
            remembered(job, folder).write_text(kept)
    assert make_way("smoke", jobs) is None
    assert not remembered(done, "incomplete").exists() and not remembered(done, "metadata").exists()
    assert all(remembered(missing, folder).read_text() == kept for folder in ("incomplete", "metadata"))
    assert remembered(stale, "incomplete").read_text() == kept and remembered(broken, "incomplete").exists()
    # What is known of a whole record that was not at work stays.
    remembered(done, "metadata").write_text(kept)
    write_record(stale.record, {"kind": "train", "digest": {"key": stale.key}})
    assert make_way("smoke", jobs) is None
    assert remembered(done, "metadata").exists() and not remembered(stale, "incomplete").exists()


def test_without_locks_nothing_is_touched_and_it_is_said(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)  # injected: such a file system is not at hand
    assert "smoke.lock cannot be changed (No locks available)" in str(make_way("smoke", jobs))
    assert locks() == sorted(LOCKS)


@pytest.mark.parametrize("place", [STATE, STATE / "locks"])
def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(jobs: list[Job], place: Path) -> None:
    place.chmod(0o555)  # as another user's
    with as_others():
        said = make_way("smoke", jobs)
    place.chmod(0o755)
    assert said is not None and "cannot be changed (Permission denied)" in said and str(place) in said
    assert locks() == sorted(LOCKS)
