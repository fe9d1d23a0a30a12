"""The whole workflow at its smallest scale: what has run in a copy of the tree (conftest.py)."""

import re
import shutil
from pathlib import Path

import pandas as pd

from bench.configuration import FOLDER, read
from bench.jobs import planned_jobs
from bench.plan import memory_targets, planned_runs
from tests.smoke import snakemake

CONFIGURATION = read(FOLDER / "smoke.yaml")
TABLES = [f"{table}.{suffix}" for table in ("table1", "table2") for suffix in ("md", "csv", "tex")]


def test_every_record_is_made_and_is_of_this_code_and_configuration(tree: Path) -> None:
    states = {job.name: job.state for job in planned_jobs(CONFIGURATION, tree / "results" / "smoke")}
    assert set(states.values()) == {"done"}, states


def test_the_tables_have_every_architecture_reconstruction_and_device(tree: Path) -> None:
    folder = tree / "paper_tables" / "smoke"
    for name in TABLES:
        assert "smoke" in (folder / name).read_text()
    assert 50_000 < (folder / "report.html").stat().st_size < 10_000_000
    measured = ["bytes_per_pixel_theory", "bytes_per_pixel_measured", "forward_equivalents"]
    trained = {(run.architecture, run.reconstruction) for run in planned_runs(CONFIGURATION)}
    table1 = pd.read_csv(folder / "table1.csv").set_index(["architecture", "reconstruction"])
    for pair in memory_targets(CONFIGURATION):
        # A step's time is relative to the same network with stored activations, where there is one.
        timed = ["step_ratio"] if (pair[0], "ideal") in memory_targets(CONFIGURATION) else []
        reached = ["accuracy_mean"] if pair in trained else []
        assert table1.loc[pair, [*measured, *timed, *reached]].notna().all(), pair
        assert table1.loc[pair, "runs_not_run"] == 0, pair
    table2 = pd.read_csv(folder / "table2.csv").set_index(["device", "architecture", "reconstruction"])
    for run in planned_runs(CONFIGURATION):
        row = table2.loc[(run.device, run.architecture, run.reconstruction)]
        assert row["runs_not_run"] == 0, run
        assert row["peak_memory_bytes"] > 0, run
    assert "emulated" in (folder / "table2.md").read_text()


def test_tables_are_made_again_from_the_records_alone(tree: Path) -> None:
    folder = tree / "paper_tables" / "smoke"
    shutil.rmtree(folder)
    jobs = planned_jobs(CONFIGURATION, tree / "results" / "smoke")
    lost, kept = jobs[0].record, {job.record: job.record.stat().st_mtime_ns for job in jobs[1:]}
    content = lost.read_text()
    lost.unlink()
    try:
        printed = snakemake(tree, "tables")
    finally:
        lost.write_text(content)
    assert "rule train" not in printed
    assert "done:   the tables of scale smoke are in paper_tables/smoke\n" in printed  # there is no report now
    assert all(record.stat().st_mtime_ns == time for record, time in kept.items())
    assert sorted(path.name for path in folder.iterdir() if path.name in TABLES) == sorted(TABLES)
    assert pd.read_csv(folder / "table2.csv")["runs_not_run"].sum() == 1


def test_records_that_are_broken_or_of_other_settings_are_made_again_and_no_others(tree: Path) -> None:
    jobs = [job for job in planned_jobs(CONFIGURATION, tree / "results" / "smoke") if job.kind == "train"]
    broken, stale = (job.record for job in jobs[:2])
    content = {record: record.read_text() for record in (broken, stale)}
    broken.write_text(content[broken][:100])
    stale.write_text(content[stale].replace(jobs[1].key, "0123456789ab"))
    try:
        plan = snakemake(tree, "-n")
    finally:
        for record, text in content.items():
            record.write_text(text)
    made = re.findall(r"^ +output: (results/smoke/runs/\S+)", plan, re.MULTILINE)
    assert sorted(made) == sorted(record.relative_to(tree).as_posix() for record in (broken, stale))


def test_lint_finds_nothing(tree: Path) -> None:
    assert "Congratulations" in snakemake(tree, "--lint")
