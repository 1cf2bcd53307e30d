"""Bills of a run: of every member, by calendar month or day in local time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from dem.model.bills import CHARGE, Bill, Line
from dem.results.reader import OUTSIDERS, Results
from dem.results.statements import (
    StatementError,
    Statements,
    by_name,
    charge_lines,
    energy_lines,
    payment_lines,
    split_off,
    tax_lines,
)

MONTH, DAY = "%Y-%m", "%Y-%m-%d"
_UNBILLED = ("operator", "fallback supplier")
"""Offices without a meter: what they earn is in nobody's bill but in those of others."""


@dataclass(frozen=True, slots=True)
class Span:
    """A local month or day, as far as the run holds it. days: whether it is whole trading days."""

    name: str
    periods: range
    is_whole_days: bool


def spans_of(results: Results, by: str) -> list[Span]:
    """Those of a run, in order. by: MONTH or DAY."""
    run, periods = results.run, results.periods
    names = [run.local_start(period).strftime(by) for period in periods]
    firsts = [n for n, name in enumerate(names) if n == 0 or name != names[n - 1]]
    return [
        Span(
            names[first],
            periods[first:end],
            first % run.periods_per_day == 0 and (end - first) % run.periods_per_day == 0,
        )
        for first, end in zip(firsts, [*firsts[1:], len(periods)], strict=True)
    ]


def billed(results: Results) -> list[str]:
    """Who gets bills: everybody with an account, but for offices without a meter and the market itself."""
    return [name for name, kind in Statements.members(results).items() if kind not in _UNBILLED]


def bills_of(results: Results, by: str, only: Iterable[str] = ()) -> Iterator[Bill]:
    """The bills of a run, by span and then by member, those without anything left out.

    Raises:
        StatementError: nobody is called that, or gets bills.
    """
    names = billed(results)
    for name in only:
        if name not in names:
            raise StatementError(f"{name!r} gets no bills in this run: {', '.join(names[:5])}... do")
    made = _Making(results)
    for span in spans_of(results, by):
        for name in list(only) or names:
            bill = made.bill(name, span)
            if bill.lines or bill.drawn_wh or bill.fed_in_wh:
                yield bill


class _Making:
    def __init__(self, results: Results) -> None:
        self._results = results
        self._kinds = Statements.members(results)
        rows = split_off(results.bills).assign(
            estimated=_estimated(results).reindex(_keys(results.bills), fill_value=False).to_numpy()
        )
        self._rows, self._none = by_name(rows), rows.iloc[:0]
        self._trades, self._payments = by_name(results.trades), by_name(results.payments)
        self._alone = by_name(results.without_trade)

    def bill(self, name: str, span: Span) -> Bill:
        results, run = self._results, self._results.run
        rows = _within(self._rows.get(name, self._none), "period", span)
        trades, payments, alone = (
            None if own is None else _within(own, column, span)
            for own, column in (
                (self._trades.get(name), "period"),
                (self._payments.get(name), "first_period"),
                (self._alone.get(name), "first_period"),
            )
        )
        energy = energy_lines(trades, rows)
        charges = tuple(charge_lines(rows))
        is_known = span.is_whole_days and not results.without_trade.empty and not rows.empty
        begins, ends = (
            datetime.fromtimestamp(period * run.period_seconds, run.zone).isoformat(timespec="minutes")
            for period in (span.periods[0], span.periods[-1] + 1)
        )
        return Bill(
            participant=name,
            span=span.name,
            begins=begins,
            ends=ends,
            zone=str(run.zone),
            currency=run.currency,
            energy=energy,
            charges=charges,
            payments=(*payment_lines(payments), *self._of_office(name, span)),
            taxes=tuple(tax_lines(run, energy, charges, rows, len(span.periods))),
            drawn_wh=_sum(rows["consumed_wh"]),
            fed_in_wh=_sum(rows["generated_wh"]),
            periods=len(rows),
            estimated=_sum(rows["estimated"]),
            tariff_units=_sum(rows["tariff_only_units"]),
            alone_units=(0 if alone is None else _sum(alone["paid_units"])) if is_known else None,
        )

    def _of_office(self, name: str, span: Span) -> Iterator[Line]:
        """The wholesale desk receives what the upper market's penalties bring."""
        if self._kinds[name] in OUTSIDERS:
            units = _sum(_within(self._results.area, "period", span)["penalty_units"])
            if units:
                yield Line("penalties of the upper market", CHARGE, -units)


def _within(rows: pd.DataFrame, column: str, span: Span) -> pd.DataFrame:
    return rows[rows[column].between(span.periods[0], span.periods[-1])]


def _estimated(results: Results) -> "pd.Series[bool]":
    """By participant and period, whether no meter has read it."""
    return (results.readings["status"].astype(str) == "estimated").set_axis(_keys(results.readings))


def _keys(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([rows["participant"].astype(str), rows["period"]])


def _sum(column: "pd.Series[int]") -> int:
    return int(np.sum(column.to_numpy(object), initial=0))
