"""`python -m bench steps`: the time of a training step in each reconstruction, relative to stored activations."""

import argparse
import dataclasses
import statistics
from collections.abc import Iterable
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
    """Time all reconstructions of the architecture, beside a reference where it needs one, and write the record."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.memory import record
    from bench.memory.steps import time_steps
    from bench.memory.table_peak import ended
    from bench.plan import steps_key
    from bench.records import write_record
    from bench.training.allocator import set_allocator
    from bench.training.device import device_entry, torch_device
    from bench.training.settings import set_determinism, set_kernels, set_precision, set_threads

    config, architecture = configuration.load(arguments.config), arguments.architecture
    device = torch_device(device_entry(config, arguments.device)["device"])
    allocator = set_allocator(device, capped=False)
    threads = set_threads(config.get("threads", 0))
    set_precision(config["training"]["precision"])
    set_determinism(device, seed=0, capped=False)
    models, shape = networks(config, architecture)
    settings = record.shape_settings(config, architecture, shape)
    batch_size, rounds = config["steps"]["batch_size"], config["steps"]["repeats"]
    settings |= {"batch_size": batch_size, "repeats": rounds, "device_type": device.type, "threads": threads}
    settings |= deterministic(device, models)
    shapes = (batch_size, settings["image_size"], rounds, settings["in_channels"], settings["classes"])

    def prepare(name: str) -> None:  # each network as it is trained
        set_kernels(device, capped=False, exact=name == EXACT)

    told = {"precision": settings["precision"], "prepare": prepare}
    seconds, outcome = ended(lambda: time_steps(models, *shapes, device, **told), {})
    result = {
        "kind": "steps",
        "schema": record.SCHEMA,
        "settings": settings,
        **compared(seconds),
        "reference": reference(architecture),
        "outcome": outcome,
        "allocator": allocator,
        **record.origin(config, "steps", steps_key(config, architecture), device),
    }
    write_record(arguments.output, result)
    medians = (f"{name} {1000 * statistics.median(times):.0f} ms" for name, times in seconds.items())
    print(f"{architecture}, batch {batch_size}: {', '.join(medians) or outcome['reason']}")
    return 0


EXACT = "exact"  # the reconstruction that needs deterministic algorithms
RESNET18 = "resnet18"
REFERENCE = "reference"


def deterministic(device: Any, names: Iterable[str]) -> dict[str, list[str]]:
    """What a record says of cuDNN's algorithms: the networks timed with deterministic ones. A CPU has no others."""
    return {"deterministic": [name for name in names if name == EXACT]} if device.type == "cuda" else {}


def reference(architecture: str) -> str | None:
    """The network in ideal mode that one without such a twin is timed beside; for a baseline, ResNet-18."""
    from bench.architectures import ARCHITECTURES
    from bench.plan import ORIGINALS

    return RESNET18 if ARCHITECTURES[architecture].kind == "baseline" else ORIGINALS.get(architecture)


def networks(config: dict[str, Any], architecture: str) -> tuple[dict[str, Any], Any]:
    """({reconstruction: network}, shape), all of the same weights; the `reference` too where there is one."""
    import torch

    from bench.architectures import build
    from bench.training.network import architecture_entry, trained_network
    from bench.training.norms import set_norms
    from bench.training.recipe import recipe_from

    models, shape, recipe = {}, None, recipe_from(config["training"])
    for reconstruction in architecture_entry(config, architecture)["reconstructions"]:
        torch.manual_seed(0)
        models[reconstruction], shape = trained_network(config, architecture, reconstruction, recipe)
    if (beside := reference(architecture)) and shape is not None:
        torch.manual_seed(0)
        options = {} if beside == RESNET18 else config["architectures"][architecture].get("options") or {}
        told = {"classes": config["classes"], "in_channels": config["in_channels"], **options}
        models[REFERENCE] = build(beside, "ideal", **shape.arguments(), **told)
        set_norms(models[REFERENCE], recipe)
    return models, shape


def compared(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The record's times and paired ratios: to the same network's ideal mode, and to the reference if there is one."""
    from bench.memory.steps import paired_ratio

    def ratios(names: Iterable[str], stored: list[float]) -> dict[str, Any]:
        return {name: dataclasses.asdict(paired_ratio(seconds[name], stored)) for name in names}

    own = {name: times for name, times in seconds.items() if name != REFERENCE}
    others = [name for name in own if name != "ideal" and "ideal" in own]
    found: dict[str, Any] = {"seconds": own, "ratio_to_ideal": ratios(others, own.get("ideal", []))}
    if stored := seconds.get(REFERENCE):
        found |= {"reference_seconds": stored, "ratio_to_reference": ratios(own, stored)}
    return found
