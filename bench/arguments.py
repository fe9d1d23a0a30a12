"""What a step is given, looked at before anything is computed: paths, names and numbers that steps have in common.

Measuring takes minutes: what cannot be read, written or found is told at once, and nothing is half done.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bench.errors import InputError

# Steps whose --output is one file; that of the others is a folder.
ONE_FILE = ("memory", "steps", "timeline", "peers", "kernels", "paper-shapes", "numerics", "report")
LEAST = {"seed": 0, "seeds": 0, "threads": 0}  # of whole numbers; of all others 1
MAX_SEED = 2**32 - 1


def check_words(words: Sequence[str], arguments: argparse.Namespace) -> None:
    """Refuse what `arguments` do not show any more: values that are empty, and a file named as a folder is.

    Nothing at all would be the working folder, as where a variable of the shell is not set.
    """
    for before, word in pairwise(words):
        option, equals, value = word.partition("=")
        if not (option.startswith("--") and equals):
            option, value = before, word
        if not value:
            raise InputError(f"{option} is given nothing; give it a value, or leave it out.")
        if option == "--output" and arguments.step in ONE_FILE and value.endswith(os.sep):
            raise InputError(f"--output {value} is a folder; give the file that is to be written.")


def check(arguments: argparse.Namespace) -> None:
    """Refuse, with an `InputError`, what no step could work with; what is left to say is each step's own."""
    given = vars(arguments)
    for name in ("results", "tables"):
        if given.get(name) and not given[name].is_dir():
            raise InputError(
                f"There is no {name} folder {given[name]}; give one that a workflow run has made,"
                " or run the workflow first."
            )
    for name, number in _numbers(arguments):
        least = LEAST.get(name, 1)
        if not math.isfinite(number) or number < least:
            raise InputError(f"--{name.replace('_', '-')} is {number}; it must be {least} or more.")
        if name in ("seed", "seeds") and number > MAX_SEED:
            raise InputError(f"--{name} is {number}; it must be {MAX_SEED} or less.")
    if given.get("batch_sizes") and len(set(given["batch_sizes"])) == 1:
        raise InputError(f"--batch-sizes are both {given['batch_sizes'][0]}; a slope needs two that differ.")
    if given.get("output"):
        check_output(given["output"], one_file=given["step"] in ONE_FILE)


def check_names(arguments: argparse.Namespace) -> None:
    """Refuse an architecture or a device that the configuration does not have."""
    given = vars(arguments)
    if given.get("config") is None or not {"architecture", "device"} & set(given):
        return
    # Here: these import torch.
    from bench.configuration import read
    from bench.training.device import device_entry
    from bench.training.network import architecture_entry

    config = read(given["config"])
    if given.get("architecture") is not None:
        architecture_entry(config, given["architecture"])
    if "device" in given:
        device_entry(config, given["device"])


def check_output(output: Path, one_file: bool) -> None:
    """Refuse an output that is there and is of the wrong sort, or whose folder cannot be made or written to."""
    if one_file and output.is_dir():
        raise InputError(f"--output {output} is a folder; give the file that is to be written, in it or elsewhere.")
    if one_file and output.exists() and not output.is_file():
        raise InputError(f"--output {output} is a device or the like, and would be replaced; give a file.")
    if not one_file and output.exists() and not output.is_dir():
        raise InputError(f"--output {output} is a file; give the folder that the results go to.")
    place = output.parent if one_file else output
    place = next(each for each in (place, *place.parents) if each.exists())
    if not place.is_dir():
        raise InputError(f"--output {output} cannot be made, since {place} is a file; give another place.")
    try:
        tempfile.TemporaryFile(dir=place).close()  # permissions do not say all: in /proc nobody makes a file
    except OSError as error:
        fault = "may not be written to" if isinstance(error, PermissionError) else f"takes no files ({error.strerror})"
        raise InputError(f"--output {output} cannot be made, since {place} {fault}; give another place.") from error


def _numbers(arguments: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Every number given, with the name of its option."""
    for name, value in vars(arguments).items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not isinstance(number, bool):
                yield name, number
