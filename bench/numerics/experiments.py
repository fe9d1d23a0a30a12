"""The experiments of `python -m bench numerics`, each with one record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench import data, provenance
from bench.configuration import Configuration
from bench.numerics import layer_noise
from bench.numerics.point_run import run_point
from bench.numerics.points import Point
from bench.numerics.store import Store
from bench.numerics.sweeps import run_sweeps, told


def layers(configuration: Configuration, device: torch.device, output: Path) -> dict[str, Any]:
    """Single layers, theory against measurement: rows of each figure or table. On the CPU, in float64."""
    seed, points = configuration["numerics"]["seeds"][0], configuration["numerics"]["layer_points"]
    return {
        "noise": layer_noise.NOISE,
        "rows": {
            "figure6_toy": layer_noise.toy_batch_norm(seed, points),
            "figure6_random": layer_noise.any_batch_norm(seed, points),
            "figure7": layer_noise.leaky_relu(seed, points),
            "noise_near_signal": layer_noise.noise_near_signal(seed, points),
            "coupling": layer_noise.coupling_convolution(seed),
        },
    }


def sweeps(configuration: Configuration, device: torch.device, output: Path) -> dict[str, Any]:
    """Figures 10 to 13, gradient angles and repairs: trainings. Points that are done already are not run again."""
    numerics, finished = configuration["numerics"], {}
    images = data.load(numerics["data"], configuration["in_channels"], configuration["classes"])
    store = Store(output.parent / "points", configuration, provenance.code_digest("numerics"))

    def runner(point: Point) -> dict[str, Any]:
        if point.name not in finished:
            found = store.find(point)
            record = found or store.keep(point, run_point(configuration, point, images, device))
            finished[point.name] = record
            told(point, record, len(finished))
        return finished[point.name]

    rows, remarks = run_sweeps(configuration, runner, device.type == "cuda")
    return {
        "places": rows,
        "remarks": remarks,
        "points": finished,
        "data": {"source": images.source, "sizes": [len(images.train), len(images.test)]},
    }


EXPERIMENTS: dict[str, Callable[[Configuration, torch.device, Path], dict[str, Any]]] = {
    "layers": layers,
    "sweeps": sweeps,
}
