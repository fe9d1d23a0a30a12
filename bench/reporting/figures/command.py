"""`python -m bench figures`: draw the figures of a scale from the records of its experiments on noise."""

import argparse
import sys
from pathlib import Path
from typing import Any

from bench import configuration
from bench.errors import InputError
from bench.plan import numerics_key, numerics_targets, timeline_key
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
    stale = arguments.include_stale
    noise = [
        current(arguments.results / "numerics" / f"{name}.json", numerics_key(config, name), stale)
        for name in numerics_targets(config)
    ]
    timelines = current(arguments.results / "timeline.json", timeline_key(config), stale)
    # Here: matplotlib takes a second to load.
    from bench.reporting.figures import style, timeline
    from bench.reporting.figures.build import build

    paths = build(*noise, arguments.output) if noise else []
    for each in timelines["timelines"]:
        paths += style.save(timeline.draw(each), arguments.output, f"timeline-{each['name']}")
    print(f"written: {', '.join(map(str, paths))}")
    return 0


def current(path: Path, key: str, include_stale: bool) -> dict[str, Any]:
    """The record at `path`, which must be the one that the present code and configuration make."""
    record = read_record(path)
    if record.get("digest", {}).get("key") != key:
        told = f"The record {path} was made with other settings or other code"
        if not include_stale:
            raise InputError(f"{told}; run it again, or draw it as it is with --include-stale.")
        print(f"warning: {told}.", file=sys.stderr)
    return record
