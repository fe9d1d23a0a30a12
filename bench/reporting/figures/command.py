"""`python -m bench figures`: draw a scale's figures from its records, as PNG and PDF."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, help="folder to write the figures to")


def run(arguments: argparse.Namespace) -> int:
    """Draw a figure for each timeline of the record."""
    from bench.errors import InputError
    from bench.records import read_record
    from bench.reporting.figures import style, timeline

    path = arguments.results / "timeline.json"
    record = read_record(path)
    if record["kind"] != "timeline":
        raise InputError(
            f"The record {path} is of kind {record['kind']!r}, not 'timeline'; delete it and run it again."
        )
    for each in record["timelines"]:
        paths = style.save(timeline.draw(each), arguments.output, f"timeline-{each['name']}")
        print(f"written: {', '.join(map(str, paths))}")
    return 0
