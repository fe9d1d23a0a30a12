"""The key that a record of `python -m bench whole-batch` would have if it were made now: whether it is current."""

from typing import Any

from bench.jobs import outgrown
from bench.plan import Run, run_key


def present_key(config: dict[str, Any], record: dict[str, Any]) -> str | None:
    """Key of a valid `record` under the checked configuration `config`; None where it can have none.

    It has none where the configuration lacks its network, or a limit of time lower than the present one ended the step.
    Network, images, cap and seed are the command's own options and taken from the record, which the claims table tells;
    all else is the configuration's. It is `one_step` of bench/training/whole_batch.py without reading the data.
    """
    settings, sizes = record["settings"], record.get("data", {}).get("sizes")
    run = Run(settings["architecture"], settings["reconstruction"], settings["device"], settings["seed"])
    if sizes is None or run.architecture not in config["architectures"] or outgrown(record, config["time_limit_s"]):
        return None
    own = {"name": run.device, "memory_cap_mb": settings.get("memory_cap_mb"), "batch_size": None, "epochs": None}
    step = {
        **config,
        "data": {**config["data"], "train_images": settings["train_images"]},
        "training": {**config["training"], "batch_size": sizes[0], "epochs": 1, "warmup_fraction": 0.0},
        "devices": [{**config["devices"][0], **own, "processes": 1}],
    }
    return run_key(step, run)
