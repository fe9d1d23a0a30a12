"""Steps before the clock's headline begins: what happens once a process, or once a shape, is no part of training.

Libraries map work space, load kernels and try which is fastest at the first step. Under a cap that must have happened
before the cap holds: what they keep for themselves is no part of it, as little as it is of the paper's 500 MB "after
initialization of various frameworks". (On a GPU what they keep in torch's allocator is: `memory_cap`.)
"""

from typing import Any

import torch

from bench.plan import Run
from bench.training.memory_format import place
from bench.training.network import trained_network
from bench.training.precision import computing
from bench.training.recipe import Recipe, make_optimizer

STEPS = 3


def warm_up(config: dict[str, Any], run: Run, recipe: Recipe, device: torch.device, images: int) -> None:
    """Train a network like the run's on blank images, and throw it away. No random number of the run's is drawn."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model, _ = trained_network(config, run.architecture, run.reconstruction, recipe)
        model = place(model, device, recipe.precision)
        optimizer = make_optimizer(model, recipe)
        size = config["data"]["image_size"]
        blank = torch.zeros(images, config["in_channels"], size, size, device=device)
        for _ in range(STEPS if device.type == "cuda" else 1):
            with computing(recipe.precision, device):
                logits = model(blank)
            logits.float().sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
