"""A household's autopilot and its meter. They know one gateway and nothing else of the market."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

import requests
import structlog

from dem.errors import ChainError, RequestError
from dem.gateway.client import Client
from dem.gateway.protocol import Envelope
from dem.messages.members import Application
from dem.messages.orders import OrderSheet, order_sheets
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.model.calendar import CalendarParameters
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.units import MAX_TICK, PriceRange, Tick, UnitsPerWh, Wh, parse_tariff
from dem.roles.step import Day, Step

GRACE_SECONDS = 3
"""A block may be older than a household's clock: what is sent at the very second is refused as too early."""
_DONE = ("in_block", "final", "refused", "brought")
_HISTORY_DAYS = 7
_UNKNOWN_LOGIN = 401
Energies = Callable[[Day], Sequence[Wh] | None]


class AtGateway:
    """What both know of the market by a gateway: its calendar. clock: unix time."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.time) -> None:
        self.client, self._clock = client, clock

    @cached_property
    def calendar(self) -> CalendarParameters:
        """When days are."""
        return CalendarParameters(**self.client.market["calendar"])

    def now(self) -> int:
        """By the clock of this machine, a little late."""
        return int(self._clock()) - GRACE_SECONDS

    def days(self, now: int) -> range:
        """From the first day that may be corrected to the last that has opened."""
        calendar = self.calendar
        since = calendar.corrections_close_at(1)
        first = max(1, (now - since) // calendar.day_length + 2)
        opened = (now - calendar.opens_at(1)) // calendar.day_length + 1
        return range(first, max(0, opened) + 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """The limits that a household sets once, units/Wh, before fees. None: what the fallback tariff makes of it."""

    buy_at_most: UnitsPerWh | None = None
    sell_at_least: UnitsPerWh | None = None


class Autopilot(AtGateway):
    """Applies, then orders for every day what it expects.

    expected: net Wh by slot; None: what its meter showed lately.
    """

    def __init__(
        self, client: Client, application: Application, standing: Standing, expected: Energies, clock: Any = time.time
    ) -> None:
        super().__init__(client, clock)
        self._application, self._standing, self._expected = application, standing, expected
        self._log = structlog.get_logger().bind(account=client.account)

    @property
    def steps(self) -> Sequence[Step]:
        """To be a member, then to trade while an auction is open."""
        return (
            Step("apply", self.apply, lambda _: self.number > 0),
            Step(
                "order",
                self.order,
                self._has_ordered,
                lambda day: self.calendar.opens_at(day),
                lambda day: self.calendar.gate_closes_at(day),
                self._may_order,
            ),
        )

    def _get(self, path: str, **asked: Any) -> Any:
        """What only a member is told; logged in again when the login has ended."""
        try:
            return self.client.get(path, **asked)
        except RequestError as error:
            if error.status != _UNKNOWN_LOGIN:
                raise
        self.client.log_in()
        return self.client.get(path, **asked)

    # ------------------------------------------------------------------------------------------- membership

    @property
    def number(self) -> int:
        """In the registry; 0 until it is admitted."""
        return int(self._get("/v1/me")["participant"])

    def apply(self, _day: Day) -> None:
        """Bring the application; the registrar decides.

        Raises:
            ChainError: it is refused.
        """
        status = self.client.bring(self.client.envelope("ParticipantRegistry", self._application))
        if status["state"] == "refused":
            raise ChainError(f"the application is refused: {status['refusal']}")

    # --------------------------------------------------------------------------------------------- trading

    def order(self, day: Day) -> None:
        """Bring the day's orders."""
        for sheet in self._sheets(day):
            self.client.bring(self.client.envelope("CallAuction", sheet))

    def _may_order(self, day: Day) -> bool:
        """Whether it takes part, and has money."""
        number = self.number
        if not number:
            return False
        own = self._get(f"/v1/members/{number}")
        return int(own["first_day"]) <= day and Decimal(own["balance"] or 0) > 0

    def _has_ordered(self, day: Day) -> bool:
        """Whether orders are in the book, or it has none, or they are refused: then it says so and waits for a day."""
        number = self.number
        if not number:
            return False
        if self._get(f"/v1/members/{number}/orders", day=day):
            return True
        return self._may_order(day) and all(self._is_done_with(sheet) for sheet in self._sheets(day))

    def _is_done_with(self, sheet: OrderSheet) -> bool:
        # To bring a message again changes nothing, and tells what has become of it.
        status = self.client.bring(self.client.envelope("CallAuction", sheet))
        if status["state"] == "refused":
            self._log.warning("orders refused", day=sheet.day, why=status["refusal"])
        return status["state"] in _DONE

    def _sheets(self, day: Day) -> list[OrderSheet]:
        """What it wants of the day, each sheet for sheet the same whenever it is asked."""
        orders = self.orders(day)
        periods = self.calendar.periods_per_day
        return [*order_sheets(self.client.account, day, orders, periods)] if orders else []

    def orders(self, day: Day) -> list[Order]:
        """One a slot: all that it expects, at its standing limit, and never worse than the fallback tariff."""
        expected = self._expected(day) or self._as_lately(day)
        if expected is None:
            return []
        rules, number = self.client.get("/v1/rules", day=day), self.number
        tariffs = {row["slot"]: row for row in self.client.get("/v1/tariffs", day=day)}
        fees = parse_tariff(rules["platform_fee"]) + parse_tariff(rules["network_fee"])
        prices = PriceRange(parse_tariff(rules["lowest_price"]), parse_tariff(rules["price_tick"]))
        found: list[Order] = []
        for slot, net in enumerate(expected):
            told = tariffs.get(slot)
            buy = parse_tariff(told["buy"] if told else rules["standing_buy"])
            sell = parse_tariff(told["sell"] if told else rules["standing_sell"])
            side = Side.BID if net > 0 else Side.ASK
            tick = self._limit(side, buy - fees, sell + fees, prices)
            capacity = self._application.import_capacity if net > 0 else self._application.export_capacity
            energy = min(abs(net), capacity, MAX_ENERGY)
            if energy >= max(1, rules["min_order_energy_wh"]) and 0 <= tick <= MAX_TICK:
                found.append(Order(number, 0, slot, side, Tick(tick), Wh(energy)))
        return found

    def _limit(self, side: Side, most: int, least: int, prices: PriceRange) -> int:
        """A tick, rounded so that it is never worse for the household; most, least: what a trade is worth, units/Wh."""
        if side is Side.BID:
            standing = self._standing.buy_at_most
            return prices.tick_down(most if standing is None else min(most, standing))
        standing = self._standing.sell_at_least
        return prices.tick_up(least if standing is None else max(least, standing))

    def _as_lately(self, day: Day) -> list[Wh] | None:
        """The mean of the last days whose readings are in, rounded down; None if there are none."""
        number, first = self.number, max(1, day - _HISTORY_DAYS - 1)
        if not number or day < 2:
            return None
        by_day: dict[int, dict[int, int]] = {}
        for row in self._get(f"/v1/members/{number}/energy", first_day=first, last_day=day - 1):
            by_day.setdefault(row["day"], {})[row["slot"]] = row["metered_wh"]
        now, calendar = self.now(), self.calendar
        over = [slots for past, slots in by_day.items() if calendar.metering_deadline(past) <= now]
        if not over:
            return None
        return [Wh(sum(s.get(slot, 0) for s in over) // len(over)) for slot in range(calendar.periods_per_day)]


class Delivery(Protocol):
    """Whoever takes a meter's sheets to the chain."""

    def bring(self, envelope: Envelope) -> dict[str, Any]:
        """Take a sheet, or tell what has become of it."""


@dataclass(frozen=True)
class MeteringGateway:
    """A metering gateway at an address. session: as of `requests`."""

    url: str
    session: Any = requests
    seconds: float = 30

    def bring(self, envelope: Envelope) -> dict[str, Any]:
        """As `Client.bring`.

        Raises:
            RequestError: it refuses.
        """
        body = envelope.model_dump()
        answer = self.session.post(f"{self.url.rstrip('/')}/v1/messages", json=body, timeout=self.seconds)
        try:
            found: dict[str, Any] = answer.json()
        except ValueError:
            why = f"{self.url}: answers {answer.status_code} and no JSON; is it a metering gateway?"
            raise ChainError(why) from None
        if answer.status_code >= 400:
            raise RequestError(answer.status_code, found.get("title", "Refused"), found.get("detail", ""))
        return found


class Meter(AtGateway):
    """Signs its registers of every day that is over.

    metered: net Wh by slot. delivery: whoever takes them; the gateway, or a metering gateway.
    """

    def __init__(
        self, client: Client, metered: Energies, delivery: Delivery | None = None, clock: Any = time.time
    ) -> None:
        super().__init__(client, clock)
        self._metered, self._delivery = metered, delivery or client
        self._log = structlog.get_logger().bind(meter=client.account)
        self._opening = {1: (0, 0)}
        """Registers at the start of days, as far as they were asked for; made anew from the energies after a kill."""

    @property
    def steps(self) -> Sequence[Step]:
        """After each day, as long as it can be corrected."""
        return (
            Step(
                "read",
                self.read,
                self._has_read,
                lambda day: self.calendar.start_of(day + 1),
                lambda day: self.calendar.corrections_close_at(day),
            ),
        )

    def read(self, day: Day) -> None:
        """Bring the day's registers."""
        self._bring(day)

    def _has_read(self, day: Day) -> bool:
        if self._metered(day) is None:
            return True
        # To bring a message again changes nothing, and tells what has become of it.
        status = self._bring(day)
        if status["state"] == "refused":
            self._log.warning("readings refused", day=day, why=status.get("refusal"))
        return status["state"] in _DONE

    def _bring(self, day: Day) -> dict[str, Any]:
        sheet = ReadingSheet(self.client.account, day, 0, 1, pack_registers(self.registers(day)))
        return self._delivery.bring(self.client.envelope("MeterReadings", sheet))

    def registers(self, day: Day) -> list[Register]:
        """The opening ones and one per period end; they count from day 1 on."""
        for earlier in range(max(known for known in self._opening if known <= day), day):
            self._opening[earlier + 1] = _advance(self._opening[earlier], self._metered(earlier) or ())[-1]
        rows = _advance(self._opening[day], self._metered(day) or ())
        return [Register(Wh(imported), Wh(exported)) for imported, exported in rows]


def _advance(opening: tuple[int, int], net: Sequence[int]) -> list[tuple[int, int]]:
    rows = [opening]
    for energy in net:
        imported, exported = rows[-1]
        rows.append((imported + max(energy, 0), exported + max(-energy, 0)))
    return rows
