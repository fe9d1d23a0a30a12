"""`python -m bench paper-shapes`: bytes per pixel of networks of the paper's own shapes, beside the theory.

ResNet-18 has 11.2 M parameters and RevNet 11.0 M; the volume-preserving networks have the draft's 32 initial channels.
Two batches, large enough that slices are full and activations make the peak, give the slope; what a batch of 512 holds
is told along it, and marked as extrapolated.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

TABLE_BATCH, SIDE = 512, 32  # the draft's example: a batch of 512 images of 32x32
# name -> (reconstruction, arguments of `build`)
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": ("ideal", {"initial_channels": 64}),
    "revnet": ("noisy", {"initial_channels": 76}),
    "irevnet": ("noisy", {"initial_channels": 32, "depths": (1, 1, 1, 1)}),
    "layerwise": ("noisy", {"initial_channels": 32}),
    "hybrid": ("noisy", {"initial_channels": 32}),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--batch-sizes", type=int, nargs=2, default=[128, 256], help="of the slope (default: 128 256)")
    parser.add_argument("--architectures", nargs="+", default=list(SHAPES), choices=list(SHAPES), help="default: all")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")


def run(arguments: argparse.Namespace) -> int:
    """Measure each network and write the record of all."""
    from bench.training.lease import gpu_lease

    with gpu_lease(arguments.device):
        return measured(arguments)


def measured(arguments: argparse.Namespace) -> int:
    """`run`, while nobody else computes on the GPU."""
    # Here, so that `--help` need not wait for torch.
    import torch

    from bench import provenance
    from bench.memory.peak import bytes_per_pixel, measure_peak
    from bench.memory.record import SCHEMA
    from bench.memory.table_peak import extrapolated
    from bench.records import write_record
    from bench.training.device import torch_device

    device = torch_device(arguments.device)
    networks = {}
    for name in arguments.architectures:
        torch.manual_seed(0)
        model = network(name)
        peaks = [measure_peak(model, batch, SIDE, device=device) for batch in arguments.batch_sizes]
        networks[name] = {
            "theory": theory(name),
            "bytes_per_pixel": bytes_per_pixel(peaks),
            "extrapolated_peak_bytes": extrapolated(peaks, TABLE_BATCH),
            "peaks": [dataclasses.asdict(peak) for peak in peaks],
        }
        del model
        print(f"{name}: {networks[name]['bytes_per_pixel']:.0f} bytes per pixel")
    result = {
        "kind": "paper-shapes",
        "schema": SCHEMA,
        "networks": networks,
        **provenance.origin(device),
        "digest": {"code": provenance.code_digest("memory")},
    }
    write_record(arguments.output, result)
    return 0


def network(name: str) -> Any:
    """One of `SHAPES`."""
    from bench.architectures import build

    reconstruction, shape = SHAPES[name]
    return build(name, reconstruction, **shape)


def theory(name: str) -> dict[str, float]:
    """The cost model's numbers of one of `SHAPES`; nothing is computed, and no weight is made."""
    import torch

    from bench.memory.cost_model import pixel_cost

    with torch.device("meta"):
        model = network(name)
    cost = pixel_cost(model, image_size=SIDE)
    return {
        "parameters": cost.weights_bytes / 4,
        "bytes_per_pixel": cost.total,
        "batch_bytes": cost.batch_bytes(TABLE_BATCH, SIDE, SIDE),
        "step_bytes": cost.step_bytes(TABLE_BATCH, SIDE, SIDE),
        "weights_bytes": cost.weights_bytes,
    }
