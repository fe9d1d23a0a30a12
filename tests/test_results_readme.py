"""results/README.md names every field that the tables ask of a record, and every further one that a run writes."""

import re
from pathlib import Path

import pytest
import yaml

from bench.__main__ import main
from bench.records import read_record
from bench.reporting import record_schema
from bench.training.run import TrainingRun
from tests import tiny_run

README = (Path(__file__).parents[1] / "results" / "README.md").read_text(encoding="utf-8")
COMMON = README.partition("## In every record")[2].partition("\n## ")[0]


def names_of(schema):
    """Names of all fields of a schema, those of its parts included."""
    for name, part in schema.get("properties", {}).items():
        yield name
        yield from names_of(part)
    if "items" in schema:
        yield from names_of(schema["items"])


def told(kind):
    """Every word in code type of the sections on a kind of record."""
    section = README.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", COMMON + section))))


@pytest.mark.parametrize("kind", ["train", "memory", "steps"])
def test_every_field_of_the_schema_is_named(kind):
    schema = record_schema._VALIDATORS[kind].schema
    shape = {"architecture", "parameters", "initial_channels", "depths"} if kind != "train" else set()
    fields = set(names_of(schema)) - shape  # of a measurement they are "the network"
    assert len(fields) > 8
    assert fields - told(kind) - {"reconstruction"} == set()


@pytest.mark.usefixtures("torch_settings")
def test_every_field_of_a_control_is_named(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_run.CONFIG))
    words = ["--seeds", "1", "--epochs", "1", "--batch-size", "20", "--output", str(tmp_path)]
    assert main(["control", "--config", str(tmp_path / "tiny.yaml"), *words]) == 0
    record = read_record(tmp_path / "seed1.json")
    fields = {*record, *record["settings"], *record["outcome"], *record["published"], *record["seconds"]}
    assert {"views_accuracy", "source"} <= fields
    assert fields - told("control") == set()


def test_every_field_of_a_run_is_named(tmp_path):
    from bench import configuration
    from bench.training.outcome import Outcome
    from bench.training.run_record import run_record

    config = configuration.load(Path(__file__).parents[1] / "config" / "smoke.yaml")
    run = TrainingRun(config, "revnet", "exact", 1, tmp_path / "run", "cpu")
    record = run_record(
        run.settings, Outcome("ok", None, 1.0, True), [], run.clock.seconds() | {"load": 0.0}, {}, run.digest,
        run.device, run.processes, **run.remarks
    )  # fmt: skip
    fields = {*record, *record["settings"], *record["seconds"], *record["processes"], *record["outcome"]}
    assert {"flip_tta_accuracy", "lease", "exactness", "tta", "evaluated_on"} <= fields
    assert fields - told("train") == set()
