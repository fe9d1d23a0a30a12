"""`python -m bench claims`: the table of the numbers that the draft leaves open."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bench.reporting import command
from bench.reporting.formats import Table


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this step."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write the table to")


def run(arguments: argparse.Namespace) -> int:
    """Write the table and print it; what was not run is said in it."""
    from bench import configuration
    from bench.reporting.formats import markdown_table, write_table

    table = claims_of(configuration.load(arguments.config), arguments.results)
    for warning in table.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    paths = write_table(table, arguments.output)
    print(f"{markdown_table(table)}\n\nwritten: {', '.join(map(str, paths))}")
    return 0


def claims_of(config: dict[str, Any], results: Path) -> Table:
    """The claims table of the checked configuration `config` from its records in the folder `results`."""
    from bench.reporting import published
    from bench.reporting.claims import claims_table
    from bench.reporting.records_frame import read_runs
    from bench.whole_batch_key import present_key

    study = command.study_of(config, results)
    runs = read_runs(results, study.runs, study.keys, study.time_limit_s)
    limited = [device["name"] for device in config["devices"] if device.get("memory_cap_mb")]
    names = published.ARCHITECTURE, published.RECONSTRUCTION
    proposed = {run.device for run in study.runs if (run.architecture, run.reconstruction) == names}
    capped = next((name for name in limited if name in proposed), None)
    key = partial(present_key, config)
    return claims_table(config["scale"], results, runs, study.device, capped, key, study.labels.get(capped or "", ""))
