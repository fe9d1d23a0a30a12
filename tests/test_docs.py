"""Every command of README and docs is one that exists, with options that it takes.

The tutorial's commands are run by test_extending.py; here commands are checked to parse, and targets to exist.
"""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from bench.__main__ import STEPS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WORDS = re.compile(r"```(?:sh)?\n(.*?)```|`((?:make|snakemake|python -m bench)\b[^`\n]*)`", re.DOTALL)


def commands(page: Path) -> list[str]:
    """Lines of shell blocks, and commands within sentences."""
    found = []
    for block, inline in WORDS.findall(page.read_text()):
        lines = block.splitlines() if block else [inline]
        found += [line for line in lines if re.match(r"(make|snakemake|python -m bench)\b", line)]
    return found


COMMANDS = [(page.name, command) for page in PAGES for command in commands(page)]


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith("python")])
def test_a_step_takes_its_options(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)[3:]
    if not words or words[0].startswith("-") or "..." in words or words == [words[0]]:
        assert not words or words[0].startswith("-") or words[0] in STEPS
        return
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(STEPS[words[0]][0]).configure(parser)
    parser.parse_args([word for word in words[1:] if word not in ("[", "]")])


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith("make")])
def test_a_target_exists(page: str, command: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    variables = re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in shlex.split(command, comments=True)[1:]:
        name, assigned, _ = word.partition("=")
        assert name in (variables if assigned else targets), word


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith("snakemake")])
def test_snakemake_knows_the_options(page: str, command: str) -> None:
    from snakemake.cli import get_argument_parser

    words = shlex.split(command, comments=True)[1:]
    parsed = get_argument_parser().parse_args(words)
    rules = re.findall(r"^rule (\w+):", (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert {str(target) for target in parsed.targets} <= set(rules)


def test_every_file_that_is_named_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"`((?:bench|config|docs|envs|profiles|tests)/[\w./-]+)`", page.read_text()):
            assert (ROOT / name).exists(), (page.name, name)
