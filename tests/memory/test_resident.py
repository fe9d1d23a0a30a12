"""The process's resident memory grows with the batch as the tracked bytes do."""

import re
import sys
from pathlib import Path

import pytest

from bench.__main__ import main

CONFIG = str(Path(__file__).parents[2] / "config" / "quick.yaml")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings and resident peaks are those of Linux")
def test_the_slopes_agree_within_15_percent(capsys):
    words = ["resident", "--config", CONFIG, "--architecture", "revnet", "--reconstruction", "noisy"]
    assert main([*words, "--batch-sizes", "256", "512"]) == 0
    assert float(re.search(r"ratio ([\d.]+)", capsys.readouterr().out)[1]) == pytest.approx(1, abs=0.15)


def test_a_slope_needs_two_batch_sizes(capsys):
    words = ["resident", "--config", CONFIG, "--architecture", "hybrid", "--batch-sizes", "3", "3"]
    assert main(words) == 2
    assert "--batch-sizes are both 3; a slope needs two that differ" in capsys.readouterr().err
