"""`python -m bench memory`: the peak memory of one training step, beside the theory."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from bench.training.leased import on_leased_gpu


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/quick.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument("--reconstruction", default="ideal", help="ideal, noisy or exact (default: ideal)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record, a JSON file")
    parser.add_argument("--batch-size", type=int, help="batch of the table's peak (default: memory.table_batch_size)")
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")


@on_leased_gpu
def run(arguments: argparse.Namespace) -> int:
    """Measure, compare with theory, write the record."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration
    from bench.errors import InputError
    from bench.memory import record
    from bench.memory.table_peak import NO_PEAK, ended
    from bench.plan import memory_key
    from bench.records import write_record
    from bench.training.device import device_entry, torch_device
    from bench.training.network import trained_network
    from bench.training.recipe import recipe_from
    from bench.training.settings import set_determinism, set_precision, set_threads

    config = configuration.load(arguments.config)
    table_batch = config["memory"]["table_batch_size"] if arguments.batch_size is None else arguments.batch_size
    if table_batch < 1:
        raise InputError(f"--batch-size is {table_batch}; it must be 1 or more.")
    architecture, reconstruction = arguments.architecture, arguments.reconstruction
    device = torch_device(device_entry(config, arguments.device)["device"])
    set_threads(config.get("threads", 0))
    set_precision(config["training"]["precision"])
    set_determinism(device, seed=0, capped=False, exact=reconstruction == "exact")
    model, shape = trained_network(config, architecture, reconstruction, recipe_from(config["training"]))
    settings = {**record.shape_settings(config, architecture, shape), "reconstruction": reconstruction}
    settings |= {"device_type": device.type, "optimizer": OPTIMIZER}
    found, outcome = ended(
        lambda: measured(model, settings, config["memory"]["batch_sizes"], table_batch, device),
        {**NO_PEAK, "table_batch_size": table_batch},
    )
    result = {
        "kind": "memory",
        "schema": record.SCHEMA,
        "settings": settings,
        "theory": theory(model, settings, table_batch),
        "measured": found,
        "outcome": outcome,
        **record.origin(config, "memory", memory_key(config, architecture, reconstruction), device),
    }
    write_record(arguments.output, result)
    print(f"{architecture}-{reconstruction}: {summary(result)}")
    return 0


def summary(result: dict[str, Any]) -> str:
    """The record in a line."""
    theory, measured = result["theory"]["bytes_per_pixel"], result["measured"]
    if measured["bytes_per_pixel"] is None:
        return f"{theory:.0f} bytes per pixel in theory; not measured, {result['outcome']['reason']}"
    return (
        f"{measured['bytes_per_pixel']:.0f} bytes per pixel measured, {theory:.0f} in theory;"
        f" {measured['table_peak_bytes'] / 1e6:.1f} MB at batch {measured['table_batch_size']}"
    )


OPTIMIZER = "sgd-nesterov"


def theory(model: Any, settings: dict[str, Any], table_batch: int) -> dict[str, Any]:
    """The cost model's account of the network. `batch_bytes` is the paper's M, `step_bytes` what a step holds."""
    from bench.memory.computation import forward_equivalents
    from bench.memory.cost_model import pixel_cost

    side = settings["image_size"]
    cost = pixel_cost(model, side, settings["in_channels"], settings["precision"])
    return {
        "weights_bytes": cost.weights_bytes,
        "weight_gradients_bytes": cost.weight_gradients_bytes,
        "optimizer_bytes": cost.optimizer_bytes,
        "state_bytes_per_pixel": cost.state,
        "hidden_bytes_per_pixel": cost.hidden,
        "gradient_bytes_per_pixel": cost.gradient,
        "image_bytes_per_pixel": cost.image,
        "bytes_per_pixel": cost.total,
        "batch_bytes": {str(table_batch): cost.batch_bytes(table_batch, side, side)},
        "step_bytes": {str(table_batch): cost.step_bytes(table_batch, side, side)},
        "forward_equivalents": forward_equivalents(model),
    }


def measured(
    model: Any, settings: dict[str, Any], batch_sizes: list[int], table_batch: int, device: Any
) -> dict[str, Any]:
    """Peaks at the configuration's two batch sizes, their slope, and the peak at the table's batch size."""
    from bench.memory.peak import Peak, bytes_per_pixel, measure_peak
    from bench.memory.table_peak import table_peak

    def measure(batch_size: int) -> Peak:
        size, channels, classes = (settings[key] for key in ("image_size", "in_channels", "classes"))
        return measure_peak(
            model, batch_size, size, channels, classes, settings["optimizer"], device, settings["precision"]
        )

    peaks = [measure(batch_size) for batch_size in batch_sizes]
    table_bytes, was_extrapolated = table_peak(peaks, table_batch, measure, device)
    return {
        "peaks": [_as_record(peak) for peak in peaks],
        "bytes_per_pixel": bytes_per_pixel(peaks),
        "table_batch_size": table_batch,
        "table_peak_bytes": table_bytes,
        "table_peak_extrapolated": was_extrapolated,
    }


def _as_record(peak: Any) -> dict[str, Any]:
    values = dataclasses.asdict(peak)
    reserved = values.pop("reserved_bytes")
    return values if reserved is None else {**values, "cuda_reserved_bytes": reserved}
