"""`python -m bench epoch`: time our loop against an ordinary PyTorch script, paired in one process."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.training.leased import on_leased_gpu

SCHEMA = 1
ARCHITECTURE = "resnet18"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/cpu.yaml")
    parser.add_argument("--images", type=int, default=2560, help="training images of an epoch (default: 2560)")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each, taking turns (default: 5)")
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a JSON file for the record (default: none)")


@on_leased_gpu
def run(arguments: argparse.Namespace) -> int:
    """Print the seconds of each and their paired ratio (below 1: ours is faster), and write the record."""
    from bench import configuration, data, provenance
    from bench.memory.steps import paired_ratio
    from bench.records import write_record
    from bench.training.allocator import set_allocator
    from bench.training.device import device_entry, torch_device
    from bench.training.settings import set_precision, set_threads

    config = configuration.load(arguments.config)
    device = torch_device(device_entry(config, arguments.device)["device"])
    set_allocator(device, capped=False)
    set_threads(config["threads"])
    set_precision(config["training"]["precision"])
    images = data.load({**config["data"], "train_images": arguments.images}, config["in_channels"], config["classes"])
    epochs = {"ours": our_epochs(config, images, device), "plain": plain_epochs(config, images, device)}
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(arguments.rounds + 1):
        for name in sorted(epochs, reverse=bool(number % 2)):
            start = time.perf_counter()
            epochs[name]()
            if number:  # the first round is for libraries to find their feet
                seconds[name].append(time.perf_counter() - start)
    ratio = paired_ratio(seconds["ours"], seconds["plain"])
    for name, times in seconds.items():
        print(f"{name}: {', '.join(f'{each:.2f}' for each in times)} s an epoch of {len(images.train)} images")
    if arguments.output:
        record = {
            "kind": "epoch",
            "schema": SCHEMA,
            "settings": settings(config, len(images.train), arguments.rounds, device),
            "seconds": seconds,
            "ratio_to_plain": vars(ratio),
            **provenance.origin(device),
        }
        write_record(arguments.output, record)
    print(f"ours / plain: median {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})")
    return 0


def settings(config: dict[str, Any], images: int, rounds: int, device: Any) -> dict[str, Any]:
    """What the epochs were of."""
    recipe, data = config["training"], config["data"]
    return {
        "scale": config["scale"],
        "architecture": ARCHITECTURE,
        "depths": config["architectures"][ARCHITECTURE]["depths"],
        "budget": config["budget"],
        "data": data["name"],
        "image_size": data["image_size"],
        "train_images": images,
        "batch_size": recipe["batch_size"],
        "precision": recipe["precision"],
        "rounds": rounds,
        "device_type": device.type,
    }


def our_epochs(config: dict[str, Any], images: Any, device: Any) -> Callable[[], Any]:
    """One more epoch of this project's loop, the recipe's augmentation and averaging included."""
    import itertools

    from bench.training.batches import Batches
    from bench.training.clock import Clock
    from bench.training.loop import Trainer, ignore
    from bench.training.memory_format import place
    from bench.training.network import trained_network
    from bench.training.recipe import recipe_from

    recipe = recipe_from(config["training"])
    model, _ = trained_network(config, ARCHITECTURE, "ideal", recipe)
    batches = Batches(images, recipe, 0, device)
    model = place(model, device, recipe.precision)
    trainer = Trainer(model, batches, recipe, Clock(device))
    numbers = itertools.cycle(range(1, recipe.epochs + 1))
    return lambda: trainer.train_epoch(next(numbers), ignore)


def plain_epochs(config: dict[str, Any], images: Any, device: Any) -> Callable[[], Any]:
    """One more epoch of the ordinary script, on images that were normalised beforehand."""
    import torch

    from bench.epoch.plain import plain_epoch
    from bench.training.network import network

    model, _ = network(config, ARCHITECTURE, "ideal")
    model.to(device)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (images.mean, images.std))
    normalised = ((images.train.float() - mean) / std).contiguous()
    size, rate = config["training"]["batch_size"], config["training"]["peak_learning_rate"] / 4
    mixed = config["training"]["precision"] == "mixed"
    return lambda: sum(plain_epoch(model, normalised, images.train_labels, size, rate, mixed))
