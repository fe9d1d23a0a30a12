"""Configurations: one YAML file a scale, checked against `config/schema.yaml`, with its defaults filled in.

What a schema cannot say (names that must exist elsewhere in the file, or in a registry) is checked here too. Every
fault is an `InputError` of one sentence: the file, the key, what was wanted and what is there.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bench.contradictions import contradiction
from bench.errors import InputError
from bench.schema import fault, nearest
from bench.strict_yaml import read_yaml

FOLDER = Path(__file__).parent.parent / "config"
SCHEMA = FOLDER / "schema.yaml"

# The scales that come with the project or were added to its folder.
SCALES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml") if path != SCHEMA))

Configuration = dict[str, Any]

# Architectures that go from one resolution to the next by an invertible pooling, which halves an even side.
POOLING = ("irevnet", "layerwise", "hybrid", "streamed", "streamed-int16")


def load(path: Path | str) -> Configuration:
    """The configuration at `path`, in which every key of the schema that has a default is present.

    Raises:
        InputError: the file is missing, is not YAML, says something that the schema or the registries do not know, or
            names a plugin that cannot be imported.
    """
    # Here and not at the top: these import torch.
    from bench.architectures import ARCHITECTURES
    from bench.data import DATASETS
    from bench.plugins import load_plugins

    configuration = read(Path(path))
    load_plugins(configuration["plugins"], Path(path))
    check_names(path, configuration, {name: e.reconstructions for name, e in ARCHITECTURES.items()}, tuple(DATASETS))
    if configuration["numerics"]:
        from bench.numerics.variants import check_variants  # here, since it imports this

        check_variants(path, configuration["numerics"])
    return configuration


def read(path: Path) -> Configuration:
    """`load` without the look into the registries."""
    if not path.exists():
        raise InputError(f"There is no configuration {path}; those of the project are {', '.join(SCALES)}.")
    configuration = read_yaml(path)
    if wrong := fault(configuration, read_yaml(SCHEMA)) or contradiction(configuration):
        raise InputError(f"{path}: {wrong}.")
    _check_devices(path, configuration)
    _check_image_sizes(path, configuration)
    smaller, larger = configuration["memory"]["batch_sizes"]
    if smaller > larger:
        raise InputError(f"{path}: memory.batch_sizes must rise, but is [{smaller}, {larger}].")
    return configuration


def check_names(
    path: Path | str,
    configuration: Configuration,
    architectures: Mapping[str, Collection[str]],
    data_sets: Collection[str],
) -> None:
    """Refuse names that nobody provides. `architectures`: name -> the reconstructions that it can be trained in."""
    _check_choice(f"{path}: data.name", configuration["data"]["name"], data_sets)
    for name, entry in configuration["architectures"].items():
        _check_choice(f"{path}: architectures", name, architectures)
        for reconstruction in entry["reconstructions"]:
            _check_choice(f"{path}: architectures.{name}.reconstructions", reconstruction, architectures[name])


def _check_devices(path: Path, configuration: Configuration) -> None:
    """Device names are parts of file names, so they must differ; what narrows a device must be part of the scale."""
    entries = configuration["architectures"]
    names = [device["name"] for device in configuration["devices"]]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: devices must have different names, but are called {', '.join(names)}.")
    for device in configuration["devices"]:
        where = f"{path}: devices.{device['name']}"
        for name in device["architectures"] or []:
            _check_choice(f"{where}.architectures", name, entries)
        for name, reconstructions in device["reconstructions"].items():
            _check_choice(f"{where}.reconstructions", name, entries)
            for reconstruction in reconstructions:
                _check_choice(f"{where}.reconstructions.{name}", reconstruction, entries[name]["reconstructions"])


def _check_image_sizes(path: Path, configuration: Configuration) -> None:
    """Refuse images whose side a network cannot halve at each of its poolings."""
    from bench.numerics.points import START  # here, since it imports this

    sizes = [
        (f"data.image_size for {name}", configuration["data"]["image_size"], len(entry["depths"]))
        for name, entry in configuration["architectures"].items()
        if name in POOLING
    ]
    if numerics := configuration["numerics"]:
        sizes.append(("numerics.data.image_size", numerics["data"]["image_size"], len(START)))
    for where, size, resolutions in sizes:
        if size % (factor := 2 ** (resolutions - 1)):
            raise InputError(
                f"{path}: {where} must be a multiple of {factor} ({resolutions} resolutions), but is {size}."
            )


def _check_choice(where: str, given: str, choices: Collection[str]) -> None:
    if given not in choices:
        raise InputError(f"{where} says {given!r}, but must be one of {', '.join(choices)}{nearest(given, choices)}.")
