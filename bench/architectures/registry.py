"""The registry of networks: what each is called, which reconstructions it has, and how it is built."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from bench.architectures.option_types import is_whole, wanted
from bench.architectures.search import Search
from bench.errors import InputError

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

RECONSTRUCTIONS = {
    "ideal": "every layer's input is stored in the forward pass, as in ordinary backpropagation",
    "noisy": "inputs are reconstructed by the floating-point inverse in the backward pass",
    "exact": "inputs are reconstructed bit for bit: blocks add on a grid of multiples of 2^-k",
}
KINDS = {
    "architecture": "a network that the paper compares",
    "baseline": "what a user would do instead, on the same ResNet-18",
}
NUMBERS = ("initial_channels", "classes", "in_channels")  # arguments that are whole numbers of at least 1
SHAPE = (*NUMBERS, "depths")  # what every builder takes; what it takes besides are its options


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry; `builder` makes a network: images (N, in_channels, H, W) -> logits (N, classes)."""

    name: str
    kind: str
    summary: str
    reconstructions: tuple[str, ...]
    builder: Callable[..., nn.Module]
    search: Search

    @property
    def defaults(self) -> dict[str, Any]:
        """The builder's arguments with their default values, `reconstruction` left out."""
        parameters = inspect.signature(self.builder).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters if parameter.name != "reconstruction"}

    @property
    def depths(self) -> tuple[int, ...]:
        """Default blocks (or conv-BN-activation units) at each resolution."""
        return self.defaults["depths"]

    @property
    def initial_channels(self) -> int:
        """Default channels after the stem."""
        return self.defaults["initial_channels"]

    @property
    def budget_is_solved(self) -> bool:
        """Whether widths are chosen to meet a parameter budget; else the nearest count is only reported (i-RevNet)."""
        return self.search.tolerance is not None


ARCHITECTURES: dict[str, Architecture] = {}


def register(
    name: str,
    *,
    summary: str,
    search: Search,
    reconstructions: tuple[str, ...] = ("ideal",),
    kind: str = "architecture",
) -> Callable[[Builder], Builder]:
    """Decorator that enters a function or an `nn.Module` class as the builder of `name`.

    The builder takes at least `initial_channels`, `depths`, `classes` and `in_channels`, further options as it
    likes, each with a default; with more than one reconstruction also `reconstruction`. It must build on the
    device "meta" too: the solver counts parameters there.
    """

    def enter(builder: Builder) -> Builder:
        parameters = inspect.signature(builder).parameters
        required = set(SHAPE) | ({"reconstruction"} if len(reconstructions) > 1 else set())
        # Mistakes of the one who writes an architecture, not of the one who runs it: hence no InputError.
        if not re.fullmatch(r"[a-z0-9-]+", name) or name in ARCHITECTURES:
            raise ValueError(f"An architecture's name is new and of lower-case letters, digits and '-', not {name!r}.")
        if kind not in KINDS or not reconstructions or not set(reconstructions) <= set(RECONSTRUCTIONS):
            raise ValueError(f"{name}: kind is one of {list(KINDS)}, reconstructions are of {list(RECONSTRUCTIONS)}.")
        if required - set(parameters) or any(each.default is each.empty for each in parameters.values()):
            raise ValueError(f"{name}: the builder takes {sorted(required)}, and every argument has a default.")
        ARCHITECTURES[name] = Architecture(name, kind, summary, tuple(reconstructions), builder, search)
        return builder

    return enter


def names() -> list[str]:
    """Names of all networks: architectures first, then baselines."""
    return sorted(ARCHITECTURES, key=lambda name: list(KINDS).index(ARCHITECTURES[name].kind))


def find(name: str) -> Architecture:
    """The entry called `name`; raises `InputError` naming the choices."""
    if name not in ARCHITECTURES:
        raise InputError(f"There is no architecture {name!r}; choose one of: {', '.join(names())}.")
    return ARCHITECTURES[name]


def build(name: str, reconstruction: str = "ideal", **arguments: Any) -> nn.Module:
    """Build a network: images (N, in_channels, H, W) -> logits (N, classes).

    Arguments left out take the architecture's defaults: `initial_channels` (channels after the stem), `depths`
    (blocks or conv-BN-activation units at each resolution), `classes`, `in_channels`, and its own options. Lists, as
    YAML has them, stand for tuples. Raises `InputError` on a name, reconstruction or argument that does not exist or
    is out of range.
    """
    architecture = find(name)
    if reconstruction not in architecture.reconstructions:
        choices = ", ".join(architecture.reconstructions)
        raise InputError(f"{name} has no reconstruction {reconstruction!r}; choose one of: {choices}.")
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    check(architecture, arguments)
    if "reconstruction" in inspect.signature(architecture.builder).parameters:
        arguments["reconstruction"] = reconstruction
    try:
        return architecture.builder(**arguments)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key} {arguments[key]!r}" for key in _options(arguments))
        if not given:
            raise  # no value of a user's is to blame
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{name} cannot be built with {given} ({reason}); give another value.") from error


def check(architecture: Architecture, arguments: dict[str, Any]) -> None:
    """Raise `InputError` for what is wrong whichever the architecture; the rest is the builder's to check."""
    name, defaults = architecture.name, architecture.defaults
    unknown = [key for key in arguments if key not in defaults]
    if unknown:
        raise InputError(f"{name} takes no argument {unknown[0]!r}; choose from: {', '.join(defaults)}.")
    for key in NUMBERS:
        value = arguments.get(key, defaults[key])
        if not is_whole(value, at_least=1):
            raise InputError(f"{name}: {key} must be a whole number of at least 1, not {value!r}.")
    depths = arguments.get("depths", defaults["depths"])
    if not isinstance(depths, tuple) or not depths or not all(is_whole(depth, at_least=0) for depth in depths):
        raise InputError(f"{name}: depths must be whole numbers of at least 0, one a resolution, not {depths!r}.")
    channels, multiple = arguments.get("initial_channels", defaults["initial_channels"]), architecture.search.multiple
    if channels % multiple:
        raise InputError(f"{name}: initial_channels must be a multiple of {multiple}, not {channels}.")
    for key in _options(arguments):
        value = arguments[key]
        if value != defaults[key] and (kind := wanted(architecture.builder, key, value)):
            raise InputError(f"{name}: the option {key} must be {kind}, not {value!r}.")


def check_options(name: str, options: Iterable[str]) -> None:
    """Refuse what is no option of the network `name`; which values an option may have, `build` says."""
    defaults = find(name).defaults
    for option in options:
        if option in SHAPE:
            raise InputError(
                f"{name}: {option} is no option; it has a key of its own in the configuration, say it there."
            )
        if option not in defaults:
            choices = ", ".join(key for key in defaults if key not in SHAPE)
            raise InputError(f"{name} takes no option {option!r}; choose from: {choices}.")


def _options(arguments: dict[str, Any]) -> list[str]:
    return [key for key in arguments if key not in (*SHAPE, "reconstruction")]
