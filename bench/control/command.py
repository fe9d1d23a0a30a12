"""`python -m bench control`: how far a network of published accuracy comes on a configuration's images."""

import argparse
import statistics
from pathlib import Path
from typing import Any

from bench.training.leased import on_leased_gpu

# field of a record -> how it is told
ACCURACIES = {
    "accuracy": "of the images as they are",
    "flip_tta_accuracy": "mirrored too",
    "views_accuracy": "mirrored and moved too",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/paper-short.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a training each (default: 1 2 3)")
    parser.add_argument("--epochs", type=int, default=10, help="of each training (default: 10)")
    parser.add_argument(
        "--batch-size", type=int, default=1024, help="images of a batch; rates are in proportion (default: 1024)"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "tf32", "mixed"),
        default="mixed",
        help="number format (default: mixed, bfloat16 by autocast)",
    )
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for a record of each seed")


@on_leased_gpu
def run(arguments: argparse.Namespace) -> int:
    """Train with each seed that has no record of these settings and this code, then tell of all."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.control.recipe import recipe_of
    from bench.control.record import PUBLISHED, there_or_made
    from bench.training.device import device_entry, torch_device
    from bench.training.settings import set_precision, set_threads

    config = configuration.load(arguments.config)
    device = torch_device(device_entry(config, arguments.device)["device"])
    recipe = recipe_of(arguments.epochs, arguments.batch_size, arguments.precision)
    set_threads(config["threads"])
    set_precision(recipe.precision)
    records = [
        there_or_made(arguments.output / f"seed{seed}.json", config, recipe, seed, device) for seed in arguments.seeds
    ]
    for record in records:
        print(f"seed {record['settings']['seed']}: {record['outcome']['reason'] or told(record)}")
    if ended := [record for record in records if record["outcome"]["status"] == "ok"]:
        means = {name: statistics.fmean(record[name] for record in ended) for name in ACCURACIES}
        print(f"mean of {len(ended)}: {told(means)}")
    print(f"published for {PUBLISHED['data']}: {100 * PUBLISHED['accuracy']:.2f} % {ACCURACIES[PUBLISHED['of']]}")
    return 0


def told(accuracies: dict[str, Any]) -> str:
    """The three accuracies in words."""
    return ", ".join(f"{100 * accuracies[name]:.2f} % {words}" for name, words in ACCURACIES.items())
