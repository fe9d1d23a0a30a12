"""The parameter-budget solver: widths (and, where they are tied, depths) that give each network the same size."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from bench.architectures.registry import Architecture, build, check, find
from bench.errors import InputError


@dataclass(frozen=True)
class Shape:
    """A solved shape: `build(name, reconstruction, **shape.arguments(), classes=..., ...)` has `parameters`."""

    initial_channels: int
    depths: tuple[int, ...]
    parameters: int
    widths: tuple[int, ...] | None = None  # one a stage, where they are not the architecture's own proportion

    def arguments(self) -> dict[str, Any]:
        """What the solver chose, as arguments of `build`; what it was told (classes, options) is not repeated."""
        chosen = {"initial_channels": self.initial_channels, "depths": self.depths}
        return chosen if self.widths is None else {**chosen, "widths": self.widths}


def solve(
    name: str,
    budget: int,
    depths: tuple[int, ...] | list[int] | None = None,
    classes: int = 10,
    in_channels: int = 3,
    **options: Any,
) -> Shape:
    """The shape of `name` whose parameter count is within the architecture's tolerance (2 %) of `budget`.

    `depths` are the blocks wished for at each resolution (default: the architecture's own). The same arguments give
    the same shape everywhere. i-RevNet is exempt: the nearest count is returned, however far. Raises `InputError`
    naming the nearest shape if none is near enough.
    """
    architecture = find(name)
    if not isinstance(budget, int) or budget < 1:
        raise InputError(f"A parameter budget is a whole number of at least 1, not {budget!r}.")
    chosen = {"initial_channels", "widths"} & set(options)
    if chosen:
        raise InputError(f"The solver chooses {min(chosen)} to meet the budget: leave out the one or the other.")
    wished = tuple(architecture.depths if depths is None else depths)
    told = {"classes": classes, "in_channels": in_channels, **options}
    check(architecture, {**told, "depths": wished})

    def count(**arguments: Any) -> int:
        return _count(architecture, tuple(sorted((key, _frozen(each)) for key, each in {**told, **arguments}.items())))

    found = architecture.search.find(budget, wished, count)
    shape = Shape(parameters=count(**found), **found)
    tolerance = architecture.search.tolerance
    if tolerance is not None and abs(shape.parameters - budget) > tolerance * budget:
        raise InputError(
            f"No shape of {name} near depths {wished} has a parameter count within {tolerance:.0%} of {budget:,}; "
            f"the nearest has {shape.parameters:,} ({_words(shape)}): ask for another budget or other depths."
        )
    return shape


def parameters_of(model: nn.Module) -> int:
    """Number of trained numbers of a network."""
    return sum(parameter.numel() for parameter in model.parameters())


@cache
def _count(architecture: Architecture, arguments: tuple[tuple[str, Any], ...]) -> int:
    """Parameters of the network, built on the device "meta": shapes without memory, so it takes milliseconds."""
    with torch.device("meta"):
        return parameters_of(build(architecture.name, architecture.reconstructions[0], **dict(arguments)))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _words(shape: Shape) -> str:
    return ", ".join(f"{key} {value}" for key, value in shape.arguments().items())
