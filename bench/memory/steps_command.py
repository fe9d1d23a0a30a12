"""`python -m bench steps`: the time of a training step in each reconstruction, relative to stored activations."""

import argparse
import dataclasses
import statistics
from pathlib import Path
from typing import Any

from bench.training.leased import on_leased_gpu


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")


@on_leased_gpu
def run(arguments: argparse.Namespace) -> int:
    """Time all reconstructions of the architecture (a baseline beside ResNet-18) and write the record."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.memory import record
    from bench.memory.steps import time_steps
    from bench.memory.table_peak import ended
    from bench.plan import steps_key
    from bench.records import write_record
    from bench.training.allocator import set_allocator
    from bench.training.device import device_entry, torch_device
    from bench.training.settings import set_determinism, set_precision, set_threads

    config, architecture = configuration.load(arguments.config), arguments.architecture
    device = torch_device(device_entry(config, arguments.device)["device"])
    allocator = set_allocator(device, capped=False)
    threads = set_threads(config.get("threads", 0))
    set_precision(config["training"]["precision"])
    exact = "exact" in config["architectures"].get(architecture, {}).get("reconstructions", [])
    set_determinism(device, seed=0, capped=False, exact=exact)
    models, shape = networks(config, architecture)
    settings = record.shape_settings(config, architecture, shape)
    batch_size, rounds = config["steps"]["batch_size"], config["steps"]["repeats"]
    settings |= {"batch_size": batch_size, "repeats": rounds, "device_type": device.type, "threads": threads}
    shapes = (batch_size, settings["image_size"], rounds, settings["in_channels"], settings["classes"])
    seconds, outcome = ended(lambda: time_steps(models, *shapes, device, precision=settings["precision"]), {})
    result = {
        "kind": "steps",
        "schema": record.SCHEMA,
        "settings": settings,
        **compared(seconds),
        "outcome": outcome,
        "allocator": allocator,
        **record.origin(config, "steps", steps_key(config, architecture), device),
    }
    write_record(arguments.output, result)
    medians = (f"{name} {1000 * statistics.median(times):.0f} ms" for name, times in seconds.items())
    print(f"{architecture}, batch {batch_size}: {', '.join(medians) or outcome['reason']}")
    return 0


RESNET18 = "resnet18"


def networks(config: dict[str, Any], architecture: str) -> tuple[dict[str, Any], Any]:
    """({reconstruction: network}, shape), all of the same weights; for a baseline also the ResNet-18 that it is."""
    import torch

    from bench.architectures import ARCHITECTURES, build
    from bench.training.network import architecture_entry, trained_network
    from bench.training.norms import set_norms
    from bench.training.recipe import recipe_from

    models, shape, recipe = {}, None, recipe_from(config["training"])
    for reconstruction in architecture_entry(config, architecture)["reconstructions"]:
        torch.manual_seed(0)
        models[reconstruction], shape = trained_network(config, architecture, reconstruction, recipe)
    if ARCHITECTURES[architecture].kind == "baseline":
        torch.manual_seed(0)
        told = {"classes": config["classes"], "in_channels": config["in_channels"]}
        models[RESNET18] = build(RESNET18, **shape.arguments(), **told)
        set_norms(models[RESNET18], recipe)
    return models, shape


def compared(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The record's times and paired ratios: to the same network's ideal mode, and of a baseline to ResNet-18."""
    from bench.memory.steps import paired_ratio

    own = {name: times for name, times in seconds.items() if name != RESNET18}
    others = {name: times for name, times in own.items() if name != "ideal" and "ideal" in own}
    ratios = {name: dataclasses.asdict(paired_ratio(times, own["ideal"])) for name, times in others.items()}
    found: dict[str, Any] = {"seconds": own, "ratio_to_ideal": ratios}
    if RESNET18 in seconds:
        found["resnet18_seconds"] = seconds[RESNET18]
        found["ratio_to_resnet18"] = dataclasses.asdict(paired_ratio(own["ideal"], seconds[RESNET18]))
    return found
