"""`python -m bench resident`: does the resident memory of the process tell the same story as the tracked bytes?

Tracking counts tensors. What the operating system counts has kernels' workspaces and the allocator's holes in it as
well, and all that a process ever loaded. So the slopes are compared: peak resident size against batch size, and tracked
bytes against batch size. Every batch size has a process of its own, whose allocator returns freed blocks at once;
otherwise its peak would be that of a heap with holes.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple


class Sizes(NamedTuple):
    """Bytes of one training step: peak resident size of the process, and tracked bytes that grow with the batch."""

    resident: int
    tracked: int


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument("--reconstruction", default="noisy", help="ideal, noisy or exact (default: noisy)")
    parser.add_argument("--batch-sizes", type=int, nargs=2, metavar="B", help="default: memory.batch_sizes")


def run(arguments: argparse.Namespace) -> int:
    """Print both slopes, in bytes per input pixel, and the resident one relative to the tracked one."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.errors import InputError

    config = configuration.load(arguments.config)
    small, large = sorted(arguments.batch_sizes or config["memory"]["batch_sizes"])
    if small < 1 or small == large:
        raise InputError(f"A slope needs two different batch sizes of 1 or more, not {small} and {large}.")
    of = (arguments.config, arguments.architecture, arguments.reconstruction)
    first, second = (measured(*of, batch) for batch in (small, large))
    pixels = (large - small) * config["data"]["image_size"] ** 2
    resident, tracked = (second.resident - first.resident) / pixels, (second.tracked - first.tracked) / pixels
    print(
        f"{arguments.architecture}, {arguments.reconstruction}, batches {small} and {large}: resident {resident:.1f},"
        f" tracked {tracked:.1f} bytes per pixel, ratio {resident / tracked:.3f}"
    )
    return 0


def measured(config: Path, architecture: str, reconstruction: str, batch_size: int) -> Sizes:
    """The sizes at one batch size, from a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_sizes, config, architecture, reconstruction, batch_size).result()


def _sizes(path: Path, architecture: str, reconstruction: str, batch_size: int) -> Sizes:
    import torch

    from bench import configuration
    from bench.errors import InputError
    from bench.memory.peak import make_optimizer, measure_peak, random_batch, training_step
    from bench.training.allocator import set_allocator
    from bench.training.memory_format import place
    from bench.training.memory_use import forget_peaks, peaks
    from bench.training.network import trained_network
    from bench.training.recipe import recipe_from
    from bench.training.settings import set_threads

    config, cpu = configuration.load(path), torch.device("cpu")
    if set_allocator(cpu, capped=True) == "default":
        raise InputError("Resident memory can be compared only where glibc is told to return freed memory (Linux).")
    set_threads(config.get("threads", 0))
    torch.manual_seed(0)
    recipe = recipe_from(config["training"])
    model, _ = trained_network(config, architecture, reconstruction, recipe)
    precision = recipe.precision
    model = place(model, cpu, precision).train()  # the memory format of training: in another, kernels copy activations
    size, channels, classes = config["data"]["image_size"], config["in_channels"], config["classes"]
    images, labels = random_batch(batch_size, size, channels, classes, cpu, precision)
    forget_peaks(cpu)  # imports may have taken more for a moment
    training_step(model, make_optimizer(model), images, labels, precision)
    resident = peaks(cpu)["process_resident_bytes"]
    tracked = measure_peak(model, batch_size, size, channels, classes, precision=precision)
    return Sizes(resident, tracked.growing_bytes)
