"""`python -m bench timeline`: live bytes over one training step, layer by layer, of every network of a scale."""

import argparse
import gc
from pathlib import Path
from typing import Any

from bench.training.leased import on_leased_gpu


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")


@on_leased_gpu
def run(arguments: argparse.Namespace) -> int:
    """Watch one step of each network and write the record of all."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.memory import record
    from bench.plan import timeline_key, timeline_targets
    from bench.records import write_record
    from bench.training.device import device_entry, torch_device
    from bench.training.settings import set_determinism, set_precision, set_threads

    config = configuration.load(arguments.config)
    device = torch_device(device_entry(config, arguments.device)["device"])
    set_threads(config.get("threads", 0))
    set_precision(config["training"]["precision"])
    timelines = []
    for name, reconstruction in timeline_targets(config):
        set_determinism(device, seed=0, capped=False, exact=reconstruction == "exact")
        timelines.append(network_timeline(config, name, reconstruction, device))
        gc.collect()  # what one step leaves behind is no part of the next
    set_determinism(device, seed=0, capped=False)
    timelines.append(block_timeline(config, device))
    result = {
        "kind": "timeline",
        "schema": record.SCHEMA,
        "settings": {"scale": config["scale"], "device_type": device.type},
        "timelines": timelines,
        **record.origin(config, "memory", timeline_key(config), device),
    }
    write_record(arguments.output, result)
    print(f"{len(timelines)} timelines: {', '.join(each['name'] for each in timelines)}")
    return 0


def network_timeline(config: dict[str, Any], architecture: str, reconstruction: str, device: Any) -> dict[str, Any]:
    """The timeline of one of the configuration's networks."""
    from bench.memory import record
    from bench.training.network import trained_network
    from bench.training.recipe import recipe_from

    model, shape = trained_network(config, architecture, reconstruction, recipe_from(config["training"]))
    settings = {**record.shape_settings(config, architecture, shape), "reconstruction": reconstruction}
    return {"name": f"{architecture}-{reconstruction}", **watched(model, settings, config, device)}


def block_timeline(config: dict[str, Any], device: Any) -> dict[str, Any]:
    """The timeline of a single reversible block (figure 2), as wide as the first of the configuration's RevNet.

    Its images have as many channels as the block, so that there is no stem.
    """
    from torch import nn

    from bench.architectures.revnet import residual_block
    from bench.reversible import GlobalPooling, ReversibleSequential

    entry = config["architectures"].get("revnet", {})
    channels = entry.get("initial_channels") or BLOCK_CHANNELS
    layers = residual_block(channels), GlobalPooling("mean"), nn.Linear(channels, config["classes"])
    settings = {"architecture": "reversible block", "reconstruction": "noisy", "in_channels": channels}
    settings |= {"image_size": config["data"]["image_size"], "classes": config["classes"]}
    return {"name": BLOCK, **watched(ReversibleSequential(*layers), settings, config, device)}


BLOCK, BLOCK_CHANNELS = "reversible-block", 16


def watched(model: Any, settings: dict[str, Any], config: dict[str, Any], device: Any) -> dict[str, Any]:
    """Settings, theory and the stretches of one training step of `model`."""
    import dataclasses

    from bench.memory.cost_model import pixel_cost
    from bench.memory.timeline import SHOWN, timeline
    from bench.memory.training_step import make_optimizer, random_batch, training_step
    from bench.training.memory_format import place

    batch_size = config["memory"]["batch_sizes"][0]
    size, channels = settings["image_size"], settings["in_channels"]
    precision = config["training"]["precision"]
    cost = pixel_cost(model, image_size=size, in_channels=channels, precision=precision)
    model = place(model, device, precision).train()
    optimizer = make_optimizer(model)
    images, labels = random_batch(batch_size, size, channels, settings["classes"], device, precision)
    training_step(model, optimizer, images, labels, precision)  # so that the optimizer has its state
    optimizer.zero_grad(set_to_none=True)
    stretches = timeline(model, optimizer, images, labels, precision)
    theory = {"state": cost.state, "hidden": cost.hidden, "gradient": cost.gradient, "image": cost.image}
    return {
        "settings": settings | {"batch_size": batch_size},
        "theory_bytes_per_pixel": theory,
        "categories": list(SHOWN),
        "modules": {name: type(module).__name__ for name, module in model.named_modules() if name},
        "stretches": [dataclasses.asdict(stretch) for stretch in stretches],
    }
