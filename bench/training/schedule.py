"""The learning rate of each step: a linear warm-up to the peak, then linearly down to 0."""

from collections.abc import Callable

from bench.training.recipe import Recipe

# Step (0 .. steps - 1), steps and recipe to a learning rate.
Schedule = Callable[[int, int, Recipe], float]


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Learning rate of `step` (0 .. steps - 1) of a run of `steps`.

    The peak falls on the first step after the warm-up. The value at `step == steps`, which is never taken, is 0.
    """
    peak, warmup = recipe.peak_learning_rate, int(recipe.warmup_fraction * steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * (steps - step) / (steps - warmup)
