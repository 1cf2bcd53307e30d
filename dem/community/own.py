"""What members of a scenario bring themselves: orders, forecasts, and meters that do not report as they should.

`docs/guide/scenarios.md` describes the tables.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dem.community.agreements import period_of
from dem.community.config import Calendar, RulesVersion
from dem.community.forecast import Energy
from dem.community.profiles import check_cover, whole_days
from dem.errors import Mistakes
from dem.model.orders import MAX_ENERGY, Side
from dem.model.strips import LANES
from dem.model.units import PRICE_DECIMALS, PriceRange, Tick, UnitsPerWh, Wh, price_per_kwh
from dem.tables import FRACTIONS, Cell, Row, read_rows, read_series

ORDER_COLUMNS = ("participant", "start", "side", "price", "energy_wh")
READING_COLUMNS = ("participant", "date", "reading", "first_permille")
_PART_COLUMNS = ("first", "last")
"""Those that a table of whole days lacks."""
_SIDES = {"bid": Side.BID, "ask": Side.ASK}
_UNITS_PER_WH = 10**PRICE_DECIMALS
"""Of 1 currency/kWh."""


class OwnOrder(NamedTuple):
    """An order in the day-ahead auction as its member wants it."""

    participant: str
    layer: int
    slot: int
    side: Side
    tick: Tick
    energy: Wh


class Reporting(StrEnum):
    """How a meter reports periods, if not as it should."""

    MISSING = "missing"
    LATE = "late"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Part:
    """Slots of a meter's day. first_permille: what corrected ones say at first, 1/1000 of what the meter showed."""

    reporting: Reporting
    slots: range
    first_permille: int = 0

    def overlaps(self, other: "Part") -> bool:
        """Whether they have a slot in common."""
        return self.slots.start < other.slots.stop and other.slots.start < self.slots.stop


@dataclass(frozen=True, slots=True)
class Report:
    """A meter's day that is not reported as it should be: its parts, which do not overlap; all else comes in time."""

    parts: tuple[Part, ...]

    @property
    def is_corrected(self) -> bool:
        """Whether anything comes after the deadline."""
        return any(part.reporting is not Reporting.MISSING for part in self.parts)

    def in_time(self, shown: Sequence[int]) -> list[int | None]:
        """What the meter says in time of what it showed, Wh by slot; None where it says nothing."""
        said: list[int | None] = [*shown]
        for part in self.parts:
            for slot in part.slots:
                said[slot] = _at_first(shown[slot], part) if part.reporting is Reporting.CORRECTED else None
        return said

    def after(self, shown: Sequence[int]) -> list[int | None]:
        """What it says after the deadline: what is late. Registers of a corrected day are all said once more."""
        if any(part.reporting is Reporting.CORRECTED for part in self.parts):
            return [*shown]
        late = {slot for part in self.parts if part.reporting is Reporting.LATE for slot in part.slots}
        return [wh if slot in late else None for slot, wh in enumerate(shown)]


Reports = Mapping[tuple[int, str], Report]
"""By day and member's name; who is not there reports in time and right."""


@dataclass(frozen=True, slots=True)
class Community:
    """What the tables of members' own refer to. households: consumers and prosumers. capacities: what the connection of
    one of them carries on a day, in and out, Wh per period. clients: of whom an intermediary orders."""

    calendar: Calendar
    prices: PriceRange
    rules: tuple[RulesVersion, ...]
    members: Set[str]
    households: Set[str]
    capacities: Callable[[str, int], tuple[int, int]]
    clients: Set[str]

    def household(self, cell: Cell) -> str:
        """The name of a consumer or a prosumer.

        Raises:
            InputError: it is none.
        """
        if cell.text not in self.households:
            known = cell.text in self.members
            raise cell.wrong("is no consumer or prosumer" if known else "is not in the participant table")
        return cell.text

    def rules_on(self, day: int) -> RulesVersion:
        """Of a day."""
        return [version for version in self.rules if version.first_day <= day][-1]


