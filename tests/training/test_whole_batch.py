"""The whole training set as one batch, through the real command under its cap."""

import subprocess
import sys
from pathlib import Path

from bench.configuration import load
from bench.records import read_record
from bench.training.whole_batch import DEVICE, one_step

ROOT = Path(__file__).parents[2]


def test_the_one_batch_of_the_one_epoch_has_all_images():
    config = one_step(load(ROOT / "config" / "smoke.yaml"), None, 500)
    assert config["data"]["train_images"] is None
    assert config["training"]["batch_size"] == 1437  # all that the digits have, not smoke's part of them
    assert config["training"]["epochs"] == 1
    assert [device["name"] for device in config["devices"]] == [DEVICE]
    assert config["devices"][0]["memory_cap_mb"] == 500


def test_the_command_makes_one_step_and_a_record(tmp_path):
    words = ["whole-batch", "--config", "config/smoke.yaml", "--images", "64", "--output", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "64 images in one batch" in done.stdout
    record = read_record(tmp_path / "record.json")
    assert record["data"]["sizes"][0] == 64
    assert len(record["history"]) == 1
    assert record["peak_memory"]["process_resident_bytes"] > 0
