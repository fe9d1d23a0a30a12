"""`python -m bench numerics`: how much noise reversible backpropagation makes, and what it does to accuracy."""

import argparse
from pathlib import Path

from bench.errors import InputError
from bench.training.leased import on_leased_gpu


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument(
        "--experiment",
        required=True,
        help="layers: single layers, theory against measurement; sweeps: trainings against depth, slope and repairs",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")


@on_leased_gpu
def run(arguments: argparse.Namespace) -> int:
    """Run one experiment and write its record."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.memory.record import SCHEMA, origin
    from bench.numerics.experiments import EXPERIMENTS
    from bench.plan import numerics_key
    from bench.records import write_record
    from bench.training.allocator import set_allocator
    from bench.training.device import device_entry, torch_device
    from bench.training.settings import set_precision, set_threads

    config, experiment = configuration.load(arguments.config), arguments.experiment
    if experiment not in EXPERIMENTS:
        raise InputError(f"There is no experiment {experiment!r}; choose one of {', '.join(EXPERIMENTS)}.")
    if config["numerics"] is None:
        raise InputError(f"{arguments.config} has no section numerics; add one, such as that of config/quick.yaml.")
    device = torch_device(device_entry(config, arguments.device)["device"])
    allocator = set_allocator(device, capped=False)
    threads = set_threads(config["threads"])
    set_precision("float32")  # never TF32, unless a repair asks for it
    found = EXPERIMENTS[experiment](config, device, arguments.output)
    record = {
        "kind": "numerics",
        "schema": SCHEMA,
        "settings": {
            "scale": config["scale"],
            "experiment": experiment,
            "device_type": device.type,
            "threads": threads,
            "classes": config["classes"],
            "in_channels": config["in_channels"],
            **config["numerics"],
        },
        **found,
        "allocator": allocator,
        **origin(config, "numerics", numerics_key(config, experiment), device),
    }
    write_record(arguments.output, record)
    return 0
