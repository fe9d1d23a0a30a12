"""`python -m bench figures`: draw the figures of a scale from the records of its experiments on noise."""

import argparse
import sys
from pathlib import Path
from typing import Any

from bench import configuration
from bench.errors import InputError
from bench.plan import numerics_key, numerics_targets
from bench.records import read_record


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this step."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for figures and CSVs")
    parser.add_argument("--include-stale", action="store_true", help="draw records of other settings or code too")


def run(arguments: argparse.Namespace) -> int:
    """Write every CSV and figure; a missing, broken or stale record is an error."""
    config = configuration.load(arguments.config)
    if not numerics_targets(config):
        raise InputError(f"{arguments.config} has no section numerics, hence no figures.")
    records = {name: _record(config, name, arguments) for name in numerics_targets(config)}
    # Here: matplotlib takes a second to load.
    from bench.reporting.figures.build import build

    paths = build(records["layers"], records["sweeps"], arguments.output)
    print(f"written: {', '.join(map(str, paths))}")
    return 0


def _record(config: dict[str, Any], name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    path = arguments.results / "numerics" / f"{name}.json"
    record = read_record(path)
    if record.get("digest", {}).get("key") != numerics_key(config, name):
        told = f"The record {path} was made with other settings or other code"
        if not arguments.include_stale:
            raise InputError(f"{told}; run it again, or draw it as it is with --include-stale.")
        print(f"warning: {told}.", file=sys.stderr)
    return record
