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

import pandas as pd
import pytest
import yaml

from bench.__main__ import main
from bench.records import read_record
from tests import tiny_run

ROOT = Path(__file__).parent.parent
PATIENCE_S = 600  # on a machine that others keep busy, a start may take minutes
# Two runs of a second each.
CONFIG = {
    **tiny_run.CONFIG,
    "scale": "smoke",
    "data": {**tiny_run.CONFIG["data"], "train_images": 64},
    "seeds": [1, 2],
    "training": {"epochs": 20, "batch_size": 8, "peak_learning_rate": 0.1},
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

    def start(self, *targets: str) -> subprocess.Popen:
        """Snakemake at work on `targets`, or else on both runs, in a session of its own."""
        runs = [record.relative_to(self.folder).as_posix() for record in self.records]
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "1", *(targets or runs)],
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
        printed, code = ended(self.start())
        assert code == 0, printed
        assert all(read_record(record)["history"][-1]["epoch"] == 20 for record in self.records)
        return printed

    def run_at_work(self) -> int:
        """The process of the run that is being written."""
        (lock,) = self.folder.glob("results/smoke/runs/*/.lock")
        return int(lock.read_text())

    def stamps(self) -> dict[Path, int]:
        """When each record that is there was written."""
        return {record: record.stat().st_mtime_ns for record in self.records if record.exists()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """One for all tests here: what a test finds there, from nothing to all records, is what a user may find."""
    made = Tree(tmp_path_factory.mktemp("größer 結果") / "a tree")
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process: subprocess.Popen) -> tuple[str, int]:
    """What a process prints, and its exit code."""
    printed, _ = process.communicate(timeout=PATIENCE_S)
    return printed, process.returncode


def wait_for(happened: Callable[[], object], process: subprocess.Popen | None = None) -> None:
    """Wait until something has happened, which `process` must live to see."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline and (process is None or process.poll() is None)
        time.sleep(0.005)


def test_a_workflow_is_alone_and_a_run_that_outlives_it_is_not_made_twice(tree: Tree) -> None:
    record = tree.records[0]
    first = tree.start()
    wait_for((record.parent / "checkpoint.pt").exists, first)
    run = tree.run_at_work()
    os.kill(run, signal.SIGSTOP)  # so that it is at work for as long as the test needs it
    try:
        second, tables = tree.start(), tree.start("tables")
        sentence = f"A workflow of the scale smoke is at work in this folder (process {first.pid}); wait for it"
        printed, code = ended(second)
        assert code != 0 and sentence in printed
        printed, code = ended(tables)
        assert code == 0 and sentence in printed and "not run" in printed
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        printed, code = ended(tree.start())
        assert code != 0
        assert f"seed1 is at work (process {run}) though no workflow is; wait for it, or end it" in printed
        assert "Traceback" not in printed
    finally:
        os.kill(run, signal.SIGCONT)
    wait_for(lambda: record.exists() and not (record.parent / ".lock").exists())
    made = tree.stamps()
    tree.finish()
    assert made[record] == tree.stamps()[record]


def test_snakemake_and_its_run_killed_at_any_moment_are_made_good_by_the_next_start(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    for record in tree.records[1:]:
        record.unlink(missing_ok=True)
    process = tree.start()
    wait_for(lambda: list(tree.folder.glob("results/smoke/runs/*/checkpoint.pt")) or process.poll() is not None)
    time.sleep(random.uniform(0, 3))  # from within a run until after it
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = tree.stamps()
    assert "unlock" not in tree.finish()
    assert before.items() <= tree.stamps().items()  # what was finished is not made again
    assert not list(tree.folder.glob("results/smoke/runs/*/check*"))
    monkeypatch.chdir(tree.folder)
    assert main(["tables", "--results", "results/smoke", "--output", "paper_tables/smoke"]) == 0
    table = pd.read_csv("paper_tables/smoke/table2.csv").set_index("device")
    assert table.loc["machine", ["runs_planned", "runs_stale", "runs_broken", "runs_not_run"]].tolist() == [2, 0, 0, 0]


def test_a_faulty_configuration_is_one_sentence_before_anything_is_run(tree: Tree) -> None:
    training = {"epoch" if key == "epochs" else key: value for key, value in CONFIG["training"].items()}
    (tree.folder / "config" / "typo.yaml").write_text(yaml.safe_dump({**CONFIG, "scale": "typo", "training": training}))
    printed, code = ended(tree.start("-n", "--config", "scale=config/typo.yaml"))
    assert code != 0 and "Traceback" not in printed and "Building DAG" not in printed
    assert "config/typo.yaml: unknown key training.epoch (did you mean epochs?)." in printed
