"""Standing limits: what a member's browser needs to sign sheets for the coming days, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dem.gateway.pages.figures import Market, Row
from dem.gateway.parts import Parts
from dem.gateway.state import Record
from dem.model.mechanisms import AUCTION
from dem.model.orders import MAX_ENERGY, Order, Side, orders_of
from dem.model.units import MAX_TICK

DAYS = 31
"""So many are signed at once."""
_LATELY = 7
"""Days of whose readings the expected ones are the mean."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A coming day, and the newest sheet for it. Limits with fees, units/Wh; None if there is no such order.

    state: of the sheet, None if there is none.
    """

    day: int
    starts: datetime
    opens: datetime
    gate: datetime
    state: str | None = None
    block: int | None = None
    refusal: str | None = None
    buy_wh: int = 0
    buy_units: int | None = None
    sell_wh: int = 0
    sell_units: int | None = None


def coming(market: Market) -> range:
    """Days that can be signed for: from the first one whose gate is open."""
    calendar = market.calendar
    first = max(1, (int(market.now.timestamp()) - calendar.gate_closes_at(1)) // calendar.day_length + 2)
    return range(first, first + DAYS)


def expected(market: Market, participant: int) -> list[int] | None:
    """Net Wh by slot, the mean of the last days whose readings are in, rounded down; None if there are none."""
    now, calendar = market.now.timestamp(), market.calendar
    last = max(
        (day for day in market.known_days(last=market.day_now()) if calendar.metering_deadline(day) <= now), default=0
    )
    if not last:
        return None
    by_day: dict[int, dict[int, int]] = {}
    for row in market.energy(participant, range(max(1, last - _LATELY + 1), last + 1)):
        by_day.setdefault(row["day"], {})[row["slot"]] = row["metered"]
    full = [slots for slots in by_day.values() if len(slots) == calendar.periods_per_day]
    return [sum(of[slot] for of in full) // len(full) for slot in range(calendar.periods_per_day)] if full else None


def terms(parts: Parts, market: Market, participant: int, member: Row) -> dict[str, Any]:
    """What the script signs by: `limits.js` reads it."""
    days = coming(market)
    tables: list[Any] = []
    found = []
    for day, table in _tariffs(market, days).items():
        if table not in tables:
            tables.append(table)
        found.append({"day": day, "tariffs": tables.index(table)})
    scale = market.prices
    capacities = (member["import_capacity_wh"], member["export_capacity_wh"])
    most_import, most_export = (MAX_ENERGY if one is None else min(one, MAX_ENERGY) for one in capacities)
    return {
        "account": member["account"],
        "periods": market.calendar.periods_per_day,
        "days": found,
        "tariffs": tables,
        "expected": expected(market, participant),
        "least": max(1, parts.index.rules(days[0])["min_order_energy_wh"]),
        "import": most_import,
        "export": most_export,
        "scale": {"lowest": scale.lowest, "tick": scale.tick, "most": MAX_TICK},
    }


def _tariffs(market: Market, days: range) -> Mapping[int, list[tuple[int, int, int]]]:
    """By day and slot: the most that is worth paying, the least that is worth getting, and the fees; units/Wh.

    A day whose tariffs are not published yet may get the standing ones or some like the last ones: of the two, those
    hold that are safe.
    """
    published = market.published(days[-1])
    latest = max(published, default=0)
    told = market.tariffs(range(min(latest or days[0], days[0]), days[-1] + 1))
    fees = market.fees(days)
    found = {}
    for day in days:
        table = []
        for slot in range(market.calendar.periods_per_day):
            buy, sell = told[day, slot]
            if latest and day not in published:
                buy, sell = min(buy, told[latest, slot][0]), max(sell, told[latest, slot][1])
            table.append((buy, sell, fees[day]))
        found[day] = table
    return found


def ahead(parts: Parts, market: Market, participant: int, account: str) -> list[Ahead]:
    """The coming days, with what was signed for each."""
    days, calendar = coming(market), market.calendar
    fees, scale = market.fees(days), market.prices
    sheets = _sheets(parts, account)
    found = []
    for day in days:
        times = (calendar.start_of(day), calendar.opens_at(day), calendar.gate_closes_at(day))
        starts, opens, gate = map(market.local, times)
        if day not in sheets:
            found.append(Ahead(day, starts, opens, gate))
            continue
        record = sheets[day]
        orders = _orders(record, participant, day, calendar.periods_per_day)
        bids, asks = ([one for one in orders if one.side is side] for side in Side)
        found.append(
            Ahead(
                day,
                starts,
                opens,
                gate,
                str(record.state),
                record.block,
                record.refusal,
                sum(one.energy for one in bids),
                max((scale.price_of(one.tick) + fees[day] for one in bids), default=None),
                sum(one.energy for one in asks),
                min((scale.price_of(one.tick) - fees[day] for one in asks), default=None),
            )
        )
    return found


def _orders(record: Record, participant: int, day: int, periods: int) -> Sequence[Order]:
    sheet = record.envelope["message"]
    first = int(sheet["firstLine"])
    words = [int(word, 16) for word in sheet["lines"]]
    return [one for n, word in enumerate(words) for one in orders_of(participant, day, first + n, word, periods)]


def last_signed(parts: Parts, market: Market, account: str) -> int | None:
    """The last of the coming days with a sheet, if there is any."""
    days = coming(market)
    return max((day for day in _sheets(parts, account) if day in days), default=None)


def _sheets(parts: Parts, account: str) -> dict[int, Record]:
    """The newest sheet of an account for the auction, by day."""
    auction, found = parts.contracts[AUCTION].lower(), dict[int, Record]()
    for record in parts.store.in_places(account, 4 * DAYS):
        if record.envelope["contract"].lower() == auction:
            found.setdefault(int(record.envelope["message"]["day"]), record)
    return found
