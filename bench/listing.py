"""`python -m bench list`: what there is to choose from."""

import argparse

from bench.configuration import SCALES


def configure(parser: argparse.ArgumentParser) -> None:
    """This step takes no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print the architectures, reconstructions, data sets and scales, a section each; returns 0."""
    print("\n\n".join(section(title, rows) for title, rows in sections()))
    return 0


def sections() -> list[tuple[str, list[tuple[str, ...]]]]:
    """Title and rows of each section, in the order printed."""
    # Imported here: `python -m bench list --help` needs neither torch nor the data sets.
    from bench.architectures import ARCHITECTURES, RECONSTRUCTIONS, names
    from bench.data import DATASETS

    entries = [ARCHITECTURES[name] for name in names()]
    return [
        ("Architectures", [(each.name, each.kind, ", ".join(each.reconstructions), each.summary) for each in entries]),
        ("Reconstructions", list(RECONSTRUCTIONS.items())),
        ("Data sets", [(name, dataset.summary) for name, dataset in DATASETS.items()]),
        ("Scales", [(name, f"config/{name}.yaml") for name in SCALES]),
    ]


def section(title: str, rows: list[tuple[str, ...]]) -> str:
    """The title and the rows under it, each column but the last padded to its widest entry."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = ["  " + "".join(f"{cell:{width}}  " for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
    return "\n".join([title, *(line.rstrip() for line in lines or ["  none"])])
