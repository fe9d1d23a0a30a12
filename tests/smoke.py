"""Running Snakemake in the smoke scale."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def snakemake(folder: Path, *options: str) -> str:
    """What Snakemake prints when run there in the smoke scale; the test fails when it does."""
    # Its times mean nothing, so that steps need not be timed alone.
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options, "--resources", "gpu=2", "timing=2"]
    environment = {**os.environ, "SCALE": "smoke"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
