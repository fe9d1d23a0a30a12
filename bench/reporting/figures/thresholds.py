"""Below which signal-to-noise ratio something goes wrong: the ratio that separates best, and how clearly it does."""

import numpy as np
import pandas as pd

from bench.reporting.figures.frames import FAILED


def threshold(snr_db: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """The SNR, in dB, below which `wrong` is true with the fewest exceptions; where several do, their middle.

    It lies between two different ratios; NaN where there are none, or where nothing or everything is wrong.
    `highest_wrong_db` and `lowest_right_db` say between which ratios both occur.
    """
    order = np.argsort(snr_db, kind="stable")
    snr, bad = snr_db[order], wrong[order].astype(int)
    found = {
        "threshold_db": np.nan,
        "exceptions": int(min(bad.sum(), (1 - bad).sum())),
        "highest_wrong_db": snr[bad == 1].max() if bad.any() else np.nan,
        "lowest_right_db": np.nan if bad.all() else snr[bad == 0].min(),
    }
    between = np.flatnonzero(snr[:-1] < snr[1:])  # equal ratios all lie on one side
    if not bad.any() or bad.all() or not len(between):
        return found
    # With a threshold after place i, what is right up to it and wrong above it are exceptions.
    exceptions = (np.cumsum(1 - bad) + bad.sum() - np.cumsum(bad))[between]
    best = between[exceptions == exceptions.min()]
    middle = best[len(best) // 2]
    return found | {"threshold_db": (snr[middle] + snr[middle + 1]) / 2, "exceptions": int(exceptions.min())}


def thresholds_frame(angles: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Angles of 10 and 45 degrees by the convolution's SNR; failed training by the network's smallest one.

    A run that diverged has failed, even if its ideal twin did so as well and is not ahead of it.
    """
    rows = []
    for degrees in (10, 45):
        found = threshold(angles["snr_db"].to_numpy(), (angles["angle_degrees"] > degrees).to_numpy())
        rows.append({"below_it": f"gradient off by more than {degrees} degrees", "n": len(angles), **found})
    runs = places[(places["mode"] != "ideal")].drop_duplicates("point").dropna(subset=["snr_initial_db"])
    failed = (runs["gap"] > FAILED) | runs["diverged"]
    found = threshold(runs["snr_initial_db"].to_numpy(), failed.to_numpy())
    fails = f"training more than {100 * FAILED:g} points behind ideal (smallest SNR before training)"
    return pd.DataFrame([*rows, {"below_it": fails, "n": len(runs), **found}])
