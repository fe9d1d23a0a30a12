"""What keys of a configuration say against one another: a setting that no run would follow is refused, not recorded."""

from collections.abc import Iterator
from typing import Any

DEFAULT_EPS = 0.1  # of norm_scale_eps, in the schema


def contradiction(configuration: dict[str, Any]) -> str | None:
    """The first one, a sentence without its full stop that names the key; None where there is none.

    The configuration is one that `config/schema.yaml` describes, with its defaults filled in.
    """
    return next(_contradictions(configuration), None)


def _contradictions(configuration: dict[str, Any]) -> Iterator[str]:
    yield from _scale("training", configuration["training"])
    for name, entry in configuration["architectures"].items():
        for reconstruction in entry["seeds_of"]:
            if reconstruction not in entry["reconstructions"]:
                has = ", ".join(entry["reconstructions"])
                yield f"architectures.{name}.seeds_of names {reconstruction!r}, but its reconstructions are {has}"
    for device in configuration["devices"]:
        size, processes = device["batch_size"] or configuration["training"]["batch_size"], device["processes"]
        if size % processes:
            yield f"devices.{device['name']}: {processes} processes cannot share a batch of {size} images equally"
    if numerics := configuration["numerics"]:
        if held_out := numerics["data"]["validation_images"]:
            yield f"numerics.data.validation_images is {held_out}, but sweeps are evaluated on test images; take it out"
        yield from _scale("numerics.training", numerics["training"])
        precision = numerics["training"]["precision"]
        if precision != "float32":
            yield (
                f"numerics.training.precision must be float32, but is {precision!r} (what other formats change is a"
                " variant of numerics.repairs, such as tf32: true)"
            )


def _scale(where: str, training: dict[str, Any]) -> Iterator[str]:
    """`norm_scale_eps` changed from its default, where nothing is added to gamma."""
    eps, scale = training["norm_scale_eps"], training["norm_scale"]
    if scale != "absolute" and eps != DEFAULT_EPS:
        yield f"{where}.norm_scale_eps is {eps}, but takes effect only where norm_scale is absolute, not {scale}"
