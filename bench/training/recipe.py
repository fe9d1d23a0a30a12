"""The training recipe, the same for every architecture: its numbers, its optimizer and its loss."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import InputError
from bench.training.settings import PRECISIONS

FLIPS = ("none", "random", "alternating")
NORM_SCALES = ("learned", "absolute", "frozen")


@dataclass(frozen=True)
class Recipe:
    """The `training` section of a configuration. Lengths in pixels; learning rate for a batch's mean loss."""

    epochs: int
    batch_size: int
    peak_learning_rate: float
    warmup_fraction: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    bias_rate: float = 1.0
    norm_momentum: float = 0.1
    norm_scale: str = "learned"
    norm_scale_eps: float = 0.1
    lookahead: int = 0
    lookahead_decay: float = 0.95
    label_smoothing: float = 0.0
    flip: str = "none"
    translate: int = 0
    cutout: int = 0
    flip_tta: bool = False
    precision: str = "float32"

    def __post_init__(self) -> None:
        checks = (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("batch_size", self.batch_size >= 2, "2 or more (batch normalisation needs two images)"),
            ("peak_learning_rate", self.peak_learning_rate > 0, "above 0"),
            ("warmup_fraction", 0 <= self.warmup_fraction < 1, "from 0 to below 1"),
            ("momentum", 0 <= self.momentum < 1, "from 0 to below 1"),
            ("bias_rate", self.bias_rate > 0, "above 0"),
            ("weight_decay", self.weight_decay >= 0, "0 or more"),
            ("norm_momentum", 0 < self.norm_momentum <= 1, "above 0 and at most 1"),
            ("norm_scale", self.norm_scale in NORM_SCALES, f"one of {', '.join(NORM_SCALES)}"),
            ("norm_scale_eps", self.norm_scale_eps > 0, "above 0"),
            ("lookahead", self.lookahead >= 0, "0 (none) or a number of steps"),
            ("lookahead_decay", 0 <= self.lookahead_decay < 1, "from 0 to below 1"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "from 0 to below 1"),
            ("flip", self.flip in FLIPS, f"one of {', '.join(FLIPS)}"),
            ("translate", self.translate >= 0, "0 or more"),
            ("cutout", self.cutout >= 0, "0 or more"),
            ("precision", self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
        )
        for key, valid, wanted in checks:
            if not valid:
                raise InputError(f"training.{key} is {getattr(self, key)!r}; it must be {wanted}.")


def recipe_from(training: dict[str, Any], device: dict[str, Any] | None = None) -> Recipe:
    """The recipe of a `training` section, with what an entry of `devices` states instead (batch size, epochs, ...)."""
    keys = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := set(training) - keys:
        raise InputError(f"training.{min(unknown)} is no setting of the recipe; choose from {', '.join(sorted(keys))}.")
    overrides = {key: value for key, value in (device or {}).items() if key in keys and value is not None}
    return Recipe(**{**training, **overrides})


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD, with Nesterov's momentum where there is momentum; weight decay on weights of convolutions and linear layers.

    Scales, shifts and biases (parameters with one axis) are not decayed; shifts and biases have `bias_rate` times the
    scheduled learning rate ("factor" of their group). The fused kernel makes no temporaries, which the default on a GPU
    (`foreach`) does, as large as all gradients.
    """
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": recipe.weight_decay, "factor": 1.0},
        {"params": [], "weight_decay": 0.0, "factor": 1.0},
        {"params": [], "weight_decay": 0.0, "factor": recipe.bias_rate},
    ]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = 0 if parameter.ndim > 1 else 2 if name.endswith("bias") else 1
            groups[kind]["params"].append(parameter)
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.peak_learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


def batch_loss(logits: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """Mean cross-entropy of a batch with smoothed labels, in float32 whatever the network computes in."""
    return functional.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
