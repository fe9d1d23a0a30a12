"""From the `--device` of a command to an entry of the configuration's `devices` and a torch device."""

from typing import Any

import torch

from bench.errors import InputError

KINDS = ("auto", "cpu", "cuda")


def device_entry(config: dict[str, Any], given: str | None) -> dict[str, Any]:
    """The entry called `given` (None: the first), or a plain one for a kind of device: auto, cpu or cuda."""
    entries = {entry["name"]: entry for entry in config.get("devices", [])}
    if given is None:
        return next(iter(entries.values()), plain_entry("auto"))
    if given in entries:
        return entries[given]
    if given in KINDS:
        return plain_entry(given)
    raise InputError(f"There is no device {given!r}; choose one of {', '.join(dict.fromkeys([*entries, *KINDS]))}.")


def plain_entry(kind: str) -> dict[str, Any]:
    """An entry that caps, narrows and overrides nothing."""
    nothing = dict.fromkeys(("memory_cap_mb", "label", "architectures", "seeds", "batch_size", "epochs"))
    return {"name": kind, "device": kind, **nothing, "reconstructions": {}, "processes": 1}


def torch_device(kind: str) -> torch.device:
    """The device of a kind: `auto` is a CUDA GPU where there is one, else the CPU."""
    if kind not in KINDS:
        raise InputError(f"There is no kind of device {kind!r}; choose one of {', '.join(KINDS)}.")
    available = torch.cuda.is_available()
    if kind == "cuda" and not available:
        raise InputError("The device 'cuda' was asked for but torch finds no CUDA GPU; use --device cpu or auto.")
    return torch.device("cuda" if available and kind != "cpu" else "cpu")
