"""A disk that is full while a record or a checkpoint is written: what was there stays whole, and the run goes on later.

The kernel breaks off files beyond a limit (RLIMIT_FSIZE), in the middle of the writing as a full disk does; once, a
small file system of the test's own is really full.
"""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.__main__ import main
from bench.errors import told
from bench.records import read_record, write_record
from bench.training.checkpoint import Checkpoint
from tests.refusals import full_disk, limit_files
from tests.tiny_run import TinyRun

LIMIT = 20_000  # bytes: more than a record of the run, less than a checkpoint


def test_the_old_record_stays_and_no_half_one(tmp_path: Path) -> None:
    place = tmp_path / "räcord with spaces.json"
    write_record(place, {"kind": "train", "value": 1})
    with full_disk(LIMIT), pytest.raises(OSError, match="File too large"):
        write_record(place, {"kind": "train", "value": "2" * 2 * LIMIT})
    assert read_record(place)["value"] == 1
    assert list(tmp_path.iterdir()) == [place]


def test_the_old_checkpoints_stay_and_no_half_one(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    for epoch in (1, 2):
        checkpoint.save({"epoch": epoch})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(LIMIT), pytest.raises((OSError, RuntimeError)) as caught:  # torch makes an error of its own of it
        checkpoint.save({"epoch": 3, "weights": torch.zeros(LIMIT)})
    assert str(told(caught.value)).startswith("a file cannot be used (File too large); free some space")
    assert checkpoint.load() == ({"epoch": 2}, [])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before and len(before) == 2


def test_a_run_is_told_in_one_sentence_and_goes_on_from_the_checkpoint_that_was_written(
    tiny: TinyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    whole = Checkpoint.save

    def save_the_last(self: Checkpoint, state: dict) -> None:
        whole(self, state)
        limit_files(LIMIT)

    monkeypatch.setattr(Checkpoint, "save", save_the_last)
    with full_disk(resource.RLIM_INFINITY):
        assert main(tiny.command) == 2
    *epochs, error = capsys.readouterr().err.splitlines()
    assert len(epochs) == 3 and epochs[-1].startswith("epoch 2/2")
    assert error.startswith("error: a file cannot be used (File too large); free some space or choose a place")
    assert tiny.files == ["checkpoint.pt"]
    monkeypatch.undo()
    assert main(tiny.command) == 0
    assert tiny.record["resumed"] == 1 and len(tiny.record["history"]) == 2
    assert tiny.files == ["record.json"]


# A disk of 1 MB, full but for 12 kB when the run begins, with room again when it is started anew.
SMALL_DISK = """
import json, os, subprocess, sys
from pathlib import Path
from bench.__main__ import main

disk, words = Path(sys.argv[1]), sys.argv[2:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        filler.truncate(filler.tell() - 3 * 4096)
code, left = main(words), sorted(path.name for path in disk.glob("*/*"))
(disk / "filler").unlink()
print(json.dumps([code, left, main(words), sorted(path.name for path in disk.glob("*/*"))]))
"""
OWN_MOUNTS = ["unshare", "--map-root-user", "--mount"]


def test_a_disk_that_is_really_full(tiny: TinyRun, tmp_path: Path) -> None:
    mount = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs a mount of its own (unshare, user namespaces)")
    disk = tiny.place / "disk"
    disk.mkdir()
    command = [str(disk / "run") if word == str(tiny.folder) else word for word in tiny.command]
    program = [*OWN_MOUNTS, sys.executable, "-c", SMALL_DISK, str(disk), *command]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, [], 0, ["record.json"]]
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error"))
    assert "cannot be used (No space left on device); free some space" in error
    assert "Traceback" not in done.stderr
