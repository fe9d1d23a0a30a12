"""Checkpoints: whole or not at all, never another run's, and never a reason to run code."""

import hashlib
import pickle

import pytest
import torch

from bench.training.checkpoint import LATEST, PREVIOUS, Checkpoint


def test_latest_and_previous_are_kept_and_removed(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run", "key")
    assert checkpoint.load() == (None, [])
    for epoch in (1, 2, 3):
        checkpoint.save({"epoch": epoch, "weights": torch.full((3,), float(epoch))})
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [PREVIOUS, LATEST]
    state, remarks = checkpoint.load()
    assert state["epoch"] == 3 and state["weights"].tolist() == [3.0] * 3 and remarks == []
    checkpoint.remove()
    assert list((tmp_path / "run").iterdir()) == []


def flipped(content, place):
    """One bit is another."""
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"no",
        *(lambda content, part=part: flipped(content, int(part * len(content))) for part in (0, 0.3, 0.6, 0.999)),
    ],
)
def test_a_damaged_checkpoint_is_said_and_the_one_before_is_used(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save({"epoch": 1})
    checkpoint.save({"epoch": 2})
    latest = tmp_path / LATEST
    latest.write_bytes(damage(latest.read_bytes()))
    state, remarks = checkpoint.load()
    assert state == {"epoch": 1}
    assert len(remarks) == 1 and str(latest) in remarks[0] and "damaged" in remarks[0]


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_whole_one_before_it(tmp_path):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save({"epoch": 1})
    checkpoint.save({"epoch": 2})
    (tmp_path / LATEST).write_bytes(b"no")
    resumed = Checkpoint(tmp_path, "key")
    assert resumed.load()[0] == {"epoch": 1}
    resumed.save({"epoch": 2})
    (tmp_path / LATEST).rename(tmp_path / "kept")
    assert resumed.load() == ({"epoch": 1}, [])
    (tmp_path / "kept").rename(tmp_path / LATEST)
    resumed.save({"epoch": 3})
    (tmp_path / LATEST).unlink()
    assert resumed.load() == ({"epoch": 2}, [])


def test_a_checkpoint_that_torch_wrote_by_its_path_is_read_as_well(tmp_path):
    torch.save({"key": "key", "state": {"epoch": 1}}, tmp_path / LATEST)
    content = (tmp_path / LATEST).read_bytes()
    (tmp_path / LATEST).write_bytes(content + hashlib.sha256(content).digest())
    assert Checkpoint(tmp_path, "key").load() == ({"epoch": 1}, [])


def test_a_kill_between_the_two_moves_loses_one_epoch_at_most(tmp_path):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save({"epoch": 1})
    (tmp_path / LATEST).replace(tmp_path / PREVIOUS)
    assert checkpoint.load() == ({"epoch": 1}, [])


def test_a_failed_write_leaves_the_checkpoint_as_it_was(tmp_path):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save({"epoch": 1})
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        checkpoint.save({"epoch": 2, "unwritable": (number for number in ())})
    assert checkpoint.load() == ({"epoch": 1}, [])
    assert [path.name for path in tmp_path.iterdir()] == [LATEST]


def test_another_runs_checkpoint_is_not_continued(tmp_path):
    Checkpoint(tmp_path, "one").save({"epoch": 1})
    state, remarks = Checkpoint(tmp_path, "other").load()
    assert state is None and "other settings" in remarks[0]


class Trap:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def test_a_checkpoint_cannot_run_code(tmp_path):
    Checkpoint(tmp_path, "key").save(Trap(tmp_path / "opened"))
    state, remarks = Checkpoint(tmp_path, "key").load()
    assert state is None and "damaged" in remarks[0]
    assert not (tmp_path / "opened").exists()
