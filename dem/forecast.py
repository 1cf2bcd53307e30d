"""Day-ahead forecasts from past meter readings alone.

Load is forecast by half the mean of the last seven days and half the mean of the last four same
weekdays. The sun keeps no weekdays, so generation is forecast by the mean of the last seven days.
Only whole days count whose readings are due by the day-ahead gate: with the gate at noon the
newest of them is the day before yesterday, and nothing of the delivery day or of the day before
it is looked at. `docs/scenarios.md` has the measured errors, also of what was tried instead.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dem.errors import InputError

Energy: TypeAlias = npt.NDArray[np.int64]
"""Wh, integer."""

RECENT_DAYS = 7
SAME_WEEKDAYS = 4
DAYS_WANTED = 7 * SAME_WEEKDAYS
"""Days before the delivery day that a forecast looks back; with fewer it does what it can."""


@dataclass(frozen=True, slots=True)
class History:
    """What one participant's meter showed on whole days up to the gate.

    load, pv: consumption and generation before netting, Wh, shape (days, periods per day), neither
    negative, oldest day first.
    lead: days from the newest of them to the day to be forecast, at least 1.
    """

    load: Energy
    pv: Energy
    lead: int

    def __post_init__(self) -> None:
        if self.load.ndim != 2 or self.load.shape != self.pv.shape:
            shapes = (self.load.shape, self.pv.shape)
            raise InputError("history", shapes, "must be two tables (days, periods) of one shape")
        if len(self.load) == 0:
            raise InputError("history", self.load.shape, "must hold at least one whole day")
        if self.lead < 1:
            raise InputError("history lead in days", self.lead, "must be at least 1")


def forecast(history: History) -> list[int]:
    """Net consumption of the coming day, Wh per slot (generation negative)."""
    net = forecast_load(history.load, history.lead) - forecast_pv(history.pv)
    return [int(energy) for energy in net]


def forecast_load(load: Energy, lead: int) -> Energy:
    """Half the mean of the last 7 days and half the mean of the last 4 same weekdays.

    load: Wh, shape (days, periods), oldest first, the newest `lead` days before the target.
    Returns Wh, shape (periods,), rounded half up; exact, as sums and quotient are integers.
    """
    recent = load[-RECENT_DAYS:]
    back = [7 * week - lead + 1 for week in range(1, SAME_WEEKDAYS + 1)]  # rows from the end
    same = load[[len(load) - rows for rows in back if 1 <= rows <= len(load)]]
    if len(same) == 0:
        return forecast_pv(load)
    twice = recent.sum(axis=0) * len(same) + same.sum(axis=0) * len(recent)
    return _rounded(twice, 2 * len(recent) * len(same))


def forecast_pv(pv: Energy) -> Energy:
    """Mean of the last 7 days: Wh, shape (days, periods) -> (periods,), rounded half up."""
    recent = pv[-RECENT_DAYS:]
    return _rounded(recent.sum(axis=0), len(recent))


def error_share(forecasts: npt.ArrayLike, metered: npt.ArrayLike, reference: npt.ArrayLike | None = None) -> float:
    """Weighted absolute percentage error: sum |forecast - metered| / sum |reference|.

    Wh in arrays of one shape. The reference is what was metered unless another is given: errors
    of net consumption are usually quoted as a share of load.

    Raises:
        InputError: the shapes differ, or the reference sums to zero.
    """
    predicted, actual = np.asarray(forecasts), np.asarray(metered)
    if predicted.shape != actual.shape:
        shapes = (predicted.shape, actual.shape)
        raise InputError("forecast and metered", shapes, "must be of one shape")
    total = np.abs(actual if reference is None else np.asarray(reference)).sum()
    if total == 0:
        raise InputError("reference energy of a forecast error", 0, "must not be zero")
    return float(np.abs(predicted - actual).sum() / total)


def _rounded(numerator: Energy, denominator: int) -> Energy:
    """numerator / denominator, half a Wh rounded up; numerator not negative."""
    rounded: Energy = (2 * numerator + denominator) // (2 * denominator)
    return rounded
