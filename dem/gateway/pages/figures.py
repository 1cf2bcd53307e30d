"""What pages tell, from the index: whole Wh and money units, sums that add up, and each day's phase by the clock.

A day here is a market day. Bills cut by local time; pages show a day, and the month that it begins in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Any

from dem.gateway.reads import Index
from dem.model.calendar import CalendarParameters
from dem.model.markets.auction import pro_rata
from dem.model.mechanisms import AUCTION
from dem.model.rules import ImbalancePricing
from dem.model.units import MONEY_DECIMALS, PRICE_DECIMALS, PriceRange

Row = dict[str, Any]
BID = "bid"
_LAST = 2**31 - 1
"""No day is later."""
_PUBLISHED = 40
"""So many days of tariffs are looked at."""
_LATEST_TARIFF = """
SELECT day, slot, buy, sell FROM (
  SELECT *, row_number() OVER (PARTITION BY day, slot ORDER BY block DESC, log_index DESC) AS age FROM tariff
  WHERE day BETWEEN :first AND :last
) AS told WHERE age = 1
"""


class Phase(StrEnum):
    """Of a day, by the clock and by what was done."""

    AHEAD = "ahead"
    OPEN = "open"
    CLOSED = "closed"
    DELIVERING = "delivering"
    METERING = "metering"
    SETTLING = "settling"
    CORRECTING = "correcting"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Day:
    """How far a day is. starts: in local time."""

    number: int
    starts: datetime
    phase: Phase
    gate: datetime
    metering_deadline: datetime
    volume_wh: int
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Use:
    """What a member's meter showed in some days, where it came from and went, and what it cost.

    drawn = taken_wh by contract + the rest from the supplier; fed in = given_wh by contract + the rest to the supplier.
    trade, imbalance, fees, charges: money units, positive paid; None before the first of the days is settled.
    tariff_units: the same settled days at the tariffs alone. alone_units: if nobody had traded; None if not known.
    """

    days: int
    settled_days: int
    drawn_wh: int
    fed_in_wh: int
    taken_wh: int
    given_wh: int
    estimated: int
    periods: int
    trade_units: int
    supply_units: int
    fees_units: int
    charges_units: int
    tariff_units: int
    alone_units: int | None

    @property
    def paid_units(self) -> int:
        """All of it."""
        return self.trade_units + self.supply_units + self.fees_units + self.charges_units


@dataclass(frozen=True, slots=True)
class Slot:
    """A period of a day: price and tariffs in units/Wh, energy of one member."""

    number: int
    starts: datetime
    price: int | None
    volume_wh: int
    buy: int
    sell: int


class Market:
    """The market as its pages and bills see it now. least_traders: of whom the public is told."""

    def __init__(
        self, index: Index, calendar: CalendarParameters, zone: tzinfo, now: datetime, least_traders: int = 0
    ) -> None:
        self._index, self.calendar, self.zone = index, calendar, zone
        self.now, self.least_traders = now, least_traders

    def local(self, time: float) -> datetime:
        """Unix time by the clock on the wall."""
        return datetime.fromtimestamp(time, self.zone)

    # -------------------------------------------------------------------------------------------------- days

    def day_now(self) -> int:
        """The day that is delivered now; before the first one, 1."""
        passed = int(self.now.timestamp()) - self.calendar.opening
        return max(1, passed // self.calendar.day_length + 1)

    def known_days(self, first: int = 1, last: int = _LAST) -> list[int]:
        """Days of which anything is known, in order."""
        return self._index.known_days(first, last)

    def shown_day(self, asked: int | None) -> int:
        """The day to show: the one that is asked for, or today, or the last one before that anything is known of."""
        if asked is not None:
            return asked
        today = self.day_now()
        known = self.known_days(last=today)
        return known[-1] if known else today

    def days(self, last: int, most: int) -> list[Day]:
        """How far days are, the newest first."""
        return [self._day(row) for row in self._index.last_days(last, most)]

    def _day(self, row: Row) -> Day:
        number, calendar = int(row["day"]), self.calendar
        return Day(
            number,
            self.local(calendar.start_of(number)),
            self.phase(number, bool(row["is_metered"]), bool(row["is_settled"]), bool(row["is_final"])),
            self.local(calendar.gate_closes_at(number)),
            self.local(calendar.metering_deadline(number)),
            round(row["kwh"] * 1_000),
            bool(row["is_settled"]),
        )

    def phase(self, day: int, is_metered: bool, is_settled: bool, is_final: bool) -> Phase:
        """Of a day."""
        now, calendar = self.now.timestamp(), self.calendar
        if is_final:
            return Phase.FINAL
        if is_settled:
            return Phase.CORRECTING
        if is_metered:
            return Phase.SETTLING
        for end, phase in (
            (calendar.opens_at(day), Phase.AHEAD),
            (calendar.gate_closes_at(day), Phase.OPEN),
            (calendar.start_of(day), Phase.CLOSED),
            (calendar.start_of(day + 1), Phase.DELIVERING),
        ):
            if now < end:
                return phase
        return Phase.METERING

    def days_of_month(self, day: int) -> range:
        """Days that begin in the same local month, up to this one."""
        first, month = day, _month(self.local(self.calendar.start_of(day)))
        while first > 1 and _month(self.local(self.calendar.start_of(first - 1))) == month:
            first -= 1
        return range(first, day + 1)

    # --------------------------------------------------------------------------------------------- one member

    def use(self, participant: int, days: range) -> Use:
        """What a member used and fed in on these days, and what it paid for those that are settled."""
        first, last = days[0], days[-1]
        rows = self.energy(participant, days)
        money = {
            int(row["day"]): row
            for row in self._index.rows(
                "SELECT day, trade_eur AS trade, imbalance_eur AS supply, fees_eur AS fees, "
                "deviation_eur + penalty_eur AS charges FROM settlements "
                "WHERE participant = :participant AND day BETWEEN :first AND :last",
                participant=participant,
                first=first,
                last=last,
            )
        }
        tariffs, pricings = self.tariffs(days), self._pricings(days)
        tariff_units = sum(
            row["metered"] * tariffs[row["day"], row["slot"]][0 if row["metered"] > 0 else 1]
            for row in rows
            if row["day"] in money
        )
        is_known = all(pricings[day] is ImbalancePricing.TARIFF for day in money)
        sums = {name: sum(round(row[name] * 10**8) for row in money.values()) for name in _MONEY}
        return Use(
            days=len(days),
            settled_days=len(money),
            drawn_wh=sum(max(row["metered"], 0) for row in rows),
            fed_in_wh=sum(max(-row["metered"], 0) for row in rows),
            taken_wh=sum(min(max(row["contracted"], 0), max(row["metered"], 0)) for row in rows),
            given_wh=sum(min(max(-row["contracted"], 0), max(-row["metered"], 0)) for row in rows),
            estimated=sum(row["is_estimated"] for row in rows),
            periods=len(rows),
            trade_units=sums["trade"],
            supply_units=sums["supply"],
            fees_units=sums["fees"],
            charges_units=sums["charges"],
            tariff_units=tariff_units,
            alone_units=tariff_units if is_known else None,
        )

    def energy(self, participant: int, days: range) -> list[Row]:
        """Contracted and metered Wh of each period that is known."""
        rows = self._index.energy(participant, days[0], days[-1])
        return [
            {
                "day": row["day"],
                "slot": row["slot"],
                "contracted": row["contracted_wh"],
                "metered": row["metered_wh"],
                "is_estimated": row["is_estimated"],
            }
            for row in rows
        ]

    def orders(self, participant: int, day: int) -> list[Row]:
        """A member's orders of a day with what each traded: filled_wh, None where there is no price yet."""
        cleared = {
            (row["market"], row["slot"]): row
            for row in self._index.rows(
                "SELECT contract AS market, slot, price, volume, rationed, share, marginal FROM call_auction_cleared "
                "WHERE day = :day",
                day=day,
            )
        }
        parts = self._parts_at_the_price(participant, day)
        start, prices, found = self.calendar.start_of(day), self.prices, []
        for row in self._index.orders(participant, day):
            own = cleared.get((row["market"], row["slot"]))
            limit = round(float(row["limit"]) * 10**PRICE_DECIMALS)
            price = prices.price_of(own["price"]) if own and own["volume"] else None
            filled = None
            if own is not None:
                better = -1 if price is None else (limit - price) * (1 if row["side"] == BID else -1)
                filled = row["energy_wh"] if better >= 0 else 0
                filled = parts.get((row["market"], row["slot"], row["layer"], row["side"]), filled)
            found.append(
                row
                | {
                    "starts": self.local(start + row["slot"] * self.calendar.period_length),
                    "limit_units": limit,
                    "price": price,
                    "filled_wh": filled,
                }
            )
        return sorted(found, key=lambda row: (row["slot"], row["market"], row["layer"]))

    def _parts_at_the_price(self, participant: int, day: int) -> Mapping[tuple[str, int, int, str], int]:
        """What a member's orders get that share, with others at the price, what is left (rule 5)."""
        rows = self._index.rows(
            "SELECT p.contract AS market, p.slot, p.layer, CASE c.rationed WHEN 1 THEN 'bid' ELSE 'ask' END AS side, "
            "p.ahead_wh, round(o.energy_kwh * 1e3) AS wh, c.share, c.marginal FROM order_at_price AS p "
            "JOIN call_auction_cleared AS c ON (c.block, c.log_index) = (p.block, p.log_index) "
            "JOIN orders AS o ON (o.market, o.slot, o.layer) = (p.contract, p.slot, p.layer) "
            "WHERE p.day = :day AND p.id = :id AND o.day = :day AND o.participant = :id",
            day=day,
            id=participant,
        )
        return {
            (row["market"], row["slot"], row["layer"], row["side"]): pro_rata(
                row["ahead_wh"], int(row["wh"]), row["share"], row["marginal"]
            )
            for row in rows
        }

    def _pricings(self, days: range) -> Mapping[int, ImbalancePricing]:
        rows = self._versions("rules_imbalance_pricing AS pricing")
        return {
            day: next(
                (ImbalancePricing(row["pricing"]) for row in rows if row["first_day"] <= day), ImbalancePricing.TARIFF
            )
            for day in days
        }

    def _versions(self, columns: str) -> list[Row]:
        """Versions of the rules, the newest first."""
        return self._index.rows(
            f"SELECT first_day, {columns} FROM market_rules_rules_changed "
            "ORDER BY first_day DESC, block DESC, log_index DESC"
        )

    # ------------------------------------------------------------------------------------------------- prices

    @cached_property
    def prices(self) -> PriceRange:
        """Those that orders can name."""
        [row] = self._index.rows("SELECT lowest, tick FROM price_range")
        return PriceRange(row["lowest"], row["tick"])

    def tariffs(self, days: range) -> Mapping[tuple[int, int], tuple[int, int]]:
        """At which the supplier sells and buys, units/Wh, by day and slot."""
        standing = self._versions("rules_standing_buy AS buy, rules_standing_sell AS sell")
        lowest, found = self.prices.lowest, {}
        for day in days:
            held = next((row for row in standing if row["first_day"] <= day), {"buy": 0, "sell": 0})
            for slot in range(self.calendar.periods_per_day):
                found[day, slot] = held["buy"], held["sell"]
        for row in self._index.rows(_LATEST_TARIFF, first=days[0], last=days[-1]):
            found[row["day"], row["slot"]] = row["buy"] + lowest, row["sell"] + lowest
        return found

    def published(self, last: int) -> set[int]:
        """Of the newest days up to one: those that have tariffs of their own."""
        rows = self._index.rows(
            "SELECT DISTINCT day FROM tariff WHERE day <= :last ORDER BY day DESC LIMIT :most",
            last=last,
            most=_PUBLISHED,
        )
        return {row["day"] for row in rows}

    def fees(self, days: range) -> Mapping[int, int]:
        """Of platform and network on each Wh that is traded, units, by day."""
        rows = self._versions("rules_platform_fee + rules_network_fee AS fees")
        return {day: next((row["fees"] for row in rows if row["first_day"] <= day), 0) for day in days}

    def slots(self, day: int) -> list[Slot]:
        """The day-ahead prices of a day beside the tariffs."""
        cleared = {
            row["slot"]: row
            for row in self._index.rows(
                "SELECT slot, price, volume FROM call_auction_cleared WHERE contract = :market AND day = :day",
                market=AUCTION,
                day=day,
            )
        }
        tariffs, start = self.tariffs(range(day, day + 1)), self.calendar.start_of(day)
        prices, found = self.prices, []
        for slot in range(self.calendar.periods_per_day):
            own, (buy, sell) = cleared.get(slot), tariffs[day, slot]
            price = prices.price_of(own["price"]) if own and own["volume"] else None
            starts = self.local(start + slot * self.calendar.period_length)
            found.append(Slot(slot, starts, price, own["volume"] if own else 0, buy, sell))
        return found

    def is_cleared(self, day: int) -> bool:
        """Whether all of a day has its price."""
        [row] = self._index.rows(
            "SELECT count(*) AS n FROM call_auction_cleared WHERE contract = :market AND day = :day",
            market=AUCTION,
            day=day,
        )
        return int(row["n"]) == self.calendar.periods_per_day

    def public_slots(self, day: int) -> list[Slot]:
        """Those of which the public is told: where on each side so many members have certainly traded.

        Certainly: with a limit better than the price, for at the price some may have got nothing.
        """
        rows = self._index.rows(
            "SELECT slot FROM cleared_traders "
            "WHERE contract = :market AND day = :day AND bids >= :least AND asks >= :least",
            market=AUCTION,
            day=day,
            least=self.least_traders,
        )
        told = {row["slot"] for row in rows}
        return [slot for slot in self.slots(day) if slot.number in told]


_MONEY = ("trade", "supply", "fees", "charges")


def _month(when: datetime) -> tuple[int, int]:
    return when.year, when.month


def units(amount: str) -> int:
    """Money units of an exact decimal number."""
    whole, _, rest = amount.lstrip("-").partition(".")
    found = int(whole + rest.ljust(MONEY_DECIMALS, "0"))
    return -found if amount.startswith("-") else found


def mean_price(slots: Sequence[Slot]) -> float | None:
    """Weighted by what was traded, units/Wh."""
    traded = [slot for slot in slots if slot.price is not None]
    volume = sum(slot.volume_wh for slot in traded)
    return sum((slot.price or 0) * slot.volume_wh for slot in traded) / volume if volume else None


def lately(now: datetime, time: int | None, days: int) -> bool:
    """Whether something was at most so many days ago; it was if its time is not known."""
    return time is None or datetime.fromtimestamp(time, UTC) > now - timedelta(days=days)


def shares(parts: Iterable[int]) -> float:
    """How concentrated parts are (Herfindahl-Hirschman), 1 if all is one's."""
    found = [part for part in parts if part > 0]
    whole = sum(found)
    return sum((part / whole) ** 2 for part in found) if whole else 0.0
