"""SIGKILL at random moments, those of a checkpoint's writing included: the end is that of a run never killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.training.test_train_command import CONFIG, accounts

# The command, with checkpoints that take their time, so that a kill often meets one half written; the weights stay.
PROGRAM = """
import hashlib, os, sys, time
import torch
from bench.__main__ import main
from bench.training.checkpoint import Checkpoint

save, torch_save, remove = Checkpoint.save, torch.save, Checkpoint.remove

def slowly(content, place):
    torch_save(content, place)
    time.sleep(0.05)

def keep(self):
    state, _ = self.load()
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in state["model"].values())).hexdigest()
    (self.latest.parent / "weights").write_text(digest)
    remove(self)

torch.save, Checkpoint.remove = slowly, keep
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def command(tmp_path):
    """(name of a folder) -> the command that trains there."""
    training = {**CONFIG["training"], "epochs": 8, "lookahead": 3}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**CONFIG, "training": training}))
    words = ["train", "--config", str(tmp_path / "tiny.yaml"), "--seed", "1", "--architecture", "revnet", "--resume"]
    words += ["--reconstruction", "noisy"]
    return lambda name: [sys.executable, "-c", PROGRAM, *words, "--output", str(tmp_path / name)]


def test_killed_again_and_again_it_ends_with_the_same_bits(command, tmp_path):
    subprocess.run(command("whole"), capture_output=True, timeout=300, check=True)
    seed = random.randrange(2**32)
    print(f"the kills' delays are drawn from seed {seed}")
    folder, generator, kills = tmp_path / "killed", random.Random(seed), 0
    process = subprocess.Popen(command("killed"), stderr=subprocess.DEVNULL)
    while kills < 3:
        # From the first checkpoint on, after up to two epochs more.
        deadline, had = time.monotonic() + 60, newest(folder)
        while newest(folder) == had and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.2))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        process = subprocess.Popen(command("killed"), stderr=subprocess.DEVNULL)
    assert process.wait(timeout=300) == 0
    whole, killed = (json.loads((tmp_path / name / "record.json").read_text()) for name in ("whole", "killed"))
    assert 0 < killed["resumed"] <= kills
    assert accounts(killed) == accounts(whole)
    assert (tmp_path / "whole" / "weights").read_text() == (folder / "weights").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["record.json", "weights"]


def newest(folder):
    """When the latest checkpoint was written."""
    try:
        return (folder / "checkpoint.pt").stat().st_mtime_ns
    except FileNotFoundError:
        return None
