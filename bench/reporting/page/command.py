"""`python -m bench report`: one HTML file with everything that is known of a scale."""

import argparse
from pathlib import Path

from bench import configuration
from bench.records import write_text
from bench.reporting.claims_command import claims_of
from bench.reporting.command import study_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this step."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--results", type=Path, required=True, help="folder of the scale's records, results/<scale>")
    parser.add_argument("--tables", type=Path, required=True, help="folder of its tables and figures")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the HTML file to write")


def run(arguments: argparse.Namespace) -> int:
    """Write the report and say where it is."""
    from bench.reporting.page.figures import figures, planned_figures
    from bench.reporting.page.further_records import further_records
    from bench.reporting.page.page import page

    config, results = configuration.load(arguments.config), arguments.results
    claims, further = claims_of(config, results), further_records(config, results)
    drawn = figures(arguments.tables / "figures", planned_figures(config), arguments.output)
    text = page(study_of(config, results), results, drawn, claims, further)
    write_text(arguments.output, text)
    print(f"written: {arguments.output} ({arguments.output.stat().st_size / 1e6:.1f} MB)")
    return 0
