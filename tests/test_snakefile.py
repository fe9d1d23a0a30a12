"""What a start of the workflow takes for current, and what it makes anew, by what lies there.

The scale is a tiny one in a folder whose name has spaces; its records were never measured, but have the right keys.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.configuration import read
from bench.jobs import planned_jobs
from bench.long_measurements import asked, whole_batch_key
from bench.records import write_record
from bench.reporting.timelines.names import timeline_names
from tests import tiny_run
from tests.smoke import ROOT

IMAGES = 100
CONFIG = {
    **tiny_run.CONFIG,
    "data": {**tiny_run.CONFIG["data"], "image_size": 8},
    "architectures": {"hybrid": {"reconstructions": ["ideal", "noisy"], "depths": [1, 1], "initial_channels": 4}},
    "claims": ["paper-shapes", "whole-batch"],
}
TABLES = ("paper_tables/tiny/table1.md", "paper_tables/tiny/claims.md")
LONG = {"paper_shapes", "whole_batch"}


class Tree:
    """A copy of the tree, and in it the tiny scale with all of its records."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "scales of mine" / "tiny.yaml"
        for name in ("bench", "config", "profiles", "envs"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(ROOT / "Snakefile", folder)
        self.config.parent.mkdir()
        self.configure()
        configuration = read(self.config)
        for job in planned_jobs(configuration, self.results):
            write_record(job.record, {"kind": job.kind, "digest": {"key": job.key}})
        shapes, whole = asked(configuration, self.results)
        write_record(shapes.record, {"kind": "paper-shapes", "digest": {"code": shapes.key}})
        key = whole_batch_key(configuration, IMAGES)
        write_record(whole.record, {"kind": "train", "digest": {"key": key}, "data": {"sizes": [IMAGES, 50]}})

    @property
    def results(self) -> Path:
        return self.folder / "results" / "tiny"

    def configure(self, **changes: Any) -> None:
        """Write the configuration, with other values of some keys."""
        self.config.write_text(yaml.safe_dump({**CONFIG, **changes}))

    def start(self, *options: str) -> str:
        """What Snakemake prints; the test fails when it does."""
        done = self.ended(*options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ended(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Snakemake, which has ended."""
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
        command += ["--config", f"scale={self.config.relative_to(self.folder)}"]
        environment = {name: value for name, value in os.environ.items() if name != "SCALE"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def planned(self, *targets: str) -> set[str]:
        """The rules that a start would run."""
        printed = self.start("-n", *targets).splitlines()
        return {line.split()[1].rstrip(":") for line in printed if line.startswith(("rule ", "localrule "))} - {"all"}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "a tree")


def test_tables_are_made_again_where_the_configuration_or_what_was_made_by_hand_changes(tree: Tree) -> None:
    tree.start(*TABLES)
    assert all((tree.folder / table).exists() for table in TABLES)
    assert not tree.planned(*TABLES)
    tree.configure(further_targets=[0.9])
    assert tree.planned(*TABLES) == {"collect", "claims"}
    tree.configure(claims=[])
    (tree.results / "paper_shapes.json").rename(tree.results / "kept")
    (tree.results / "whole-batch" / "record.json").unlink()
    tree.start(*TABLES)
    assert not tree.planned(*TABLES)
    (tree.results / "kept").rename(tree.results / "paper_shapes.json")
    assert tree.planned(*TABLES) == {"claims"}


def test_tables_that_fail_are_no_success(tree: Tree) -> None:
    (tree.folder / "paper_tables").mkdir()
    (tree.folder / "paper_tables" / "tiny").touch()
    done = tree.ended("tables")
    printed = done.stdout + done.stderr
    assert "error: --output paper_tables/tiny is a file" in printed
    assert done.returncode and "done:" not in printed


def test_a_timeline_that_is_broken_or_stale_is_made_again(tree: Tree) -> None:
    place = tree.results / "timeline.json"
    figures = "paper_tables/tiny/figures/timeline-hybrid-noisy.png"
    assert tree.planned(figures) == {"timeline_figures"}
    place.write_text(place.read_text()[:20])
    assert tree.planned(figures) == {"timeline", "timeline_figures"}
    write_record(place, {"kind": "timeline", "digest": {"key": "0123456789ab"}})
    assert tree.planned(figures) == {"timeline", "timeline_figures"}


def test_timelines_are_drawn_again_where_the_style_of_figures_changes(tree: Tree) -> None:
    figures = [f"paper_tables/tiny/figures/{name}.{kind}" for name in timeline_names(CONFIG) for kind in ("png", "pdf")]
    for figure in figures:
        (tree.folder / figure).parent.mkdir(parents=True, exist_ok=True)
        (tree.folder / figure).touch()
    assert not tree.planned(figures[0])
    (tree.folder / "bench" / "reporting" / "figures" / "style.py").touch()
    assert tree.planned(figures[0]) == {"timeline_figures"}


def test_long_measurements_that_are_stale_are_made_again(tree: Tree) -> None:
    shapes, whole = tree.results / "paper_shapes.json", tree.results / "whole-batch" / "record.json"
    assert not tree.planned(TABLES[1]) & LONG
    write_record(shapes, {"kind": "paper-shapes", "digest": {"code": "0123456789ab"}})
    whole.write_text("{")
    assert tree.planned(TABLES[1]) & LONG == LONG


@pytest.mark.parametrize(
    ("given", "provided"), [("gpu=4", {"gpu": "4", "timing": "1"}), ("timing=2", {"gpu": "1", "timing": "2"})]
)
def test_a_resource_that_an_option_leaves_open_is_one_job_at_a_time(
    tree: Tree, given: str, provided: dict[str, str]
) -> None:
    """An option stands for the profile's whole list."""
    printed = tree.start("tables", "--resources", given)
    line = next(line for line in printed.splitlines() if line.startswith("Provided resources:"))
    assert dict(re.findall(r"(gpu|timing)=\D*(\d+)", line)) == provided


def test_a_run_of_several_processes_has_the_cores_of_each(tree: Tree) -> None:
    tree.configure(devices=[{"name": "machine", "device": "cpu", "processes": 4}])
    runs = [job for job in planned_jobs(read(tree.config), tree.results) if job.kind == "train"]
    printed = tree.start("-n", "--cores", "8", runs[0].record.relative_to(tree.folder).as_posix())
    assert "threads: 4" in printed and runs[0].processes == 4


def test_the_workflow_runs_in_its_own_folder(tree: Tree, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    done = tree.ended("-n", "--directory", str(elsewhere))
    assert done.returncode and f"start it in {tree.folder}, without --directory." in done.stdout + done.stderr
    link = tmp_path / "a link to it"
    link.symlink_to(tree.folder)
    tree.start("-n", "--snakefile", str(link / "Snakefile"), "--directory", str(link))


def test_tables_that_were_not_asked_for_are_not_told_of(tree: Tree) -> None:
    assert "done:" not in tree.start(TABLES[1])
    assert "done:   the tables of scale tiny are in paper_tables/tiny" in tree.start(TABLES[0])
