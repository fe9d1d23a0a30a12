"""How far something holds: the depth of noisy training with each repair, and the noise at which a formula fails."""

import pandas as pd

from bench.reporting.figures.frames import FAILED

CLOSE = 0.005  # accuracy within which noisy training counts as good as ideal
OFF = 0.05  # relative error of a formula that counts as failure


def repair_limits(repairs: pd.DataFrame) -> pd.DataFrame:
    """A row a repair: the deepest network, all shallower ones included, whose noisy training is as good as ideal.

    Where a noisy run diverged nothing holds, even if ideal training failed as well and so is not ahead of it.
    """
    rows = []
    for repair, group in repairs[repairs["mode"] == "noisy"].groupby("repair", sort=False):
        by_depth = group.sort_values("units")
        ended = by_depth["diverged"] == 0
        good = (ended & (by_depth["gap_mean"] <= CLOSE + 1e-9)).cumprod().astype(bool)
        trains = (ended & (by_depth["gap_mean"] <= FAILED)).cumprod().astype(bool)
        rows.append(
            {
                "repair": repair,
                "units_within_half_a_point": int(by_depth.loc[good, "units"].max()) if good.any() else 0,
                "units_tried_first": int(by_depth["units"].min()),
                "units_tried": int(by_depth["units"].max()),
                "all_tried_hold": bool(good.all()),
                "units_within_five_points": int(by_depth.loc[trains, "units"].max()) if trains.any() else 0,
                "snr_initial_db_at_smallest": by_depth["snr_initial_db"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def formula_limits(noise: pd.DataFrame) -> pd.DataFrame:
    """A row a layer and parameter: the least noise at which the formula is off by more than 5 %."""
    rows = []
    for (layer, parameter), group in noise.groupby(["layer", "parameter"], sort=False):
        off = group.loc[group["relative_error"].abs() > OFF, "noise_to_signal_db"]
        rows.append(
            {
                "layer": layer,
                "parameter": parameter,
                "formula_off_from_db": off.min() if len(off) else float("nan"),
                "largest_error": group["relative_error"].abs().max(),
                "largest_error_with_flips": group["flips_relative_error"].abs().max(),
            }
        )
    return pd.DataFrame(rows)
