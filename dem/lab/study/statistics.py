"""Paired differences between arms, with intervals clustered by week, and Holm's correction over the arms.

Days of a week resemble each other, and so do the seeds of a day. So a week, with all of its seeds, is one observation:
the standard error is that of a mean with clusters, with the usual correction for few of them (CR1), and the interval is
Student's with one degree of freedom less than there are weeks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dem.errors import InputError

Reals = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; low, high and p are not numbers with less than two weeks."""

    mean: float
    low: float
    high: float
    p: float
    days: int
    weeks: int


def estimate(values: Reals, weeks: Sequence[str]) -> Estimate:
    """The mean of values, each of a week, and whether it may be nothing.

    Raises:
        InputError: scipy is not installed.
    """
    try:
        from scipy.stats import t
    except ImportError as missing:
        raise InputError("study", None, "needs scipy: pip install 'dem[study]'") from missing
    known = ~np.isnan(values)
    values, of = values[known], np.asarray(weeks)[known]
    nothing = float("nan")
    if not len(values):
        return Estimate(nothing, nothing, nothing, nothing, 0, 0)
    mean = float(values.mean())
    names, row = np.unique(of, return_inverse=True)
    count = len(names)
    if count < 2:
        return Estimate(mean, nothing, nothing, nothing, len(values), count)
    sums = np.bincount(row, weights=values - mean)
    error = float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(values)
    half = float(t.ppf((1 + LEVEL) / 2, count - 1)) * error
    # Differences that are all alike leave no doubt.
    scale = max(abs(mean), float(abs(values).max()))
    if error <= 1e-12 * scale:
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0, len(values), count)
    p = 2 * float(t.sf(abs(mean) / error, count - 1))
    return Estimate(mean, mean - half, mean + half, p, len(values), count)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): the chance of a single false finding among all of them stays below p."""
    values = np.array(ps, float)
    corrected = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    result: list[float] = corrected.tolist()
    return result


def paired(frame: pd.DataFrame, metric: str, arm: str, baseline: str, keys: list[str]) -> tuple[Reals, list[str]]:
    """Differences of a metric between two arms, day by day and seed by seed, and the week of each."""
    one, other = (frame[frame["arm"] == name].set_index(keys) for name in (arm, baseline))
    both = one[[metric, "week"]].join(other[metric].rename("other"), how="inner")
    return (both[metric] - both["other"]).to_numpy(float), both["week"].tolist()
