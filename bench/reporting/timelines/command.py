"""`python -m bench timeline-figures`: draw a scale's timelines from their record, as PNG and PDF."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write the figures to")
    parser.add_argument("--include-stale", action="store_true", help="draw a record of other settings or code too")


def run(arguments: argparse.Namespace) -> int:
    """Draw a figure for each timeline of the record; a missing, broken or stale one is an error."""
    # Here: matplotlib takes a second to load.
    from bench import configuration
    from bench.plan import timeline_key
    from bench.reporting.current import current_record
    from bench.reporting.figures.style import save
    from bench.reporting.timelines.figure import draw

    key = timeline_key(configuration.load(arguments.config))
    record = current_record(arguments.results / "timeline.json", "timeline", key, arguments.include_stale)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for each in record["timelines"]:
        paths = save(draw(each), arguments.output, f"timeline-{each['name']}")
        print(f"written: {', '.join(map(str, paths))}")
    return 0
