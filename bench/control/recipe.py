"""The control's recipe (Jordan, 2024, section 3 and listing 4), its rates for a batch's mean loss.

It differs from the published one (its script airbench94, by the same author) in three things: ten whole epochs, not
9.9; bfloat16 by autocast, or float32, not float16; and the last weights are an average that the last step still moves.
"""

from typing import Any

from torch import nn
from torch.optim import SGD

from bench.training.recipe import Recipe

WHITENING_BIAS_EPOCHS = 3
FIRST_RATE, LAST_RATE = 0.2, 0.07  # of the peak

PEAK_RATE_OF_AN_IMAGE = 1.5 / 1024


def recipe_of(epochs: int = 10, batch_size: int = 1024, precision: str = "mixed") -> Recipe:
    """The recipe, its rate in proportion to the batch, in a number format of `bench.training.precision`."""
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        peak_learning_rate=PEAK_RATE_OF_AN_IMAGE * batch_size,
        warmup_fraction=0.23,
        momentum=0.85,
        weight_decay=0.00133,
        bias_rate=64,
        norm_momentum=0.4,
        norm_scale="frozen",
        lookahead=5,
        lookahead_decay=0.95,
        label_smoothing=0.2,
        flip="alternating",
        translate=2,
        flip_tta=True,
        precision=precision,
    )


def make_optimizer(model: nn.Module, recipe: Recipe) -> SGD:
    """SGD with Nesterov's momentum; norms' biases have their own rate, and are decayed no faster than the rest."""
    fast = {id(norm.bias) for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if id(p) not in fast], "factor": 1},
        {"params": [p for p in trained if id(p) in fast], "factor": recipe.bias_rate},
    ]
    for group in groups:
        group["weight_decay"] = recipe.weight_decay / group["factor"]
    return SGD(groups, lr=recipe.peak_learning_rate, momentum=recipe.momentum, nesterov=True)


def rate(step: int, steps: int, recipe: Recipe) -> float:
    """Learning rate of `step` (0 .. steps - 1): linearly up from a fifth of the peak, then down to 0.07 of it."""
    warm_up = recipe.warmup_fraction * steps
    if step < warm_up:
        return recipe.peak_learning_rate * (FIRST_RATE + (1 - FIRST_RATE) * step / warm_up)
    return recipe.peak_learning_rate * (1 + (LAST_RATE - 1) * (step - warm_up) / (steps - warm_up))
