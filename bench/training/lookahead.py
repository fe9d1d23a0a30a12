"""Lookahead (Zhang et al., 2019): the weights of training are drawn to a slow copy of themselves every few steps.

Every `recipe.lookahead` steps, and after the last one, the slow weights go a part of the way to those that SGD has
reached, and training goes on from there. The part shrinks from 1 to 1 - decay as training proceeds, so that early
steps are free and the end is an average (Jordan, 2024). It costs one copy of the weights.
"""

import torch
from torch import Tensor, nn

from bench.training.recipe import Recipe


class Lookahead:
    """The slow weights of `model` over a training of `steps` steps; running statistics follow their weights."""

    def __init__(self, model: nn.Module, recipe: Recipe, steps: int) -> None:
        self.every, self.decay, self.steps = recipe.lookahead, recipe.lookahead_decay, steps
        values = {name: value for name, value in model.state_dict().items() if value.is_floating_point()}
        self.fast: list[Tensor] = list(values.values()) if self.every else []  # the model's own tensors
        self.slow: list[Tensor] = [value.clone() for value in self.fast]
        buffers = dict(model.named_buffers())
        # The running statistics among the slow ones.
        self.slow_statistics = [slow for name, slow in zip(values, self.slow, strict=False) if name in buffers]

    @torch.no_grad()
    def after(self, step: int) -> None:
        """To be called after each step of the optimizer (0 .. steps - 1)."""
        done = step + 1
        if not self.every or (done % self.every and done != self.steps):
            return
        kept = self.decay**self.every * (done / self.steps) ** 3
        torch._foreach_lerp_(self.slow, self.fast, 1 - kept)
        torch._foreach_copy_(self.fast, self.slow)

    def state_dict(self) -> list[Tensor]:
        """The slow weights, in the model's order."""
        return self.slow

    def load_state_dict(self, state: list[Tensor]) -> None:
        """Continue from `state`."""
        for slow, value in zip(self.slow, state, strict=True):
            slow.copy_(value)
