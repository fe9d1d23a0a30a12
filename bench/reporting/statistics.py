"""The statistics of the tables. Every one carries its n; a single run has no interval, and none is made up."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A mean of `n` values with its two-sided 95 % t-interval; NaN where n is too small (mean: 0, interval: 0 or 1)."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class TimeToTarget:
    """Median over `n` runs, a run that did not reach the target counted as infinite, and how many reached it."""

    median_s: float
    reached: int
    n: int


def mean_interval(values: pd.Series) -> Interval:
    """Mean of `values` and its 95 % interval by Student's t with n - 1 degrees of freedom."""
    numbers = values.dropna().to_numpy(dtype=float)
    n = len(numbers)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(numbers.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = float(stdtrit(n - 1, 0.975) * numbers.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def paired_gap(values: pd.Series, ideal: pd.Series) -> Interval:
    """Interval of `values` minus `ideal`, both indexed by seed: only seeds that both have are compared.

    Pairing takes the variation from seed to seed (initial weights, order of images) out of the difference.
    """
    return mean_interval(values - ideal)


def time_to_target(times_s: pd.Series) -> TimeToTarget:
    """Median time to target; NaN among `times_s` is a run that ended without reaching it.

    Such a run counts as infinitely long (never dropped: a mean over the survivors would flatter a network that
    often fails), so the median is infinite where fewer than half the runs, or just half, reach the target.
    """
    reached = int(times_s.notna().sum())
    if len(times_s) == 0:
        return TimeToTarget(math.nan, 0, 0)
    return TimeToTarget(float(np.median(times_s.fillna(math.inf))), reached, len(times_s))
