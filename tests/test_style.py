"""The tree is as the linters and formatters of the project would have it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [("ruff", "check"), ("ruff", "format", "--check"), ("snakefmt", "--check", "Snakefile")],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_tree_passes(command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_engine_is_as_its_types_say() -> None:
    pytest.importorskip("mypy", reason="needs envs/check.txt, which `make test` installs")
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
