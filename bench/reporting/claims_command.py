"""`python -m bench claims`: the table of the numbers that the draft leaves open."""

import argparse
from pathlib import Path

from bench.reporting import command


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this step."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write the table to")


def run(arguments: argparse.Namespace) -> int:
    """Write the table and print it; what was not run is said in it."""
    from bench import configuration
    from bench.reporting.claims import claims_table
    from bench.reporting.formats import markdown_table, write_table
    from bench.reporting.records_frame import read_runs

    config = configuration.load(arguments.config)
    study = command.study_of(config, arguments.results)
    runs = read_runs(arguments.results, study.runs, study.keys, study.time_limit_s)
    capped = next((device["name"] for device in config["devices"] if device.get("memory_cap_mb")), None)
    table = claims_table(config["scale"], arguments.results, runs, capped)
    paths = write_table(table, arguments.output)
    print(f"{markdown_table(table)}\n\nwritten: {', '.join(map(str, paths))}")
    return 0
