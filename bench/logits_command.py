"""`python -m bench logits`: how far a first step of training moves the logits, which `logit_scale` has to fit.

A step at learning rate eta changes the classifier's weights by eta s times what it gets of an image, f, and thereby
logits by eta |s f|^2, times an error below one: s is the architecture's `logit_scale`, or 1 where it has none. Which
values train is in docs/time.md, "What the recipe is sensitive to".
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.data import Images


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/cpu.yaml")
    parser.add_argument("--architecture", help="one of the configuration's architectures (default: each)")
    parser.add_argument(
        "--try",
        dest="tried",
        action="append",
        default=[],
        metavar="KEY=V1,V2,...",
        help="settings of --architecture, as `search` takes them (options.logit_scale=0.03,0.06)",
    )
    parser.add_argument("--images", type=int, default=128, help="training images of the step (default: 128)")
    parser.add_argument("--seed", type=int, default=1, help="of the parameters (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Print a row for every network; nothing is trained or written."""
    import pandas as pd

    from bench import configuration, data
    from bench.training.search import changed, combinations, values_tried
    from bench.training.settings import set_threads

    if arguments.tried and not arguments.architecture:
        raise InputError("--try is for one architecture; name it by --architecture.")
    tried = combinations(values_tried(arguments.tried))
    config = configuration.load(arguments.config)
    asked = [
        (name, settings, changed(config, name, settings, None))
        for name in ([arguments.architecture] if arguments.architecture else config["architectures"])
        for settings in tried
    ]
    set_threads(config["threads"])
    images = data.load(config["data"], config["in_channels"], config["classes"])
    if arguments.images > len(images.train):
        raise InputError(
            f"--images is {arguments.images} but there are {len(images.train)} training images; give fewer."
        )
    rows = [
        {"architecture": name, **settings, **first_step(own, name, images, arguments)} for name, settings, own in asked
    ]
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
    return 0


def first_step(
    config: dict[str, Any], architecture: str, images: "Images", arguments: argparse.Namespace
) -> dict[str, Any]:
    """Columns of a row: the network's parameters, s, the mean over images of |f|^2, the rate, and rate*|s*f|^2."""
    import torch

    from bench.training.batches import Batches
    from bench.training.network import trained_network
    from bench.training.recipe import Recipe

    recipe = Recipe(**config["training"])
    torch.manual_seed(arguments.seed)
    reconstruction = config["architectures"][architecture]["reconstructions"][0]
    model, shape = trained_network(config, architecture, reconstruction, recipe)
    batches = Batches(images, recipe, arguments.seed, torch.device("cpu"))
    f, s = classifier_input(model, batches.normalise(batches.train[: arguments.images]))
    squared = f.square().sum(1).mean().item()
    rate = recipe.peak_learning_rate
    return {
        "parameters": shape.parameters,
        "s": s,
        "|f|^2": squared,
        "rate": rate,
        "rate*|s*f|^2": rate * s**2 * squared,
    }


def classifier_input(model: "nn.Module", images: "Tensor") -> "tuple[Tensor, float]":
    """f (B, features), what the network's classifier gets of `images` (B, C, H, W) in training, and s, its scale."""
    import torch

    classifier = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    seen = []
    hook = classifier.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    with torch.no_grad():
        model.train()(images)
    hook.remove()
    return seen[0], float(getattr(classifier, "scale", 1.0))