def read_orders(path: Path, community: Community, mistakes: Mistakes) -> dict[int, tuple[OwnOrder, ...]]:
    """Orders by day, in the order of the file; several of one member for one period are its layers."""
    found: dict[int, list[OwnOrder]] = defaultdict(list)
    standing: dict[tuple[str, int, int], list[OwnOrder]] = defaultdict(list)
    for row in read_rows(path, ORDER_COLUMNS, mistakes=mistakes):
        with mistakes:
            day, order = _order(row, community)
            others = standing[order.participant, day, order.slot]
            _check_beside(row, order, others, community.rules_on(day).max_layers)
            _check_together(row, [*others, order], community.capacities(order.participant, day))
            order = order._replace(layer=len(others))
            others.append(order)
            found[day].append(order)
    return {day: tuple(orders) for day, orders in found.items()}


def _check_beside(row: Row, order: OwnOrder, others: list[OwnOrder], most: int) -> None:
    """As the auction takes orders of one member for one period."""
    if len(others) == most:
        raise row["start"].wrong(f"has more orders of {order.participant} than the rules allow: max_layers is {most}")
    for other in others:
        bid, ask = sorted((order, other), key=lambda one: one.side)
        if bid.side != ask.side and bid.tick >= ask.tick:
            raise row["price"].wrong(f"would trade with an order of {order.participant} itself for the same period")


def _check_together(row: Row, orders: list[OwnOrder], capacities: tuple[int, int]) -> None:
    for side, capacity, what in zip((Side.BID, Side.ASK), capacities, ("import", "export"), strict=True):
        if sum(order.energy for order in orders if order.side is side) > capacity:
            why = f"is, with the other orders for the period, beyond the connection: {what}_capacity_wh is {capacity}"
            raise row["energy_wh"].wrong(why)


def _order(row: Row, community: Community) -> tuple[int, OwnOrder]:
    name = community.household(row["participant"])
    if name in community.clients:
        raise row["participant"].wrong("is the client of an intermediary, which orders for it")
    calendar = community.calendar
    days, slot = divmod(
        period_of(row["start"], calendar, last=False) - calendar.opening // calendar.period_seconds,
        calendar.periods_per_day,
    )
    if not 0 <= days < calendar.days:
        raise row["start"].wrong(f"is no period of the scenario's {calendar.days} days from {calendar.start} on")
    side, energy = row["side"], row["energy_wh"].integer()
    if side.text not in _SIDES:
        raise side.wrong("must be bid or ask")
    tick = _tick(row["price"], community.prices)
    least = community.rules_on(days + 1).min_order_energy_wh
    if not least <= energy <= MAX_ENERGY:
        raise row["energy_wh"].wrong(f"must be {least} (min_order_energy_wh) to {MAX_ENERGY} Wh")
    return days + 1, OwnOrder(name, 0, slot, _SIDES[side.text], tick, Wh(energy))


def _tick(cell: Cell, prices: PriceRange) -> Tick:
    price = cell.multiple(_UNITS_PER_WH, "0.00001 currency/kWh")
    if price % prices.tick:
        raise cell.wrong(f"must be a whole number of {price_per_kwh(UnitsPerWh(prices.tick))} currency/kWh")
    if not prices.lowest <= price <= prices.highest:
        least, most = price_per_kwh(prices.lowest), price_per_kwh(prices.highest)
        raise cell.wrong(f"must be {least} to {most} currency/kWh")
    return Tick(prices.tick_down(price))


def read_forecasts(path: Path, unit: int, community: Community, mistakes: Mistakes) -> dict[str, Energy]:
    """Net consumption that members expect, Wh, shape (days, slots), by name. unit: Wh of 1 in the table."""
    calendar = community.calendar
    seconds = calendar.period_seconds
    series = read_series(
        path,
        calendar.zone,
        scale=FRACTIONS * unit,
        until=calendar.end,
        negative=True,
        single=seconds,
        mistakes=mistakes,
    )
    check_cover(path, series.periods(seconds), calendar)
    first_day, expected = whole_days(series.energy(seconds), series.periods(seconds), calendar)
    forecasts = {}
    for column, name in enumerate(series.columns):
        with mistakes:
            community.household(Cell(path, 1, name, name))
        forecasts[name] = np.ascontiguousarray(expected[1 - first_day :, column])
    return forecasts


