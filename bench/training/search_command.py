"""`python -m bench search`: try settings of the recipe on held-out training images, and keep the record of it."""

import argparse
import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, such as config/cpu.yaml")
    parser.add_argument("--architecture", required=True, help="one of the configuration's architectures")
    parser.add_argument("--reconstruction", default="ideal", help="ideal or noisy (default: ideal)")
    parser.add_argument(
        "--try",
        dest="tried",
        action="append",
        required=True,
        metavar="KEY=V1,V2,...",
        help="values of a recipe's setting (peak_learning_rate=0.1,0.2) or of an architecture's option "
        "(options.gain=0.5,1); given several times, every combination is tried",
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1], help="a run each for every combination (default: 1)"
    )
    parser.add_argument("--validation-images", type=int, default=5000, help="training images held out (default: 5000)")
    parser.add_argument("--device", help="a device of the configuration (default: its first), or cpu, cuda or auto")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for search.json and the runs behind it"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run what is not there yet, print the trials in order of accuracy, and write the record."""
    # Here, so that `--help` need not wait for torch.
    from bench import configuration, provenance
    from bench.records import write_record
    from bench.training.device import device_entry, torch_device
    from bench.training.lease import gpu_lease
    from bench.training.recipe import recipe_from
    from bench.training.search import changed, check_trial, check_tried, combinations, search, values_tried

    config = configuration.load(arguments.config)
    tried = combinations(values_tried(arguments.tried))
    entry = device_entry(config, arguments.device)
    kind = entry["device"]

    def changed_by(settings: dict[str, Any]) -> dict[str, Any]:
        return changed(config, arguments.architecture, settings, arguments.validation_images)

    for settings in tried:
        check_tried(settings, changed_by(settings), entry)
        check_trial(changed_by(settings), arguments.architecture, arguments.reconstruction, entry)

    def trial(settings: dict[str, Any], seed: int) -> dict[str, Any]:
        own = changed_by(settings)
        return trained(own, arguments, seed, arguments.output / "runs" / f"{name_of(settings)}-seed{seed}", lease)

    with gpu_lease(kind) as lease:
        trials = search(tried, arguments.seeds, trial)
    record = {
        "kind": "search",
        "schema": 1,
        "settings": {
            "scale": config["scale"],
            "architecture": arguments.architecture,
            "reconstruction": arguments.reconstruction,
            "data": {**config["data"], "validation_images": arguments.validation_images},
            "training": dataclasses.asdict(recipe_from(config["training"], entry)),
            "device": entry["name"],
            "memory_cap_mb": entry["memory_cap_mb"],
            "budget": config["budget"],
            "seeds": arguments.seeds,
        },
        "evaluated_on": "validation",
        "tried": tried,
        "trials": [each.entry() for each in trials],
        "chosen": trials[0].settings,
        "hardware": provenance.hardware(torch_device(kind)),
        "versions": provenance.versions(),
        "git": provenance.git(),
        "digest": {"code": provenance.code_digest()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_record(arguments.output / "search.json", record)
    for each in trials:
        words = ", ".join(f"{key}={value}" for key, value in each.settings.items())
        ended = f", {each.unfinished} of {len(each.accuracies)} runs not ended" if each.unfinished else ""
        score = f"{100 * each.score:.2f} % of {arguments.validation_images} held-out images"
        print(f"{score}, {each.seconds:.0f} s{ended}: {words}")
    return 0


def trained(
    config: dict[str, Any], arguments: argparse.Namespace, seed: int, folder: Path, lease: Any
) -> dict[str, Any]:
    """The record of one run, from its folder where it is of these settings and this code, else trained now.

    One that a lower time limit than the present one ended is gone on with.
    """
    from bench.jobs import outgrown
    from bench.records import key_of, read_record
    from bench.training.run import TrainingRun

    run = TrainingRun(
        config, arguments.architecture, arguments.reconstruction, seed, folder, arguments.device, lease=lease
    )
    place = folder / "record.json"
    if key_of(place) == run.digest["key"] and not outgrown(record := read_record(place), config["time_limit_s"]):
        return record
    return read_record(run.execute(resume=True))


def name_of(settings: dict[str, Any]) -> str:
    """A folder's name for a combination of settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
