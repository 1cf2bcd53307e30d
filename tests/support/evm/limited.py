"""A day of a market with a buyer, a seller whose zone of the network may be limited, and a neighbour in no zone."""

from dataclasses import replace

import numpy as np

from dem.messages.orders import OrderSheet
from dem.model.limits import Publication, Share, ZoneLimit, pack_shares
from dem.model.orders import Order, Side, encode_lane
from dem.model.strips import LANES, pack
from dem.model.units import Tick, Wh
from support.rules import CALENDAR, SMALL

from .keys import struct
from .market import Market
from .people import Person, readings, register, sign_readings, sign_sheet

FUND_ID, GRID_OPERATOR_ID = 1, 5
PLENTY = 10**16
IMPORTS, EXPORTS = 1_000, 800
ZONE = 7
REPORT = bytes(32)
NOTHING = [0] * 12
RULES = replace(SMALL, standing_buy=30_000, standing_sell=8_000)


class LimitedDay:
    """A market with a buyer, a seller in the limited zone, and a neighbour in none."""

    def __init__(self) -> None:
        self.market = market = Market(CALENDAR, RULES, CALENDAR.opening - 20_000)
        names = ("buyer", "seller", "neighbour")
        people = [Person.numbered(n, import_capacity=IMPORTS, export_capacity=EXPORTS) for n in range(3)]
        self.buyer, self.seller, self.neighbour = people
        for n, _ in enumerate(names):
            register(market, people[n])
            market.act("Accounts.deposit", people[n].account.address, PLENTY, bytes([n + 1] * 32))
        market.act("Accounts.setCreditLimit", 3, PLENTY)
        market.act("Accounts.setCreditLimit", GRID_OPERATOR_ID, PLENTY)
        market.act("GridLimits.assign", [self.seller.id], [ZONE], 1)

    def limit(self, *shares: Share, strip: int = 0) -> None:
        """Of the zone, before the auction opens; without shares nothing is limited."""
        words = [ZoneLimit(ZONE, strip, pack_shares(shares * LANES))] if shares else []
        self.market.act("GridLimits.limit", 1, words, REPORT)

    def lower(self, share: Share, strip: int = 1) -> None:
        self.market.act("GridLimits.restrict", 1, [ZoneLimit(ZONE, strip, pack_shares([share] * LANES))], "", REPORT)

    def open(self) -> None:
        self.market.now = CALENDAR.opens_at(1)

    def order(self, person: Person, side: Side, energy: int, strip: int = 0, layer: int = 0, tick: int = 100) -> None:
        """The same order in all six periods of a strip."""
        lane = encode_lane(Order(1, 0, 0, side, Tick(tick), Wh(energy)))
        line = layer * 2 + strip
        sheet = OrderSheet(person.account.address, 1, line, person.next_sequence(), (pack(1, [lane] * LANES),))
        self.market.act("CallAuction.enter", sign_sheet(self.market, sheet, person.account))

    def trade(self, energy: int, strip: int = 1) -> None:
        """The seller sells it to the buyer in every period of a strip."""
        self.open()
        self.order(self.seller, Side.ASK, energy, strip)
        self.order(self.buyer, Side.BID, energy, strip)
        self.clear()

    def clear(self) -> None:
        self.market.now = CALENDAR.gate_closes_at(1)
        for strip in range(2):
            outcomes = self.market.replay.book(1).clearing[strip * LANES : (strip + 1) * LANES]
            self.market.act("CallAuction.clear", 1, strip, [outcome.pivot for outcome in outcomes], 1 << 32)

    def end(self, sellers: list[int] | None, buyers: list[int] = NOTHING, neighbours: list[int] = NOTHING) -> None:
        """The day's meters, and its end; of who has none nobody reads it."""
        market = self.market
        market.now = CALENDAR.metering_deadline(1)
        for person, net in ((self.buyer, buyers), (self.seller, sellers), (self.neighbour, neighbours)):
            if net is None:
                continue
            market.act("MeterReadings.enter", sign_readings(market, readings(market, person, 1, 0, net), person.meter))
        market.act("MeterReadings.close", 1, 100)
        market.act("Settlement.settle", 1, 100)
        market.now = CALENDAR.corrections_close_at(1)
        market.act("Settlement.finalize", 1)

    @property
    def publications(self) -> tuple[Publication, ...]:
        return self.market.replay.grid.publications(1)

    def charge(self, person: Person, function: str = "charge", publications: object = None) -> None:
        record = self.market.replay.late.record(person.id, 1)
        known = self.publications if publications is None else publications
        self.market.act(f"GridCharges.{function}", person.id, 1, known, record)

    def correct(self, person: Person, net: list[int]) -> None:
        """What its meter says of the day once it is final."""
        late = self.market.replay.late
        message, record = late.late_reading(person.id, 1, np.array(net)), late.record(person.id, 1)
        signature = person.meter.sign(self.market.domain("LateReconciliation"), message)
        self.market.act("LateReconciliation.reconcile", struct(message), record, signature)

    def free(self, id_: int) -> int:
        return self.market.account(id_).free

    def reconciled(self) -> bool:
        return all(check.ok for check in self.market.checks())