def read_reports(path: Path, community: Community, mistakes: Mistakes) -> dict[tuple[int, str], Report]:
    """Days on which meters do not report in time, or not right at first."""
    found: dict[tuple[int, str], list[Part]] = defaultdict(list)
    for row in read_rows(path, READING_COLUMNS, _PART_COLUMNS, mistakes):
        with mistakes:
            name = community.household(row["participant"])
            day = day_of(row["date"], community.calendar)
            part = _part(row, day, community.calendar)
            _check_part(row, part, found[day, name])
            found[day, name].append(part)
    return {of: Report(tuple(parts)) for of, parts in found.items() if parts}


def _check_part(row: Row, part: Part, others: Sequence[Part]) -> None:
    """Beside the others of the same day."""
    name = row["participant"].text
    if any(part.overlaps(other) for other in others):
        raise row["date"].wrong(f"is there twice for {name}, for the same periods")
    if {Reporting.MISSING, Reporting.CORRECTED} <= {one.reporting for one in (part, *others)}:
        why = f"cannot be: {name} has missing and corrected periods on a day, of which a correction says all registers"
        raise row["reading"].wrong(why)


def _slots_of(row: Row, day: int, calendar: Calendar) -> range:
    """Those from the column first to last, both included; the whole day where the row, or the table, has neither."""
    own = [row[column] for column in _PART_COLUMNS if column in row and row[column].text]
    if not own:
        return range(calendar.periods_per_day)
    if len(own) < len(_PART_COLUMNS):
        raise row["date"].wrong("has one of first and last: name both, or none for the whole day")
    begin, end = (period_of(cell, calendar, last=False) - calendar.opening // calendar.period_seconds for cell in own)
    days, slot = divmod(begin, calendar.periods_per_day)
    if days + 1 != day:
        raise own[0].wrong("is no period of the row's date")
    slots = range(slot, slot + end - begin + 1)
    if not slots or slots.stop > calendar.periods_per_day:
        raise own[1].wrong("must be a period of the row's date, not before the first one")
    return slots


def _part(row: Row, day: int, calendar: Calendar) -> Part:
    slots = _slots_of(row, day, calendar)
    reading, first = row["reading"], row["first_permille"]
    if reading.text not in list(Reporting):
        raise reading.wrong(f"is none of {', '.join(Reporting)}")
    reporting = Reporting(reading.text)
    if reporting is not Reporting.CORRECTED and (slots.start % LANES or slots.stop % LANES):
        why = f"must be whole rows of {LANES} periods from the day's beginning on: a meter sends so many at a time"
        raise row["first"].wrong(why)
    if reporting is not Reporting.CORRECTED:
        if first.text:
            raise first.wrong("must be empty: only corrected readings are something else at first")
        return Part(reporting, slots)
    if calendar.metering_lag_seconds >= calendar.day_seconds:
        raise reading.wrong("cannot be: the next day's readings, which go on from these, are due before")
    if first.integer() > 1000:
        raise first.wrong("must be 0 to 1000")
    return Part(reporting, slots, first.integer())


def day_of(cell: Cell, calendar: Calendar, *, last: bool = False) -> int:
    """The trading day that a local date, or time, names: the first of a date that has several, or its last.

    Raises:
        InputError: it names none of the scenario.
    """
    period = period_of(cell, calendar, last=last) - calendar.opening // calendar.period_seconds
    days, rest = divmod(period, calendar.periods_per_day)
    is_whole = rest in (0, calendar.periods_per_day - 1 if last else 0)
    if not is_whole or not 0 <= days < calendar.days:
        end = calendar.date_of(calendar.days)
        raise cell.wrong(f"must be the date, or the beginning, of a trading day from {calendar.start} to {end}")
    return days + 1


def _at_first(wh: int, part: Part) -> int:
    """What a corrected meter says at first of what it showed, Wh, rounded towards zero."""
    return abs(wh) * part.first_permille // 1000 * (1 if wh > 0 else -1)
