"""`python -m bench whole-batch`: one step with the whole training set as one batch, under a memory cap.

Section 1: what a pixel spares, the batch may have; a small data set fits as a whole, and the step is along the true
gradient. It is the step of any training run: the same data path, network, recipe and record.
"""

import argparse
from pathlib import Path
from typing import Any

DEVICE = "whole-batch"
CAP_MB = 16_000


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/cpu.yaml")
    parser.add_argument("--architecture", default="hybrid", help="one of the configuration's (default: hybrid)")
    parser.add_argument("--reconstruction", default="noisy", help="ideal, noisy or exact (default: noisy)")
    parser.add_argument("--images", type=int, help="training images (default: all that the data set has)")
    parser.add_argument("--cap-mb", type=float, default=CAP_MB, help=f"memory cap in MB (default: {CAP_MB:,})")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for record.json")


def run(arguments: argparse.Namespace) -> int:
    """Run it. A step that does not fit under the cap is a result: the record says out-of-memory."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.records import read_record
    from bench.training.lease import gpu_lease
    from bench.training.run import TrainingRun

    config = one_step(configuration.load(arguments.config), arguments.images, arguments.cap_mb)
    words = config, arguments.architecture, arguments.reconstruction, 1, arguments.output, DEVICE
    with gpu_lease(config["devices"][0]["device"]) as lease:
        record = read_record(TrainingRun(*words, lease=lease).execute())
    held = (record["peak_memory"]["process_resident_bytes"] or 0) / 1e9
    print(f"{record['data']['sizes'][0]:,} images in one batch: {record['outcome']['status']}, {held:.2f} GB resident")
    return 0


def one_step(config: dict[str, Any], images: int | None, cap_mb: float) -> dict[str, Any]:
    """`config` with all training images (or `images` of them) as the one batch of one epoch, at the full rate."""
    from bench import data
    from bench.training.device import device_entry

    dataset = {**config["data"], "train_images": images}
    loaded = data.load(dataset, config["in_channels"], config["classes"])
    training = {**config["training"], "batch_size": len(loaded.train), "epochs": 1, "warmup_fraction": 0.0}
    usual = device_entry(config, None)
    device = {**usual, "name": DEVICE, "memory_cap_mb": cap_mb, "batch_size": None, "epochs": None}
    return {**config, "data": dataset, "training": training, "devices": [device]}
