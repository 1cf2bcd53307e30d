"""Bilateral contracts of a scenario: who sells how much to whom, at which price and in which periods."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

from dem.community.config import Calendar
from dem.community.hours import hours_of, weekdays_of
from dem.errors import Mistakes
from dem.model.orders import MAX_ENERGY
from dem.model.units import UnitsPerWh, Wh
from dem.tables import Cell, Row, read_rows

COLUMNS = ("seller", "buyer", "price", "energy_wh", "first", "last", "weekdays", "hours")

T = TypeVar("T")
_UNITS_PER_WH = 100_000
"""Units/Wh of 1 currency/kWh."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two participants want to contract: `energy` Wh in each of its periods at `price` units/Wh.

    first, last: numbers of the first and the last period, unix start / period length. weekdays: 0 is Monday.
    slots: of a day; those of a local day that begins on one of the weekdays.
    """

    seller: str
    buyer: str
    price: UnitsPerWh
    energy: Wh
    first: int
    last: int
    weekdays: frozenset[int]
    slots: frozenset[int]

    def energy_of(self, calendar: Calendar, day: int) -> list[int]:
        """Wh by slot of a day."""
        if calendar.date_of(day).weekday() not in self.weekdays:
            return [0] * calendar.periods_per_day
        opening = calendar.opening // calendar.period_seconds + (day - 1) * calendar.periods_per_day
        return [
            self.energy if slot in self.slots and self.first <= opening + slot <= self.last else 0
            for slot in range(calendar.periods_per_day)
        ]


def positions_of(agreements: Iterable[Agreement], calendar: Calendar, day: int) -> dict[str, list[int]]:
    """What the parties contracted by these on a day: net consumption, Wh by slot."""
    positions: dict[str, list[int]] = {}
    for agreement in agreements:
        energies = agreement.energy_of(calendar, day)
        for name, sign in ((agreement.buyer, 1), (agreement.seller, -1)):
            position = positions.setdefault(name, [0] * calendar.periods_per_day)
            positions[name] = [have + sign * energy for have, energy in zip(position, energies, strict=True)]
    return positions


def read_agreements(
    path: Path,
    calendar: Calendar,
    traders: Mapping[str, bool],
    prices: tuple[int, int],
    mistakes: Mistakes | None = None,
) -> Iterator[Agreement]:
    """Read and check the bilateral contracts.

    traders: whether it may trade, by participant's name. prices: the lowest and highest that may be agreed, units/Wh.

    Raises:
        InputError: something in the file is wrong.
    """
    mistakes = mistakes or Mistakes()
    for row in read_rows(path, COLUMNS, mistakes=mistakes):
        with mistakes:
            yield _agreement(row, calendar, traders, prices)


def _agreement(row: Row, calendar: Calendar, traders: Mapping[str, bool], prices: tuple[int, int]) -> Agreement:
    for cell in (row["seller"], row["buyer"]):
        if not traders.get(cell.text):
            known = cell.text in traders
            raise cell.wrong("does not trade" if known else "is not in the participant table")
    if row["seller"].text == row["buyer"].text:
        raise row["buyer"].wrong("is the seller, too")
    price, energy = row["price"].multiple(_UNITS_PER_WH, "0.00001 currency/kWh"), row["energy_wh"].integer()
    least, most = prices
    if not least <= price <= most:
        bounds = f"{least / _UNITS_PER_WH}, the lowest price, to {most / _UNITS_PER_WH}, the highest tariff allowed"
        raise row["price"].wrong(f"must be {bounds}")
    if not 1 <= energy <= MAX_ENERGY:
        raise row["energy_wh"].wrong(f"must be 1 to {MAX_ENERGY} Wh")
    first, last = period_of(row["first"], calendar, last=False), period_of(row["last"], calendar, last=True)
    if last < first:
        raise row["last"].wrong(f"must not be before {row['first'].text}")
    return Agreement(
        seller=row["seller"].text,
        buyer=row["buyer"].text,
        price=UnitsPerWh(price),
        energy=Wh(energy),
        first=first,
        last=last,
        weekdays=_said(row["weekdays"], weekdays_of),
        slots=_slots(row, calendar),
    )


def period_of(cell: Cell, calendar: Calendar, *, last: bool) -> int:
    """The first period, or the last, of a local date; or the period that begins at a local time.

    Raises:
        InputError: it is neither.
    """
    if _DATE.fullmatch(cell.text):
        try:
            days = (date.fromisoformat(cell.text) - calendar.start).days
        except ValueError as error:
            raise cell.wrong("is no date") from error
        opening = calendar.opening // calendar.period_seconds
        return opening + (days + last) * calendar.parts * calendar.periods_per_day - last
    try:
        start = datetime.fromisoformat(cell.text)
    except ValueError as error:
        raise cell.wrong("must be a local date or time such as 2016-05-08 or 2016-05-08T10:00") from error
    local = start if start.tzinfo else start.replace(tzinfo=calendar.zone)
    period, rest = divmod(local.timestamp(), calendar.period_seconds)
    if rest:
        raise cell.wrong(f"must be the start of a period of {calendar.period_seconds} s")
    return int(period)


def _said(cell: Cell, read: Callable[[str], T]) -> T:
    """What a cell says of weekdays or hours."""
    try:
        return read(cell.text)
    except ValueError as error:
        raise cell.wrong(str(error)) from error


def _slots(row: Row, calendar: Calendar) -> frozenset[int]:
    """Slots that begin in these hours, counted from the start of a trading day."""
    slots: set[int] = set()
    for begin, end in _said(row["hours"], hours_of):
        if begin % calendar.period_seconds or end % calendar.period_seconds:
            raise row["hours"].wrong(f"must begin and end with periods of {calendar.period_seconds} s")
        slots |= set(range(begin // calendar.period_seconds, end // calendar.period_seconds))
    return frozenset(slots)
