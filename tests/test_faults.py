"""Faults made to happen: what is lost, what is said, and that the next start goes on."""

import errno
import json
import os
import signal
from pathlib import Path

import pytest
import torch
import yaml

from bench import records
from bench.__main__ import main
from bench.errors import InputError
from bench.records import read_record, write_record
from bench.training.checkpoint import Checkpoint


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_old_record_and_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "räcord with spaces.json"
    write_record(place, {"kind": "train", "value": 1})
    monkeypatch.setattr(records.os, "fsync", full)  # injected: where a full disk is noticed at the latest
    with pytest.raises(OSError, match="No space left"):
        write_record(place, {"kind": "train", "value": 2})
    assert read_record(place)["value"] == 1
    assert list(tmp_path.iterdir()) == [place]


def test_a_full_disk_leaves_the_old_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    for epoch in (1, 2):
        checkpoint.save({"epoch": epoch})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save({"epoch": 3})
    monkeypatch.undo()
    assert checkpoint.load()[0] == {"epoch": 2}
    assert len(list(tmp_path.iterdir())) == 2


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


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"a": 1}', "\0", '{"kind": '])
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


TINY = {
    "scale": "tiny",
    "data": {"name": "digits", "train_images": 100, "test_images": 50, "image_size": 9},
    "budget": 6000,
    "architectures": {"resnet18": {"reconstructions": ["ideal"], "depths": [1, 1], "initial_channels": 4}},
    "seeds": [1],
    "training": {"epochs": 2, "batch_size": 20, "peak_learning_rate": 0.1},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "threads": 1,
}


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Words of a short run, in a folder whose name has spaces and letters beyond ASCII."""
    folder = tmp_path / "Ergebnisse größer 結果"
    folder.mkdir()
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    words = ["train", "--config", str(config), "--architecture", "resnet18", "--seed", "1", "--device", "cpu"]
    return [*words, "--output", str(folder / "run"), "--resume"]


def test_a_run_out_of_time_is_a_record_and_goes_on_from_its_checkpoint(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = Path(tiny[2]), Path(tiny[-2])
    whole = Checkpoint.save

    def save_and_ring(self: Checkpoint, state: dict) -> None:
        whole(self, state)
        signal.raise_signal(signal.SIGALRM)  # the time is over at this very moment, however fast the machine is

    config.write_text(yaml.safe_dump({**TINY, "time_limit_s": 600}))
    monkeypatch.setattr(Checkpoint, "save", save_and_ring)
    assert main(tiny) == 0
    record = read_record(folder / "record.json")
    assert record["outcome"]["status"] == "timed-out" and len(record["history"]) == 1
    key = record["digest"]["key"]
    monkeypatch.undo()
    config.write_text(yaml.safe_dump(TINY))
    (folder / "record.json").unlink()
    assert main(tiny) == 0
    record = read_record(folder / "record.json")
    assert record["resumed"] == 1 and len(record["history"]) == 2 and record["digest"]["key"] == key
    assert [path.name for path in folder.iterdir()] == ["record.json"]


def test_a_folder_that_cannot_be_written_is_told(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), tiny[-2])

    monkeypatch.setattr(Path, "mkdir", refuse)  # injected: root may write where others may not
    assert main(tiny) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Read-only file system" in error
