"""SIGKILL of Snakemake, alone and with its run, at random moments; two workflows at once: the next start goes on."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from bench.records import read_record

ROOT = Path(__file__).parent.parent
# Two runs of a second each.
CONFIG = {
    "scale": "smoke",
    "data": {"name": "digits", "train_images": 64, "test_images": 50, "image_size": 9},
    "budget": 6000,
    "architectures": {"resnet18": {"reconstructions": ["ideal"], "depths": [1, 1], "initial_channels": 4}},
    "seeds": [1, 2],
    "training": {"epochs": 20, "batch_size": 8, "peak_learning_rate": 0.1},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "threads": 1,
}


class Tree:
    """A copy of the tree in which a workflow is two training runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bench", "config", "profiles", "envs"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(ROOT / "Snakefile", folder)
        (folder / "config" / "smoke.yaml").write_text(yaml.safe_dump(CONFIG))
        self.records = [folder / f"results/smoke/runs/resnet18-ideal-machine-seed{seed}/record.json" for seed in (1, 2)]
        self.started: list[subprocess.Popen] = []

    def start(self) -> subprocess.Popen:
        """Snakemake at work on both runs, in a session of its own."""
        targets = [record.relative_to(self.folder).as_posix() for record in self.records]
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "1", *targets],
            cwd=self.folder,
            env={**os.environ, "SCALE": "smoke"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self) -> str:
        """A start that must end well: what it prints, once both records are there."""
        process = self.start()
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0, printed
        assert all(read_record(record)["history"][-1]["epoch"] == 20 for record in self.records)
        return printed

    def run_at_work(self) -> int:
        """The process of the run that is being written."""
        (lock,) = self.folder.glob("results/smoke/runs/*/.lock")
        return int(lock.read_text())

    def stamp(self) -> int | None:
        """When the first record was written."""
        return self.records[0].stat().st_mtime_ns if self.records[0].exists() else None


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path / "a tree")
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(happened: Callable[[], object], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)


def test_snakemake_and_its_run_killed_at_any_moment_are_made_good_by_the_next_start(tree: Tree) -> None:
    process = tree.start()
    wait_for(lambda: (tree.records[0].parent / "checkpoint.pt").exists() or tree.stamp(), process)
    time.sleep(random.uniform(0, 6))  # from within the first run until after the second
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = tree.stamp()
    printed = tree.finish()
    assert "unlock" not in printed
    if before:
        assert tree.stamp() == before  # what was finished is not made again
    assert not list(tree.folder.glob("results/smoke/runs/*/check*"))


def test_a_run_outlives_its_snakemake_and_is_not_made_twice(tree: Tree) -> None:
    first = tree.start()
    wait_for((tree.records[0].parent / "checkpoint.pt").exists, first)
    run = tree.run_at_work()
    os.kill(run, signal.SIGSTOP)  # so that it is at work for as long as the test needs it
    try:
        second = tree.start()
        printed, _ = second.communicate(timeout=120)
        assert second.returncode != 0
        assert f"A workflow of the scale smoke is at work in this folder (process {first.pid}); wait for it" in printed
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        third = tree.start()
        printed, _ = third.communicate(timeout=120)
        assert third.returncode != 0
        assert f"seed1 is at work (process {run}) though no workflow is; wait for it, or end it" in printed
    finally:
        os.kill(run, signal.SIGCONT)
    deadline = time.monotonic() + 60
    while not tree.stamp() or (tree.records[0].parent / ".lock").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made = tree.stamp()
    tree.finish()
    assert tree.stamp() == made
