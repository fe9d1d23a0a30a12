"""The process's resident memory grows with the batch as the tracked bytes do."""

import re
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.memory import resident

CONFIG = str(Path(__file__).parents[2] / "config" / "quick.yaml")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings and resident peaks are those of Linux")
def test_the_slopes_agree_within_15_percent(capsys):
    words = ["resident", "--config", CONFIG, "--architecture", "revnet", "--reconstruction", "noisy"]
    assert main([*words, "--batch-sizes", "256", "512"]) == 0
    assert float(re.search(r"ratio ([\d.]+)", capsys.readouterr().out)[1]) == pytest.approx(1, abs=0.15)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings and resident peaks are those of Linux")
def test_the_step_is_in_the_number_format_of_training(tmp_path):
    smoke, mixed = Path(CONFIG).parent / "smoke.yaml", tmp_path / "smoke.yaml"
    mixed.write_text(smoke.read_text().replace("  epochs: 1\n", "  epochs: 1\n  precision: mixed\n", 1))
    sizes = [resident.measured(config, "resnet18", "ideal", 256) for config in (smoke, mixed)]
    assert sizes[1].tracked < 0.6 * sizes[0].tracked  # what is stored for convolutions has two bytes, not four


def test_a_slope_needs_two_batch_sizes(capsys):
    words = ["resident", "--config", CONFIG, "--architecture", "hybrid", "--batch-sizes", "3", "3"]
    assert main(words) == 2
    assert "--batch-sizes are both 3; a slope needs two that differ" in capsys.readouterr().err
