"""The plan of a scale: which runs and measurements it has, and the key of each.

Keys tell whether a record was made by what would be done now: they change with the parts of the configuration that the
record depends on, and with the code. Snakemake compares them as parameters, and the tables as text of the records.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from bench.configuration import Configuration
from bench.errors import InputError
from bench.plugins import sources_of
from bench.provenance import code_digest


@dataclass(frozen=True)
class Run:
    """One training run: a row's architecture and reconstruction, on one device, from one seed."""

    architecture: str
    reconstruction: str
    device: str
    seed: int

    @property
    def name(self) -> str:
        """The run's folder in results/<scale>/runs."""
        return f"{self.architecture}-{self.reconstruction}-{self.device}-seed{self.seed}"


def planned_runs(configuration: Configuration) -> list[Run]:
    """All training runs, in the order of the tables. A device may narrow what is trained on it.

    Raises:
        InputError: the accuracies would not be of test images.
    """
    if held_out := configuration["data"]["validation_images"]:
        raise InputError(
            f"data.validation_images is {held_out}, but the runs of a scale are evaluated on test images; take it out "
            "(python -m bench search holds images out itself)."
        )
    return [
        Run(architecture, reconstruction, device["name"], seed)
        for device in configuration["devices"]
        for architecture, entry in configuration["architectures"].items()
        if device["architectures"] is None or architecture in device["architectures"]
        for reconstruction in device["reconstructions"].get(architecture, entry["reconstructions"])
        for seed in device["seeds"] or entry["seeds_of"].get(reconstruction) or entry["seeds"] or configuration["seeds"]
    ]


def memory_targets(configuration: Configuration) -> list[tuple[str, str]]:
    """The (architecture, reconstruction) pairs whose memory is measured."""
    return [
        (architecture, reconstruction)
        for architecture, entry in configuration["architectures"].items()
        for reconstruction in entry["reconstructions"]
    ]


def steps_targets(configuration: Configuration) -> list[str]:
    """The architectures whose training step is timed; one process times all reconstructions of one, interleaved."""
    return list(configuration["architectures"])


# Networks that are another one in other numbers, and have no ideal mode of their own: compared with that one's.
ORIGINALS = {"streamed-int16": "streamed"}

SAME_TIMELINE = ("offloading", "mixed-precision")  # ResNet-18's, on another device or with smaller numbers


def timeline_targets(configuration: Configuration) -> list[tuple[str, str]]:
    """The (architecture, reconstruction) pairs that have a timeline: each architecture as it holds least."""
    return [
        (architecture, "noisy" if "noisy" in entry["reconstructions"] else entry["reconstructions"][-1])
        for architecture, entry in configuration["architectures"].items()
        if architecture not in SAME_TIMELINE
    ]


def device_entry(configuration: Configuration, name: str) -> dict[str, Any]:
    """The device called `name`."""
    return next(device for device in configuration["devices"] if device["name"] == name)


def table1_device(configuration: Configuration) -> dict[str, Any]:
    """The device that Table 1 is about, and that memory and steps are measured on: the first without a memory cap."""
    devices = configuration["devices"]
    return next((device for device in devices if not device["memory_cap_mb"]), devices[0])


def run_key(configuration: Configuration, run: Run) -> str:
    """Key (12 hexadecimal digits) of a training run's record."""
    device = device_entry(configuration, run.device)
    return _key(
        "train",
        configuration,
        run.architecture,
        run=[run.reconstruction, run.seed],
        data=configuration["data"],
        training=configuration["training"],
        target_accuracy=configuration["target_accuracy"],
        device={key: device[key] for key in ("device", "memory_cap_mb", "batch_size", "epochs", "processes")},
    )


def measured_recipe(configuration: Configuration) -> dict[str, Any]:
    """What of the recipe a training step's memory and time depend on."""
    return {key: configuration["training"][key] for key in ("precision", "norm_scale", "norm_scale_eps")}


def memory_key(configuration: Configuration, architecture: str, reconstruction: str) -> str:
    """Key of a memory record."""
    return _key(
        "memory",
        configuration,
        architecture,
        reconstruction=reconstruction,
        image_size=configuration["data"]["image_size"],
        training=measured_recipe(configuration),
        memory=configuration["memory"],
        **_kind(configuration),
    )


def steps_key(configuration: Configuration, architecture: str) -> str:
    """Key of a record of step times."""
    return _key(
        "steps",
        configuration,
        architecture,
        reconstructions=configuration["architectures"][architecture]["reconstructions"],
        image_size=configuration["data"]["image_size"],
        training=measured_recipe(configuration),
        steps=configuration["steps"],
        **_kind(configuration),
    )


def timeline_key(configuration: Configuration) -> str:
    """Key of the record of all timelines."""
    parts = [memory_key(configuration, *pair) for pair in timeline_targets(configuration)]
    return hashlib.sha256("timeline".join(parts).encode()).hexdigest()[:12]


def numerics_targets(configuration: Configuration) -> list[str]:
    """The experiments on numerical noise; none where the configuration has no section `numerics`."""
    return ["layers", "sweeps"] if configuration["numerics"] else []


def numerics_key(configuration: Configuration, experiment: str) -> str:
    """Key of an experiment's record."""
    numerics = configuration["numerics"]
    if experiment == "layers":
        numerics = {key: numerics[key] for key in ("seeds", "layer_points")}
    foreign = _foreign_data(configuration) if experiment == "sweeps" else {}
    return _digest(
        "numerics", configuration, experiment=experiment, numerics=numerics, **foreign, **_kind(configuration)
    )


def point_key(configuration: Configuration, point: dict[str, Any]) -> str:
    """Key of the record of one training run of a sweep: of itself, not of the sweep's other points."""
    numerics = configuration["numerics"]
    shared = {key: numerics[key] for key in ("data", "training", "initial_channels")}
    foreign = _foreign_data(configuration)
    return _digest("numerics", configuration, point=point, numerics=shared, **foreign, **_kind(configuration))


def _foreign_data(configuration: Configuration) -> dict[str, Any]:
    """The plugin that the experiments' data set comes from, where it comes from one."""
    foreign = sources_of("", configuration["numerics"]["data"]["name"])
    return {"plugins": foreign} if foreign else {}


def _kind(configuration: Configuration) -> dict[str, Any]:
    """The kind of device that is measured on, where the configuration says one: not `auto`, what each machine has."""
    kind = table1_device(configuration)["device"]
    return {} if kind == "auto" else {"device": kind}


def _digest(kind: str, configuration: Configuration, **parts: Any) -> str:
    """Digest of the code that a record of `kind` depends on and of what it was asked for (JSON values)."""
    shared = {key: configuration[key] for key in ("classes", "in_channels", "threads")}
    text = json.dumps([code_digest(kind), shared, parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _key(kind: str, configuration: Configuration, architecture: str, **parts: Any) -> str:
    """Digest of the code that a record of `kind` depends on, the network and what else matters (JSON values)."""
    entry = configuration["architectures"][architecture]
    network = {key: entry[key] for key in ("depths", "initial_channels", "options")}
    shared = {key: configuration[key] for key in ("classes", "in_channels", "budget", "threads")}
    foreign = sources_of(architecture, parts["data"]["name"] if "data" in parts else None)
    if foreign:
        parts["plugins"] = foreign
    text = json.dumps([code_digest(kind), architecture, network, shared, parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
