"""`python -m bench figures`: draw the figures of a scale from the records of its experiments on noise."""

import argparse
from pathlib import Path

from bench import configuration
from bench.errors import InputError
from bench.plan import numerics_key, numerics_targets
from bench.reporting.current import current_record

# What the figures are made of, by the experiment.
FIELDS = {"layers": ("rows",), "sweeps": ("settings", "points", "places")}


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
    folder = arguments.results / "numerics"
    records = {
        name: current_record(
            folder / f"{name}.json", "numerics", numerics_key(config, name), arguments.include_stale, FIELDS[name]
        )
        for name in numerics_targets(config)
    }
    # Here: matplotlib takes a second to load.
    from bench.reporting.figures.build import draw_figures, write_csvs

    paths = write_csvs(records["layers"], records["sweeps"], arguments.output) + draw_figures(arguments.output)
    print(f"written: {', '.join(map(str, paths))}")
    return 0
