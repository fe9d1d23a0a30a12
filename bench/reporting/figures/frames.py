"""From the records of the numerics experiments to tidy frames: what the CSVs beside the figures hold."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.reporting.figures import authors

FAILED = 0.05  # accuracy by which noisy training must fall behind its ideal twin to count as failed


def points_frame(sweeps: Mapping[str, Any]) -> pd.DataFrame:
    """A row a training run: settings, accuracy (a diverged network predicts nothing, so it counts as chance), SNRs."""
    chance = 1 / sweeps["settings"]["classes"]
    rows = []
    for name, record in sweeps["points"].items():
        settings, outcome, looks = record["settings"], record["outcome"], record["looks"]
        accuracy = outcome["accuracy"]
        rows.append(
            {
                "point": name,
                **{key: settings[key] for key in ("architecture", "mode", "step", "seed", "units")},
                "depth": sum(settings["depths"]),
                "diverged": outcome["status"] == "diverged",
                "accuracy": chance if accuracy is None else accuracy,
                "snr_initial_db": looks["initial"]["smallest_snr_db"],
                "snr_final_db": looks.get("final", {}).get("smallest_snr_db"),
            }
        )
    return pd.DataFrame(rows)


def places_frame(sweeps: Mapping[str, Any]) -> pd.DataFrame:
    """A row a point of a sweep, with what its training run gave, and `gap`: how far it is behind its ideal twin."""
    places = pd.DataFrame(sweeps["places"]).merge(points_frame(sweeps), on="point")
    twin = ["sweep", "architecture", "slope", "repair", "step", "seed"]
    ideal = places[places["mode"] == "ideal"].set_index(twin)["accuracy"]
    keys = pd.MultiIndex.from_frame(places[twin])
    return places.assign(gap=ideal.reindex(keys).to_numpy() - places["accuracy"].to_numpy())


def sweep_frame(places: pd.DataFrame, architecture: str) -> pd.DataFrame:
    """Figures 11 and 13: a row a depth or slope and mode, over the seeds; the authors' depths below."""
    ours = places[(places["architecture"] == architecture) & places["sweep"].isin(["depth", "slope"])]
    groups = ours.groupby(["sweep", "step", "depth", "units", "slope", "mode"], dropna=False, sort=True)
    frame = summarised(groups).reset_index()
    theirs = pd.DataFrame([row for row in authors.rows() if row["architecture"] == architecture])
    return pd.concat(
        [frame.assign(source="measured", architecture=architecture), theirs.assign(sweep="depth")], ignore_index=True
    )


def repairs_frame(places: pd.DataFrame) -> pd.DataFrame:
    """A row a repair, depth and mode."""
    groups = places[places["sweep"] == "repairs"].groupby(["repair", "step", "units", "mode"], sort=False)
    return summarised(groups).reset_index()


def summarised(groups: Any) -> pd.DataFrame:
    """Mean, smallest and largest over the seeds of each group."""
    return groups.agg(
        n=("seed", "size"),
        diverged=("diverged", "sum"),
        accuracy_mean=("accuracy", "mean"),
        accuracy_low=("accuracy", "min"),
        accuracy_high=("accuracy", "max"),
        gap_mean=("gap", "mean"),
        gap_low=("gap", "min"),
        gap_high=("gap", "max"),
        snr_initial_db=("snr_initial_db", "mean"),
        snr_final_db=("snr_final_db", "mean"),
    )


def layers_frame(sweeps: Mapping[str, Any]) -> pd.DataFrame:
    """A row a layer, look and run of the depth sweep: SNR of its restored input, angle of its gradient."""
    depth = {row["point"] for row in sweeps["places"] if row["sweep"] == "depth"}
    frames = []
    for name, record in sweeps["points"].items():
        if name in depth:
            for when, look in record["looks"].items():
                columns = {key: look[key] for key in ("kind", "inside_block", "snr_db", "angle_degrees")}
                settings = {key: record["settings"][key] for key in ("architecture", "mode", "step", "seed", "units")}
                position = range(1, len(look["kind"]) + 1)
                frames.append(pd.DataFrame(columns).assign(**settings, when=when, position=position))
    order = ["architecture", "mode", "step", "units", "seed", "when", "position"]
    frame = pd.concat([frame.dropna(axis=1, how="all") for frame in frames], ignore_index=True)
    return frame[[*order, "kind", "inside_block", "snr_db", "angle_degrees"]]


def curves(layers: pd.DataFrame, architecture: str) -> pd.DataFrame:
    """Figures 10 and 12: a layer-wise and a hybrid network of the same number of units, or the nearest there is."""
    ours = layers[layers["seed"] == layers["seed"].min()]
    hybrid_units = ours.loc[ours["architecture"] == "hybrid", "units"].min()
    ours = ours[ours["architecture"] == architecture]
    units = min(ours["units"].unique(), key=lambda count: abs(count - hybrid_units))
    shown = (ours["mode"] == "ideal") | ((ours["mode"] == "renormalised") & (ours["when"] == "initial"))
    return ours[(ours["units"] == units) & shown].drop(columns="angle_degrees")


def angles_frame(layers: pd.DataFrame) -> pd.DataFrame:
    """Every convolution whose input's SNR and gradient's angle are known."""
    return layers[layers["kind"] == "InvertibleConv2d"].dropna(subset=["snr_db", "angle_degrees"])
