"""Every command of README and docs is run, in a copy of the tree in which the smoke workflow has run.

It is run as it stands, but for what would take minutes, hours or a GPU: there, by the rules of documented.py, the scale
is the smallest one and batches are tiny, RECORD is some record, and a step that is only named is asked for its help.
Without SCALE the environment says smoke. For targets of make, what make says that it would do is run; commands that
differ in their cores alone are run once. The tutorial's steps are run by test_extending.py; the workflow on the
tutorial's configuration is run here by make itself, with one network of its three. What cannot be run is in NOT_RUN.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml

from bench.__main__ import main
from tests.documented import PAGES, STEP, commands, small
from tests.smoke import ROOT
from tests.test_extending import blocks

COMMANDS = list(dict.fromkeys(command for page in PAGES for command in commands(page)))
TUTORIAL = blocks("sh")[0].splitlines()
# Command -> why it is not run.
NOT_RUN = {
    "make test": "this is part of it",
    "make test-slurm": "needs root, slurm-wlm and munge",
    "snakemake --workflow-profile profiles/slurm --config scale=paper": "needs a cluster with GPUs",
    "python -m pip install --no-deps --requirement envs/peers.txt": "installs from a network",
    "python -m bench kernels --output results/reference/kernels.json": "needs a GPU",
    "PYTHONPATH=. python tests/reversible/test_exact_chain.py": "takes a minute; its function is run by its own test",
}
RUN = [command for command in COMMANDS if command not in NOT_RUN and command not in TUTORIAL]
STEPS = list(dict.fromkeys(small(command) for command in RUN if command.startswith(STEP)))
INSTALL = "python -m pip install ."
WORKFLOWS = [command for command in RUN if not command.startswith(STEP) and command != INSTALL]


def test_what_is_not_run_is_in_the_docs_and_is_little() -> None:
    assert set(NOT_RUN) | set(TUTORIAL) <= set(COMMANDS)
    assert len(RUN) > 5 * len(NOT_RUN)


@pytest.fixture(scope="module")
def shell(tree: Path) -> Callable[[str], str]:
    """Runs a command in the tree, as in an activated .venv, and returns what it prints; the test fails when it does."""
    (tree / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    for name, words in {"python": "", "snakemake": "-m snakemake "}.items():
        program = tree / ".venv" / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}"$@"\n')
        program.chmod(0o755)
    for stamp in ("ready", "checks"):  # so that make takes the packages for installed
        (tree / ".venv" / stamp).touch()
    (tree / "ideas.py").write_text(blocks("python")[0])
    mine = yaml.safe_load(blocks("yaml")[0])
    mine["architectures"] = {"constant-width": {"reconstructions": ["noisy"], "depths": [1, 2]}}
    (tree / "mine.yaml").write_text(yaml.safe_dump(mine))
    # Nothing of a make that runs this test; no Python that an environment could be made with.
    kept = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "ARGS", "CORES")
    }
    path = f"{tree / '.venv' / 'bin'}:{os.environ['PATH']}"
    environment = {**kept, "SCALE": "smoke", "PYTHON": "false", "PATH": path}

    @cache
    def run(command: str) -> str:
        done = subprocess.run(["bash", "-c", command], cwd=tree, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize("command", WORKFLOWS)
def test_the_workflow_is_run(tree: Path, shell: Callable[[str], str], command: str) -> None:
    scale = "mine" if "mine.yaml" in command else "smoke"
    command = small(command)
    if command.startswith("make") and scale == "smoke":
        command = shell(f"{command} -n").strip().replace(".venv/bin/python -m ", "")
        assert command.startswith("snakemake --cores")
    # What is the same but for the cores is run once.
    assert f"scale:  {scale}" in shell(re.sub(r"--cores \d", "--cores 2", command))
    assert (tree / "paper_tables" / scale / "table1.csv").exists()


def test_the_engine_is_installed(tree: Path, shell: Callable[[str], str]) -> None:
    shell(small(INSTALL))
    assert INSTALL in RUN
    assert [path.name for path in (tree / "elsewhere" / "bench").iterdir()] == ["reversible"]


@pytest.fixture
def same_process() -> Iterator[None]:
    """What a step sets for its process is put back, as the tests share one."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("command", STEPS)
@pytest.mark.usefixtures("same_process")
def test_a_step_is_run(tree: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tree)
    words = shlex.split(command.removeprefix(STEP))
    if words[-1] == "--help":
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 0
    else:
        assert main(words) == 0


@pytest.mark.parametrize("command", [command for command in NOT_RUN if command.startswith("make")])
def test_a_target_that_is_not_run_exists(shell: Callable[[str], str], command: str) -> None:
    assert ".venv/bin/python" in shell(f"{command} -n")


@pytest.mark.parametrize("command", [command for command in NOT_RUN if command.startswith("snakemake")])
def test_snakemake_knows_the_options(command: str) -> None:
    from snakemake.cli import get_argument_parser

    parsed = get_argument_parser().parse_args(shlex.split(command)[1:])
    assert not parsed.targets and (ROOT / parsed.workflow_profile / "config.yaml").is_file()


def test_every_file_that_is_named_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"(?<![\w./])((?:bench|config|docs|envs|profiles|tests)/[\w./-]*\w)", page.read_text()):
            assert (ROOT / name).exists() or "<" in name, (page.name, name)


def test_the_engines_example_is_run() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(example, names)
    names["network"](torch.zeros(2, 3, 8, 8)).sum().backward()
