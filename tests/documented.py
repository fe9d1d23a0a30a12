"""The commands of README and docs, as they stand there, and smaller ones of the same kind that take seconds."""

import re
import shlex
from pathlib import Path

from tests.smoke import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "results" / "README.md"]
COMMAND = re.compile(
    r"(?:\w+=\S+ )*(?:(?:make|snakemake)(?: |$)|(?:python3?|pip|conda|podman|docker|torchrun|sbatch) )"
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEP = "python -m bench"

# What would take minutes, hours or a GPU: what is done in its place.
SMALL = {
    r"config/(cpu|quick|paper-short)\.yaml": "config/smoke.yaml",
    r"results/reference/cpu/search-cifar10-jpeg/config\.yaml": "config/smoke.yaml",
    r"SCALE=(quick|cpu|floor-gpu|floor|noise|paper-short|paper)\b": "SCALE=smoke",
    r"results/(cpu|<scale>)/": "results/smoke/",
    r"\bRECORD\b": "results/smoke/runs/hybrid-noisy-machine-seed1",
    # From no network, and into no environment of the tests'.
    r"^(python -m pip install) \.$": r"\1 --quiet --no-deps --no-build-isolation --target elsewhere .",
    # Of the tutorial's workflow the tables and what they need.
    r"^make SCALE=mine.yaml": r"\g<0> ARGS=paper_tables/mine/table1.csv",
    r"^(snakemake --cores 1)( --config scale=mine.yaml)": r"\1 paper_tables/mine/table1.csv\2",
}
# Step -> options that are added to it.
SMALLER = {
    "search": "--validation-images 100",
    "epoch": "--images 64 --rounds 1",
    "control": "--seeds 1 --epochs 1 --batch-size 64",
    "resident": "--batch-sizes 4 8",
    "peers": "--channels 4 --blocks 1 --batch-size 2 --image-size 8 --rounds 1",
    "paper-shapes": "--batch-sizes 1 2",
    "whole-batch": "--images 64",
}


def commands(page: Path) -> list[str]:
    """Of blocks for a shell or without a language, of indented lines and within sentences; without their comments."""
    text = page.read_text()
    prose = FENCED.sub("", text)
    found = [line for language, block in FENCED.findall(text) if language in ("", "sh") for line in block.splitlines()]
    found += re.findall(r"^ {4}(\S.*)$", prose, re.MULTILINE)
    found += [" ".join(words.split()) for words in re.findall(r"`([^`]+)`", prose)]
    return [" ".join(shlex.split(line, comments=True)) for line in found if COMMAND.match(line)]


def small(command: str) -> str:
    """The command that is run in its place. A step that is only named, without its arguments, is asked for its help."""
    for long, short in SMALL.items():
        command = re.sub(long, short, command)
    if not command.startswith(STEP):
        return command
    step, *rest = command.removeprefix(STEP).split()
    if step.startswith("-") or step == "list":
        return command
    return f"{command} {SMALLER.get(step, '') if rest else '--help'}".strip()
