"""Which scale to run: the one that is asked for, else the largest that suits this machine.

With a CUDA GPU and CIFAR-10 (at hand, or to be downloaded) that is `paper`, with anything less `quick`. Nothing here
imports torch before a GPU is found, so that the answer comes at once.
"""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.configuration import FOLDER, SCALES, Configuration, load
from bench.errors import InputError
from bench.schema import nearest

# Where the data set module downloads CIFAR-10 from, and how long in seconds an answer is waited for.
CIFAR10_SERVER = ("www.cs.toronto.edu", 443)
PATIENCE_S = 5.0
NO_GPU = "no CUDA GPU"


@dataclass(frozen=True)
class Choice:
    """A scale, what was found on this machine that bears on it, and why it is this one (both are clauses)."""

    scale: str
    found: str
    reason: str
    file: Path | None = None  # a configuration elsewhere than in the project's folder
    gpu: bool = False  # whether this machine has a CUDA GPU

    @property
    def path(self) -> Path:
        """The scale's configuration, from the working directory where it lies below that."""
        path = self.file or FOLDER / f"{self.scale}.yaml"
        return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def choose(asked: str | None = None) -> Choice:
    """The scale that is `asked` for, else the environment variable SCALE's, else the one that suits the machine.

    A name that ends in .yaml is the path of a configuration of one's own.

    Raises:
        InputError: there is no such scale.
    """
    source = "it was asked for"
    if not asked:
        asked, source = os.environ.get("SCALE", ""), "the variable SCALE says so"
    gpu = gpu_name()
    if asked and asked.endswith(".yaml"):
        own = Path(asked).resolve().parent != FOLDER.resolve()
        if own and Path(asked).stem in SCALES:
            raise InputError(
                f"{asked} has the name of the project's own scale {Path(asked).stem!r} and would take the place of its "
                "results; give the file, and the scale in it, another name."
            )
        return Choice(Path(asked).stem, gpu or NO_GPU, source, Path(asked), gpu is not None)
    if asked:
        if asked not in SCALES:
            raise InputError(f"There is no scale {asked!r}; choose one of {', '.join(SCALES)}{nearest(asked, SCALES)}.")
        return Choice(asked, gpu or NO_GPU, source, gpu=gpu is not None)
    if gpu is None:
        return Choice("quick", NO_GPU, "it needs no GPU and no download")
    place = cifar10_place()
    if place is None:
        return Choice(
            "quick", f"{gpu}, but CIFAR-10 neither here nor to be downloaded", "it needs no download", gpu=True
        )
    return Choice("paper", f"{gpu}, and CIFAR-10 {place}", "both are what the reproduction needs", gpu=True)


def configuration_of(choice: Choice) -> Configuration:
    """The configuration of the chosen scale.

    Raises:
        InputError: it is faulty, or has another name than its file, so that it would write to another scale's folders.
    """
    configuration = load(choice.path)
    if configuration["scale"] != choice.scale:
        raise InputError(
            f"{choice.path} says that its scale is {configuration['scale']!r}, but its file is called {choice.scale!r};"
            " let both have one name."
        )
    return configuration


def gpu_name() -> str | None:
    """The name of the first CUDA GPU that this process may use, or None."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not shutil.which("nvidia-smi"):
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(answer.stdout.splitlines()), None)


def cifar10_place() -> str | None:
    """Where CIFAR-10 would come from, in words, or None if from nowhere."""
    from bench.data.cifar10 import BINARY_FOLDER, PYTHON_FOLDER
    from bench.data.places import DATA_FOLDER

    for folder in (DATA_FOLDER / BINARY_FOLDER, DATA_FOLDER / PYTHON_FOLDER):
        if folder.is_dir():
            return f"in {folder}"
    try:
        socket.create_connection(CIFAR10_SERVER, timeout=PATIENCE_S).close()
    except OSError:
        return None
    return f"to be downloaded from {CIFAR10_SERVER[0]}"
