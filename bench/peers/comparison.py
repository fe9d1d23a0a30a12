"""All methods in one process: gradients and bytes one after the other, times interleaved."""

import dataclasses
import importlib.util
import warnings
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import torch
from torch import nn

from bench.memory.steps import paired_ratio, time_steps
from bench.peers import measure
from bench.peers.chain import CLASSES, IN_CHANNELS, Parts
from bench.peers.measure import Shape
from bench.peers.methods import METHODS, PLAIN, Method, network
from bench.training.memory_format import place

OK, NOT_INSTALLED, FAILED = "ok", "not installed", "failed"


def compare(shape: Shape, rounds: int, device: torch.device, methods: Mapping[str, Method] = METHODS) -> dict[str, Any]:
    """{method: its row}, plain autograd's first; a library that is not there, or fails, is a row that says so."""
    reference = _gradients(methods[PLAIN], shape, device)
    rows: dict[str, Any] = {}
    networks: dict[str, nn.Module] = {}
    for name, method in methods.items():
        rows[name], model = _attempt(method, shape, device, reference)
        if model is not None:
            networks[name] = model
    seconds = time_steps(networks, shape.batch_size, shape.image_size, rounds, IN_CHANNELS, CLASSES, device)
    for name, times in seconds.items():
        bytes_ratio = rows[name]["bytes_per_pixel"] / rows[PLAIN]["bytes_per_pixel"]
        time_ratio = dataclasses.asdict(paired_ratio(times, seconds[PLAIN]))
        rows[name] |= {"bytes_ratio": bytes_ratio, "seconds": times, "time_ratio": time_ratio}
    return rows


def rounding(shape: Shape, device: torch.device) -> dict[str, float]:
    """Errors of plain autograd in float32 against itself in float64: what is no method's fault."""
    found, exact = (_gradients(METHODS[PLAIN], shape, device, dtype) for dtype in (torch.float32, torch.float64))
    return dataclasses.asdict(measure.compared(found, exact))


def _gradients(
    method: Method, shape: Shape, device: torch.device, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    model, parts = network(method, shape.channels, shape.blocks)
    return measure.gradients(place(model, device), parts, shape, dtype)


def _attempt(
    method: Method, shape: Shape, device: torch.device, reference: list[torch.Tensor]
) -> tuple[dict[str, Any], nn.Module | None]:
    """(the row, the network if it can be trained)."""
    row: dict[str, Any] = {"library": method.library, "version": None}
    if method.library and not _is_there(method.library):
        return row | {"status": NOT_INSTALLED}, None
    row["version"] = _version(method.library) if method.library else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # a library's own use of torch is not the reader's concern
        warnings.filterwarnings("ignore", message="TypedStorage is deprecated", category=UserWarning)
        try:
            model, parts = network(method, shape.channels, shape.blocks)
            return row | {"status": OK, **_measured(place(model, device), parts, shape, device, reference)}, model
        except Exception as error:
            if method.library is None:
                raise
            # Libraries that nobody maintains break with newer versions of torch: that is a finding, not an end.
            return row | {"status": FAILED, "reason": f"{type(error).__name__}: {error}".partition("\n")[0]}, None


def _measured(
    model: nn.Module, parts: Parts, shape: Shape, device: torch.device, reference: list[torch.Tensor]
) -> dict[str, Any]:
    errors = measure.compared(measure.gradients(model, parts, shape), reference)
    updates = measure.statistics_updates(parts)
    found = measure.peaks(model, shape, device)
    return {
        "bytes_per_pixel": measure.bytes_per_pixel(found),
        "peaks": [dataclasses.asdict(peak) for peak in found],
        "gradients": dataclasses.asdict(errors),
        "statistics_updates": updates,
    }


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # a module without a specification is there all the same
        return True


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
