"""Day-ahead forecasts from past meter readings alone.

Load is forecast by half the mean of the last seven days and half the mean of the last four same
weekdays. The sun keeps no weekdays, so generation is forecast by the mean of the last seven days.
Only whole days count whose readings are due by the day-ahead gate: with the gate at noon the
newest of them is the day before yesterday, and nothing of the delivery day or of the day before
it is looked at. `docs/guide/scenarios.md` has the measured errors, also of what was tried instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from dem.errors import InputError

Energy: TypeAlias = npt.NDArray[np.int64]
"""Wh, integer."""

RECENT_DAYS = 7
SAME_WEEKDAYS = 4
DAYS_WANTED = 7 * SAME_WEEKDAYS
"""Days before the delivery day that a forecast looks back; with fewer it does what it can."""

RECENT_LOAD_SECONDS, LOAD_HALVES_SECONDS = 3_600, 3_600
"""Over how long the recent error of load is taken, and after how long half of it is left."""
RECENT_PV_SECONDS, PV_HALVES_SECONDS = 3_600, 14_400
"""The same of generation."""
MOST_SUN = 2
"""So many times the generation forecast is expected at most."""

_PERMILLE = 1_000


@dataclass(frozen=True, slots=True)
class Past(Sequence[Energy]):
    """What meters showed on successive whole days, oldest first; a day is looked up when it is asked for.

    of: energy of a day, Wh, not negative, of the same shape for each, such as (meters, periods).
    days: the numbers by which it knows them.
    """

    of: Callable[[int], Energy]
    days: range

    def __len__(self) -> int:
        return len(self.days)

    @overload
    def __getitem__(self, index: int) -> Energy: ...
    @overload
    def __getitem__(self, index: slice) -> "Past": ...
    def __getitem__(self, index: int | slice) -> "Energy | Past":
        return Past(self.of, self.days[index]) if isinstance(index, slice) else self.of(self.days[index])


@dataclass(frozen=True, slots=True)
class History:
    """What meters showed on whole days up to the gate.

    load, pv: consumption and generation before netting, of the same days.
    lead: days from the newest of them to the day to be forecast, at least 1.
    """

    load: Past
    pv: Past
    lead: int

    def __post_init__(self) -> None:
        if self.load.days != self.pv.days:
            raise InputError("history", (self.load.days, self.pv.days), "must be of the same days")
        if len(self.load) == 0:
            raise InputError("history", self.load.days, "must hold at least one whole day")
        if self.lead < 1:
            raise InputError("history lead in days", self.lead, "must be at least 1")


def forecast(history: History) -> Energy:
    """Net consumption of the coming day, Wh (generation negative)."""
    return forecast_load(history.load, history.lead) - forecast_pv(history.pv)


def past_net(history: History) -> Energy:
    """Net consumption on the days that the forecast looks at, each once, Wh, of shape (days, meters, periods).

    The last 7 days and the last 4 same weekdays. The coming day may turn out as any of them, for all that is known.
    """
    back = {*range(1, RECENT_DAYS + 1), *(7 * week - history.lead + 1 for week in range(1, SAME_WEEKDAYS + 1))}
    days = [-days for days in sorted(back) if 1 <= days <= len(history.load)]
    return np.array([history.load[day] - history.pv[day] for day in days])


def forecast_load(load: Past, lead: int) -> Energy:
    """Half the mean of the last 7 days and half the mean of the last 4 same weekdays.

    lead: days from the newest day to the target.
    Returns Wh, rounded half up; exact, as sums and quotient are integers.
    """
    recent = load[-RECENT_DAYS:]
    back = (7 * week - lead + 1 for week in range(1, SAME_WEEKDAYS + 1))  # days from the end
    same = [load[-days] for days in back if 1 <= days <= len(load)]
    if not same:
        return forecast_pv(load)
    twice = _sum(recent) * len(same) + _sum(same) * len(recent)
    return _rounded(twice, 2 * len(recent) * len(same))


def forecast_pv(pv: Past) -> Energy:
    """Mean of the last 7 days, Wh, rounded half up."""
    recent = pv[-RECENT_DAYS:]
    return _rounded(_sum(recent), len(recent))


def revise_load(expected: Energy, shown: Energy, period_seconds: int) -> Energy:
    """Load of the rest of a day, Wh, not negative, rounded half up.

    expected: day ahead, shape (meters, periods). shown: by the meters so far, its first periods.
    """
    known, rest = _so_far(expected, shown)
    recent = min(known, max(1, RECENT_LOAD_SECONDS // period_seconds))
    if not recent:
        return rest
    error = (shown[:, -recent:] - expected[:, known - recent : known]).sum(axis=1)
    left = _left(rest.shape[1], LOAD_HALVES_SECONDS, period_seconds)
    revised: Energy = np.maximum(0, rest + _rounded(error[:, np.newaxis] * left, recent * _PERMILLE))
    return revised


def revise_pv(expected: Energy, shown: Energy, period_seconds: int) -> Energy:
    """Generation of the rest of a day, Wh, rounded half up; as forecast where the sun has not shone yet."""
    known, rest = _so_far(expected, shown)
    recent = min(known, max(1, RECENT_PV_SECONDS // period_seconds))
    if not recent:
        return rest
    was = shown[:, -recent:].sum(axis=1)
    should = expected[:, known - recent : known].sum(axis=1)
    was = np.where(should > 0, np.minimum(was, MOST_SUN * should), 1)[:, np.newaxis]
    should = np.where(should > 0, should, 1)[:, np.newaxis]
    left = _left(rest.shape[1], PV_HALVES_SECONDS, period_seconds)
    scale = should * _PERMILLE
    revised: Energy = (2 * rest * (scale + (was - should) * left) + scale) // (2 * scale)
    return revised


def _so_far(expected: Energy, shown: Energy) -> tuple[int, Energy]:
    """Number of periods shown, and what was expected of the others."""
    known = shown.shape[1]
    if known > expected.shape[1] or len(shown) != len(expected):
        raise InputError("readings so far, shape", shown.shape, f"must be of the first periods of {expected.shape}")
    return known, expected[:, known:]


def _left(periods: int, halves_seconds: int, period_seconds: int) -> Energy:
    """What is left of an error after one period, two, ...: 1/1000."""
    passed = np.arange(periods) * period_seconds / halves_seconds
    left: Energy = np.rint(_PERMILLE * 0.5**passed).astype(np.int64)
    return left


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


def _sum(days: Sequence[Energy]) -> Energy:
    total: Energy = np.sum(list(days), axis=0)
    return total


def _rounded(numerator: Energy, denominator: int) -> Energy:
    """numerator / denominator, half a Wh rounded up."""
    quotient: Energy = (2 * numerator + denominator) // (2 * denominator)
    return quotient
