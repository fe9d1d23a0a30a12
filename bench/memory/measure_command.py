"""`python -m bench measure`: all measurements of an architecture in one process, a record each.

Importing torch takes longer than measuring a small network, so the workflow does not start a process for each record.
"""

import argparse
import gc
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder of the scale's records, results/<scale>"
    )
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")


def run(arguments: argparse.Namespace) -> int:
    """Write the memory record of each reconstruction and the record of step times, as `memory` and `steps` do."""
    # Here, so that `--help` need not wait for torch.
    import torch

    from bench import configuration
    from bench.memory import command, steps_command
    from bench.training.network import architecture_entry

    entry = architecture_entry(configuration.load(arguments.config), arguments.architecture)
    for reconstruction in entry["reconstructions"]:
        record = arguments.output / "memory" / f"{arguments.architecture}-{reconstruction}.json"
        command.run(_with(arguments, reconstruction=reconstruction, batch_size=None, output=record))
        # What one measurement leaves behind must not be counted in the next.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    # Last: timed steps change how the process keeps freed memory.
    return steps_command.run(_with(arguments, output=arguments.output / "steps" / f"{arguments.architecture}.json"))


def _with(arguments: argparse.Namespace, **changes: object) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(arguments), **changes})
