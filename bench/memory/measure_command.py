"""`python -m bench measure`: all measurements of an architecture in one process, a record each.

Importing torch takes longer than measuring a small network, so the workflow does not start a process for each record.
A measurement that fails does not cost the others: each record is kept in a folder of its own, `measured`, until all of
the architecture are there; the next start makes those that are missing.
"""

import argparse
import gc
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import told
from bench.training.leased import on_leased_gpu


class Measurement(NamedTuple):
    """One record: its place in the scale's results, its key, and what writes it to a file."""

    place: Path
    key: str
    write: Callable[[Path], Any]


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder of the scale's records, results/<scale>"
    )
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")


@on_leased_gpu  # one for all records, since CUDA reads once a process which GPUs there are
def run(arguments: argparse.Namespace) -> int:
    """Write the memory record of each reconstruction and the record of step times, as `memory` and `steps` do."""
    # Here, so that `--help` need not wait for torch.
    import torch

    from bench.records import key_of

    wanted, kept, failed = measurements(arguments), arguments.output / "measured", []
    for each in wanted:
        if key_of(kept / each.place) == each.key:
            print(f"{each.place}: kept from an earlier start")
            continue
        try:
            each.write(kept / each.place)
        except Exception as error:
            print(told(error) or traceback.format_exc(), file=sys.stderr)
            failed.append(str(each.place))
        # What one measurement leaves behind must not be counted in the next.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    if failed:
        rest = f"the other {len(wanted) - len(failed)} are kept in {kept}, and the next start will not repeat them"
        print(
            f"error: {len(failed)} of {len(wanted)} measurements failed ({', '.join(failed)}); {rest}.", file=sys.stderr
        )
        return 1
    for each in wanted:
        (arguments.output / each.place).parent.mkdir(parents=True, exist_ok=True)
        (kept / each.place).replace(arguments.output / each.place)
    return 0


def measurements(arguments: argparse.Namespace) -> list[Measurement]:
    """All of the architecture. Step times last: timed steps change how the process keeps freed memory."""
    from bench import configuration, plan
    from bench.memory import command, steps_command
    from bench.training.network import architecture_entry

    config, name = configuration.load(arguments.config), arguments.architecture

    def memory(reconstruction: str) -> Callable[[Path], Any]:
        changes = {"reconstruction": reconstruction, "batch_size": None}
        return lambda output: command.run(_with(arguments, **changes, output=output))

    found = [
        Measurement(Path("memory", f"{name}-{each}.json"), plan.memory_key(config, name, each), memory(each))
        for each in architecture_entry(config, name)["reconstructions"]
    ]
    steps = Measurement(
        Path("steps", f"{name}.json"),
        plan.steps_key(config, name),
        lambda output: steps_command.run(_with(arguments, output=output)),
    )
    return [*found, steps]


def _with(arguments: argparse.Namespace, **changes: object) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(arguments), **changes})
