"""Time of a training step: several networks in one process, interleaved, so that all meet the same machine."""

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor, nn

from bench.errors import InputError
from bench.memory.training_step import make_optimizer, random_batch, training_step
from bench.training.captured import EAGER_STEPS, CapturedStep, Step
from bench.training.memory_format import place

RESAMPLES = 9999  # of the percentile bootstrap
WARM_UP = 2  # steps of each network before the first round: memory is mapped and kernels are chosen by then


@dataclass(frozen=True)
class Ratio:
    """Median of paired ratios, and the bounds of its 95 % bootstrap interval."""

    median: float
    low: float
    high: float


def ignore(name: str) -> None:
    """Every network is timed as the process is set."""


def time_steps(
    networks: Mapping[str, nn.Module],
    batch_size: int,
    image_size: int,
    rounds: int,
    in_channels: int = 3,
    classes: int = 10,
    device: str | torch.device = "cpu",
    seed: int = 0,
    precision: str = "float32",
    prepare: Callable[[str], None] = ignore,
) -> dict[str, list[float]]:
    """Seconds of one training step (forward, backward, optimizer) of each network, one number a round.

    In every round each network is timed once, in an order drawn anew: a slower moment of the machine meets them all,
    and numbers of one round may be compared. Random images (N, in_channels, H, W); the weights keep their values. For
    comparable times on a CPU the process must keep freed memory (`bench.training.allocator`). `prepare` is called with
    a network's name before each of its steps, on no clock: what is set for the whole process can be set for it there.
    """
    if rounds < 1 or batch_size < 1:
        raise InputError(f"Timing needs at least one round and one image, not {rounds} rounds of {batch_size} images.")
    device = torch.device(device)
    images, labels = random_batch(batch_size, image_size, in_channels, classes, device, precision)
    optimizers = {name: make_optimizer(place(model, device, precision).train()) for name, model in networks.items()}
    steps = {name: _step(model, optimizers[name], precision, device) for name, model in networks.items()}
    for name, step in steps.items():
        for _ in range(WARM_UP + (EAGER_STEPS if device.type == "cuda" else 0)):
            prepare(name)
            step(images, labels)
            optimizers[name].zero_grad(set_to_none=True)
    order, generator = list(networks), random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    gc.collect()
    for _ in range(rounds):
        generator.shuffle(order)
        for name in order:
            prepare(name)
            start = _now(device)
            steps[name](images, labels)
            seconds[name].append(_now(device) - start)
            # Gradients of a network that waits would be in the way of the others.
            optimizers[name].zero_grad(set_to_none=True)
    return seconds


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, precision: str, device: torch.device) -> Step:
    """One training step of `model`; on CUDA, as in training, launched as a graph where it can be."""

    def step(images: Tensor, labels: Tensor) -> Tensor:
        training_step(model, optimizer, images, labels, precision)
        return labels

    return CapturedStep(step) if device.type == "cuda" else step


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def paired_ratio(seconds: Sequence[float], reference: Sequence[float]) -> Ratio:
    """`seconds` relative to `reference`, round by round. One round has no interval: its bounds are its ratio."""
    ratios = numpy.divide(seconds, reference)
    median = float(numpy.median(ratios))
    if len(ratios) < 2:
        return Ratio(median, median, median)
    resamples = numpy.random.default_rng(0).choice(ratios, (RESAMPLES, len(ratios)))
    low, high = numpy.quantile(numpy.median(resamples, axis=1), (0.025, 0.975))
    return Ratio(median, float(low), float(high))
