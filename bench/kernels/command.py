"""`python -m bench kernels`: the fused passes over activations against plain torch's, on a GPU."""

import argparse
from pathlib import Path

SCHEMA = 1
SHAPES = ((128, 32, 32, 32), (128, 128, 16, 16), (128, 512, 8, 8), (512, 64, 32, 32))


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--rounds", type=int, default=20, help="times of each pass, fused and plain (default: 20)")


def run(arguments: argparse.Namespace) -> int:
    """Compare all passes, write the record, and print a line for each."""
    # Here, so that `--help` need not wait for torch.
    import torch

    from bench import provenance
    from bench.errors import InputError
    from bench.kernels.measure import milliseconds, rows
    from bench.records import write_record
    from bench.reversible.fused import description, fused
    from bench.training.lease import gpu_lease

    with gpu_lease("cuda"):
        if not torch.cuda.is_available():
            raise InputError("Fused passes run on a CUDA GPU and torch finds none; run this on a machine with one.")
        device = torch.device("cuda")
        if fused(torch.zeros(1, 1, 1, 1, device=device)) is None:
            used = description(device)
            raise InputError(f"There is nothing to compare: the passes are {used}; make Triton work on this machine.")
        found = [row for shape in SHAPES for row in rows(shape, device, arguments.rounds, milliseconds)]
        record = {
            "kind": "kernels",
            "schema": SCHEMA,
            "settings": {"rounds": arguments.rounds, "kernels": description(device)},
            "rows": found,
            **provenance.origin(device),
        }
    write_record(arguments.output, record)
    for row in found:
        print(
            f"{row['pass']}, {'x'.join(map(str, row['shape']))} {row['memory_format']}: {row['fused_ms']:.3f} ms fused"
            f" ({row['fused_gb_per_s']:.0f} GB/s), {row['plain_ms']:.3f} plain, difference {row['difference']:.0e}"
        )
    return 0
