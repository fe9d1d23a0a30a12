"""`python -m bench train`: train one network and write its record."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument("--reconstruction", default="ideal", help="ideal, noisy or exact (default: ideal)")
    parser.add_argument("--seed", type=int, required=True, help="of initial weights, order and augmentation")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for record.json and checkpoint"
    )
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")
    parser.add_argument("--resume", action="store_true", help="continue from the folder's checkpoint, if it has one")


def run(arguments: argparse.Namespace) -> int:
    """Run it. A network that diverges, runs out of memory or misses the target is a result: the exit code is 0."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.training.device import device_entry
    from bench.training.lease import gpu_lease
    from bench.training.leased import shared_lease
    from bench.training.processes import join_processes, leave_processes, started_by_torchrun

    config = configuration.load(arguments.config)
    entry = device_entry(config, arguments.device)
    if entry["processes"] > 1 and not started_by_torchrun():
        start_again(entry["processes"])
    processes = join_processes()
    try:
        with shared_lease(entry["device"]) if processes.several else gpu_lease(entry["device"]) as lease:
            train(config, arguments, processes, lease)
    finally:
        leave_processes(processes)
    return 0


def train(config: dict[str, Any], arguments: argparse.Namespace, processes: Any, lease: Any) -> None:
    """Train, now that it is known on what."""
    from bench.training.run import TrainingRun

    TrainingRun(
        config,
        arguments.architecture,
        arguments.reconstruction,
        arguments.seed,
        arguments.output,
        arguments.device,
        processes,
        lease,
    ).execute(arguments.resume)


def start_again(processes: int) -> None:
    """Become torchrun, which starts this command in that many processes."""
    words = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "bench"]
    os.execv(sys.executable, [sys.executable, *words, *sys.argv[1:]])
