"""A Python process of its own, for what ends a process."""

import os
import subprocess
import sys


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """A process that ran `script`, which is to end by itself within a minute."""
    environment = {**os.environ, "PYTHONPATH": "."}
    command = [sys.executable, "-u", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
