"""Trains the network of one point of a sweep and looks at it before and after: its record."""

import dataclasses
import functools
import gc
import time
from typing import Any

import torch
from torch import Tensor

from bench import provenance
from bench.architectures import build
from bench.configuration import Configuration
from bench.data import Images
from bench.numerics.diagnosis import diagnosis
from bench.numerics.points import MODES, Point, depths_at
from bench.reversible import ReversibleSequential
from bench.training.batches import Batches
from bench.training.clock import Clock
from bench.training.loop import Trainer
from bench.training.memory_format import place
from bench.training.norms import set_norms
from bench.training.outcome import Diverged
from bench.training.recipe import recipe_from
from bench.training.settings import set_determinism, set_precision

SCHEMA = 1


def run_point(configuration: Configuration, point: Point, images: Images, device: torch.device) -> dict[str, Any]:
    """Train it by the numerics section's recipe; returns the record, without its digest.

    A network whose loss or logits stop being finite is `diverged`, with no accuracy.
    """
    gc.collect()  # the point before is held in a circle, a trainer and its recorded step, and with it GPU memory
    numerics, started = configuration["numerics"], time.perf_counter()
    recipe = recipe_from(numerics["training"] | ({"norm_scale": "frozen"} if point.variant.frozen_gamma else {}))
    set_determinism(device, point.seed, capped=False)
    set_precision("tf32" if point.variant.tf32 else "float32")
    model = network(configuration, point)
    place(model, device)
    set_norms(model, recipe)
    batches = Batches(images, recipe, point.seed, device)
    trainer = Trainer(model, batches, recipe, Clock(device))
    batch = first_batch(batches)
    looks = {"initial": diagnosis(model, *batch)}
    status, reason = "ok", None
    try:
        trainer.train()
        looks["final"] = diagnosis(model, *batch)
    except Diverged as stopped:
        status, reason = "diverged", str(stopped)
    history = [{key: epoch[key] for key in ("epoch", "loss", "test_accuracy")} for epoch in trainer.history]
    return {
        "kind": "numerics-point",
        "schema": SCHEMA,
        "settings": settings(configuration, point, model),
        "outcome": {
            "status": status,
            "reason": reason,
            "accuracy": history[-1]["test_accuracy"] if status == "ok" else None,
        },
        "looks": looks,
        "history": history,
        "seconds": round(time.perf_counter() - started, 3),
        **origin(device),
    }


def network(configuration: Configuration, point: Point) -> ReversibleSequential:
    """The point's network, its weights drawn from torch's present random state."""
    reconstruction, norm_inverse = MODES[point.mode]
    model: Any = build(
        point.architecture,
        reconstruction,
        initial_channels=configuration["numerics"]["initial_channels"],
        depths=depths_at(point.step),
        classes=configuration["classes"],
        in_channels=configuration["in_channels"],
        norm_inverse=norm_inverse,
        **point.variant.options,
    )
    return in_float64(model) if point.variant.float64 else model


def in_float64(model: ReversibleSequential) -> ReversibleSequential:
    """The same network with weights and activations in float64, for images of any type."""
    model.double().register_forward_pre_hook(lambda module, inputs: (inputs[0].double(),))
    return model


def first_batch(batches: Batches) -> tuple[Tensor, Tensor]:
    """The first training images, as many as a training batch has, without augmentation, and their labels."""
    size = batches.recipe.batch_size
    return batches.normalise(batches.train[:size]), batches.train_labels[:size].to(batches.device)


def settings(configuration: Configuration, point: Point, model: torch.nn.Module) -> dict[str, Any]:
    """What the point was asked for."""
    numerics = configuration["numerics"]
    depths = depths_at(point.step)
    per_block = 2 * option_of(point, "units") if point.architecture == "hybrid" else 1
    return {
        "scale": configuration["scale"],
        "architecture": point.architecture,
        "mode": point.mode,
        "step": point.step,
        "seed": point.seed,
        **dataclasses.asdict(point.variant),
        "depths": list(depths),
        "units": sum(depths) * per_block,
        "initial_channels": numerics["initial_channels"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "data": numerics["data"]["name"],
        "image_size": numerics["data"]["image_size"],
        "training": numerics["training"],
    }


def option_of(point: Point, option: str) -> Any:
    """An option of the point's architecture: the variant's, else the default."""
    from bench.architectures import ARCHITECTURES

    return point.variant.options.get(option, ARCHITECTURES[point.architecture].defaults[option])


@functools.cache
def origin(device: torch.device) -> dict[str, Any]:
    """Hardware, versions and commit, asked for once a process."""
    return {"hardware": provenance.hardware(device), "versions": provenance.versions(), "git": provenance.git()}
