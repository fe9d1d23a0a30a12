"""`python -m bench tables`: collect the records of a scale into Table 1 and Table 2."""

import argparse
import sys
from pathlib import Path
from typing import Any

from bench import configuration, plan
from bench.errors import InputError
from bench.reporting.build import Study, build_tables
from bench.reporting.formats import markdown_table, write_table
from bench.reporting.measurements_frame import memory_path, steps_path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this step."""
    parser.add_argument("--config", type=Path, help="configuration (default: config/<name of the results folder>.yaml)")
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write both tables to")
    parser.add_argument("--include-stale", action="store_true", help="use numbers of stale records; the tables say so")


def run(arguments: argparse.Namespace) -> int:
    """Write both tables and print them; what is missing or broken is said, and does not stop the rest."""
    config = configuration.load(_config_path(arguments.config, arguments.results))
    tables = build_tables(study_of(config, arguments.results), arguments.results, arguments.include_stale)
    for warning in dict.fromkeys(warning for table in tables for warning in table.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    for table in tables:
        paths = write_table(table, arguments.output)
        print(f"{table.caption}\n\n{markdown_table(table)}\n\nwritten: {', '.join(map(str, paths))}\n")
    return 0


def study_of(config: dict[str, Any], results: Path) -> Study:
    """What the checked configuration `config` plans, and the present key of every record in the folder `results`."""
    runs = plan.planned_runs(config)
    pairs = plan.memory_targets(config)
    memory = {memory_path(results, pair): plan.memory_key(config, *pair) for pair in pairs}
    steps = {steps_path(results, name): plan.steps_key(config, name) for name in plan.steps_targets(config)}
    return Study(
        scale=config["scale"],
        target_accuracy=config["target_accuracy"],
        runs=runs,
        pairs=pairs,
        keys={run.name: plan.run_key(config, run) for run in runs},
        device=plan.table1_device(config)["name"],
        labels={device["name"]: label for device in config["devices"] if (label := _label(device))},
        measurement_keys=memory | steps,
        time_limit_s=config["time_limit_s"],
        further_targets=config["further_targets"],
    )


def _label(device: dict[str, Any]) -> str | None:
    """What Table 2 calls a device; one under a memory cap is always called emulated."""
    label, cap = device.get("label"), device.get("memory_cap_mb")
    if not cap:
        return label
    label = label or f"{device['name']}, {cap:g} MB"
    return label if "emulated" in label else f"{label} (emulated)"


def _config_path(given: Path | None, results: Path) -> Path:
    if given is not None:
        return given
    path = Path("config") / f"{results.resolve().name}.yaml"
    if not path.exists():
        raise InputError(f"No --config was given and {path} does not exist; give the configuration of {results}.")
    return path
