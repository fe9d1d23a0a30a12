"""`python -m bench timeline-figures`: draw a scale's timelines from their record, as PNG and PDF."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write the figures to")


def run(arguments: argparse.Namespace) -> int:
    """Draw a figure for each timeline of the record."""
    from bench.errors import InputError
    from bench.records import read_record
    from bench.reporting.figures.style import save
    from bench.reporting.timelines.figure import draw

    path = arguments.results / "timeline.json"
    record = read_record(path)
    if record["kind"] != "timeline":
        raise InputError(
            f"The record {path} is of kind {record['kind']!r}, not 'timeline'; delete it and run it again."
        )
    arguments.output.mkdir(parents=True, exist_ok=True)
    for each in record["timelines"]:
        paths = save(draw(each), arguments.output, f"timeline-{each['name']}")
        print(f"written: {', '.join(map(str, paths))}")
    return 0
