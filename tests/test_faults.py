"""Faults made to happen: what is lost, what is said, and that the next start goes on."""

import functools
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.__main__ import main
from bench.configuration import read
from bench.errors import InputError
from bench.jobs import planned_jobs
from bench.records import read_record, write_record, write_text
from bench.reporting.record_schema import STATUSES
from bench.training.checkpoint import Checkpoint
from tests.refusals import as_others
from tests.reporting.synthetic import Run, train_record
from tests.tiny_run import CONFIG, TinyRun


@pytest.mark.parametrize("kept", [0, 1, 50, 0.5, -1])
def test_a_truncated_checkpoint_gives_way_to_the_one_before(tmp_path: Path, kept: float) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    for epoch in (1, 2):
        checkpoint.save({"epoch": epoch, "weights": torch.zeros(100)})
    content = checkpoint.latest.read_bytes()
    checkpoint.latest.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    state, remarks = checkpoint.load()
    assert state is not None and state["epoch"] == 1
    assert len(remarks) == 1 and "damaged" in remarks[0]


def test_a_checkpoint_that_would_run_code_is_not_read(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    checkpoint = Checkpoint(tmp_path, "key")
    torch.save({"key": "key", "state": Bomb()}, checkpoint.latest)
    state, remarks = checkpoint.load()
    assert state is None and "damaged" in remarks[0]
    assert not (tmp_path / "ran").exists()


DEEP = ['{"kind": ' + "[" * depth + "]" * depth + "}" for depth in (101, 900, 5000, 100_000)]
ODD = ['{"kind": NaN}', '{"kind": 1' + "0" * 400 + "}", '{"kind": 1' + "0" * 5000 + "}"]


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"a": 1}', "\0", '{"kind": ', *DEEP, *ODD], ids=range(14))
def test_a_broken_or_foreign_record_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, content: str
) -> None:
    place = tmp_path / "record.json"
    place.write_text(content)
    assert main(["show", str(place)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(place) in error
    place.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid JSON"):
        read_record(place)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = {"kind": "train", "ä": [0.1, 1e-300, 2**60, None, True], "by seed": {"1": {}, "é": "\u2028"}}
    write_record(tmp_path / "record.json", record)
    assert read_record(tmp_path / "record.json") == record


@pytest.mark.parametrize("value", [0.99, "0.5", None, {}, 10**400])
def test_an_edited_record_is_told_from_a_written_one(tiny: TinyRun, value: object) -> None:
    (job, *_) = planned_jobs(read(tiny.config), tiny.place)
    write_record(job.record, train_record(Run("resnet18", "ideal", "machine", 1), digest={"key": job.key}))
    assert job.state == "done"
    whole = json.loads(job.record.read_text())
    for path in ("outcome.accuracy", "history", "digest.code", "an addition"):
        edited = json.loads(json.dumps(whole))
        *outer, last = path.split(".")
        functools.reduce(dict.__getitem__, outer, edited)[last] = value
        job.record.write_text(json.dumps(edited))
        assert job.state == "broken"
        with pytest.raises(InputError, match="edited after it was written; delete it and run it again"):
            read_record(job.record)
    job.record.write_text(json.dumps(whole))  # its lines are no content
    assert job.state == "done"


def test_half_a_character_in_a_record_is_shown_as_its_escape(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_record(tmp_path / "record.json", {"kind": "train", "command": ["\udcff"]})
    assert main(["show", str(tmp_path)]) == 0
    assert "command: \\udcff" in capsys.readouterr().out
    write_text(tmp_path / "table.md", "\udcff")
    assert (tmp_path / "table.md").read_text() == "\\udcff"


def test_entries_of_a_list_need_not_have_the_same_heads(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_record(tmp_path / "record.json", {"kind": "a", "history": [{"epoch": 1}, {"epoch": 2, "note": "lost"}]})
    assert main(["show", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("  epoch  note\n      1      \n      2  lost\n")


def test_a_record_is_shown_with_its_units(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    record = {
        "kind": "train",
        "settings": {"architecture": "hybrid", "depths": [1, 2, 2], "label": None},
        "peak_memory": {"process_resident_bytes": 123_456_789},
        "time_to_target_s": 12.5,
        "history": [{"epoch": 1, "loss": 2.5}, {"epoch": 2, "loss": 1.25}],
    }
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert main(["show", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for words in ("hybrid", "1, 2, 2", "123.46 MB", "12.5 s", "label         none", "epoch  loss"):
        assert words in printed


def test_a_missing_record_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["show", str(tmp_path / "absent.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("status", STATUSES)
def test_however_a_run_ended_it_is_not_repeated(tiny: TinyRun, status: str) -> None:
    (job, *_) = planned_jobs(read(tiny.config), tiny.place)
    record = train_record(Run("resnet18", "ideal", "machine", 1), outcome__status=status, digest={"key": job.key})
    job.record.parent.mkdir(parents=True)
    job.record.write_text(json.dumps(record))
    assert job.state == "done"


def test_a_run_out_of_time_is_a_record_and_goes_on_from_its_checkpoint(
    tiny: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Checkpoint.save

    def save_and_ring(self: Checkpoint, state: dict) -> None:
        whole(self, state)
        signal.raise_signal(signal.SIGALRM)  # the time is over at this very moment, however fast the machine is

    tiny.configure(time_limit_s=600)
    monkeypatch.setattr(Checkpoint, "save", save_and_ring)
    assert main(tiny.command) == 0
    record = tiny.record
    assert record["outcome"]["status"] == "timed-out" and len(record["history"]) == 1
    monkeypatch.undo()
    tiny.configure()
    assert main(tiny.command) == 0
    assert tiny.record["resumed"] == 1 and len(tiny.record["history"]) == 2
    assert tiny.record["digest"]["key"] == record["digest"]["key"]
    assert tiny.files == ["record.json"]


# The first step of the second epoch never returns to Python, as a driver may not; the limit counts from there.
HANG = """
import contextlib, ctypes, sys
from bench.__main__ import main
from bench.training import run
from bench.training.loop import Trainer
from bench.training.time_limit import time_limit

train_epoch, given_up = Trainer.train_epoch, []

def without_limit(seconds, give_up):
    given_up.append(give_up)
    return contextlib.nullcontext()

def hang(self, epoch, on_step):
    if epoch == 1:
        return train_epoch(self, epoch, on_step)
    with time_limit(0.1, given_up[0], grace_s=0.2):
        mutex = ctypes.create_string_buffer(64)
        for _ in range(2):
            ctypes.CDLL(None).pthread_mutex_lock(mutex)

run.time_limit, Trainer.train_epoch = without_limit, hang
sys.exit(main(sys.argv[1:]))
"""


def test_a_run_that_hangs_is_a_record_and_goes_on_from_its_checkpoint(tiny: TinyRun) -> None:
    tiny.configure(time_limit_s=600)
    done = subprocess.run([sys.executable, "-c", HANG, *tiny.command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    record = tiny.record
    assert record["outcome"]["status"] == "timed-out" and "it did not answer" in record["outcome"]["reason"]
    assert len(record["history"]) == 1 and record["time_limit_s"] == 600
    assert "timed-out (not done after" in done.stderr.splitlines()[-1]
    tiny.configure(time_limit_s=700)
    assert main(tiny.command) == 0
    assert tiny.record["resumed"] == 1 and len(tiny.record["history"]) == 2
    assert tiny.files == ["record.json"]


def test_a_folder_that_cannot_be_written_is_told_and_costs_nothing(
    tiny: TinyRun, capsys: pytest.CaptureFixture
) -> None:
    tiny.place.chmod(0o555)
    with as_others():
        assert main(tiny.command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(tiny.folder) in error
    assert "may not be written to" in error or "cannot be used (Permission denied)" in error  # seen before, or met
    tiny.place.chmod(0o755)
    assert main(tiny.command) == 0 and len(tiny.record["history"]) == 2


def test_a_damaged_data_file_is_named_and_once_it_is_whole_the_run_is_made(
    tiny: TinyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tiny.place)  # where the cache of decoded images goes
    root = tiny.place / "images"
    for split in ("train", "test"):
        for label, name in enumerate(("Bäume", "犬")):
            (root / split / name).mkdir(parents=True)
            for number in range(4):
                pixels = np.full((9, 9, 3), 100 * label + number, np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number} größer.png")
    data = {"name": "image-folder", "root": str(root), "image_size": 9}
    tiny.configure(data=data, classes=2, training={**CONFIG["training"], "batch_size": 4})
    damaged = root / "test" / "犬" / "3 größer.png"
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    assert main(tiny.command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(damaged) in error and tiny.files == []
    damaged.write_bytes(content)
    assert main(tiny.command) == 0 and len(tiny.record["history"]) == 2
