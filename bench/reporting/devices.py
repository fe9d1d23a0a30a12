"""What Table 2 calls the device of each row, so that no two are taken for one."""

from collections.abc import Mapping

import pandas as pd

from bench.reporting.summary import GROUP, usable


def row_labels(
    runs: pd.DataFrame, labels: Mapping[str, str], include_stale: bool = False
) -> dict[tuple[str, str, str], str]:
    """The label of every row, by its device, architecture and reconstruction.

    It is the device's of `labels`, or else the hardware of the row's own runs, or of the device's where the row has
    none, or the device's name. Devices that come to the same label have their names added.
    """
    used, found = usable(runs, include_stale), {}
    for names in runs.groupby(GROUP, sort=False).groups:
        of_device = used[used["device"] == names[0]]
        own = of_device[(of_device[GROUP] == list(names)).all(axis=1)]
        found[names] = labels.get(names[0]) or _hardware(own) or _hardware(of_device) or names[0]
    devices = {label: {names[0] for names, other in found.items() if other == label} for label in found.values()}
    return {names: f"{label}, {names[0]}" if len(devices[label]) > 1 else label for names, label in found.items()}


def mixed_devices(runs: pd.DataFrame, include_stale: bool = False) -> list[str]:
    """A sentence a device for whatever its runs were not all made with: neither times nor gaps are of that alone."""
    what = {"hardware": "on different hardware", "torch": "with different versions of torch"}
    return [
        f"The runs of {device} were made {words}: {'; '.join(group[column].dropna().unique())}."
        for device, group in usable(runs, include_stale).groupby("device", sort=False)
        for column, words in what.items()
        if group[column].nunique() > 1
    ]


def _hardware(used: pd.DataFrame) -> str:
    return "; ".join(used["hardware"].dropna().unique())
