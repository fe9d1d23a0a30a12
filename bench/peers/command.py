"""`python -m bench peers`: the same chain of additive blocks by plain autograd, other libraries and this project."""

import argparse
import dataclasses
from pathlib import Path

SCHEMA = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--channels", type=int, default=64, help="channels of the chain (default: 64)")
    parser.add_argument("--blocks", type=int, default=8, help="its blocks (default: 8)")
    parser.add_argument("--batch-size", type=int, default=128, help="images of a step (default: 128)")
    parser.add_argument("--image-size", type=int, default=32, help="their height and width (default: 32)")
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of each method (default: 9)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, 0 for all (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto (default: cpu)")


def run(arguments: argparse.Namespace) -> int:
    """Measure all methods, write the record, and the table beside it (peers.json: peers.md), which is printed too."""
    # Here, so that `--help` need not wait for torch.
    from bench import provenance
    from bench.errors import InputError
    from bench.peers.comparison import compare, rounding
    from bench.peers.measure import Shape
    from bench.peers.table import markdown
    from bench.records import write_record, write_text
    from bench.training.allocator import set_allocator
    from bench.training.device import torch_device
    from bench.training.lease import gpu_lease
    from bench.training.memory_format import memory_format
    from bench.training.settings import set_precision, set_threads

    beside = arguments.output.with_suffix(".md")
    if beside == arguments.output:
        raise InputError(f"--output {beside} is where the table goes; give the record another suffix, such as .json.")
    shape = Shape(arguments.channels, arguments.blocks, arguments.batch_size, arguments.image_size)
    # Half the batch is measured too, and batch norm in training refuses a single value a channel.
    least = shape.batch_size // 2 * shape.image_size**2
    if min(dataclasses.astuple(shape)) < 1 or shape.channels % 2 or least < 2:
        raise InputError(
            "The chain needs an even number of channels, a block or more, and two pixels or more in half the batch, not"
            f" {shape.channels} channels, {shape.blocks} blocks and {shape.batch_size} images of height and width"
            f" {shape.image_size}."
        )
    with gpu_lease(arguments.device):
        device = torch_device(arguments.device)
        # Before anything is allocated: what glibc does by default flatters all that stores little.
        allocator = set_allocator(device, capped=False)
        order = str(memory_format(device)).removeprefix("torch.")
        set_precision("float32")
        settings = {"rounds": arguments.rounds, "threads": set_threads(arguments.threads), "memory_format": order}
        record = {
            "kind": "peers",
            "schema": SCHEMA,
            "settings": {**dataclasses.asdict(shape), **settings},
            "rounding": rounding(shape, device),
            "rows": compare(shape, arguments.rounds, device),
            "allocator": allocator,
            **provenance.origin(device),
        }
    write_record(arguments.output, record)
    table = markdown(record)
    write_text(beside, table)
    print(table)
    return 0
