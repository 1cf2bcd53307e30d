"""A day of one small community on the contracts in each way to trade of Fig. 1 and Table 1, the same wishes every time.

Each day is reconciled from its events; what the modes are to show is asserted: who trades where, what the upper grid
gives or takes, and that an island, which has none, is in balance in every period.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from support.evm.keys import struct
from support.evm.market import failures
from support.evm.people import AMPLE, Person, readings, register, sign_readings, sign_sheet
from support.evm.pools import POOL, PooledMarket
from support.rules import SMALL

from dem.community.presets import POOLED, TRADING_ON, Mode, place, sell_on, shed
from dem.messages.members import Mandate
from dem.messages.orders import OrderSheet
from dem.model.calendar import CalendarParameters
from dem.model.markets.dealing import Intermediary, Quote
from dem.model.orders import BROKERED_LAYER, Order, Side, lines_of
from dem.model.settlement import DaySettlement
from dem.model.strips import LANES
from dem.model.units import Tick, Wh
from dem.replay.book import Book
from dem.replay.members import KINDS

PERIODS = 12
CALENDAR = CalendarParameters(
    opening=10_000_000,
    period_length=60,
    periods_per_day=PERIODS,
    open_lead=900,
    gate_lead=180,
    metering_lag=120,
    correction_lag=720,
)
POOL_CALENDAR = CalendarParameters(10_000_000, 60, PERIODS, 900, 360, 120, 720)
RULES = replace(SMALL, standing_sell=5_000, min_order_energy=1)
QUOTES = {
    Mode.RETAILER: Quote(Tick(150), Tick(150)),
    Mode.VIRTUAL_POWER_PLANT: Quote(Tick(100), Tick(200)),
    Mode.MICROGRID: Quote(Tick(110), Tick(230)),
}
SUPPLIER_ID, PLENTY, ALL_GROUPS = 3, 10**13, 1 << 32
MEMBERS, SEEDS = 5, range(8)


class Community:
    """Members with wishes, an intermediary, an outsider who trades in the market alone."""

    def __init__(self, mode: Mode, seed: int) -> None:
        self.mode, self.random = mode, Random(seed)
        # What an island's controller takes away is nobody's deviation.
        rules = replace(RULES, deviation_rate=0) if mode is Mode.ISLAND else RULES
        self.market = PooledMarket(CALENDAR, rules, CALENDAR.opens_at(1) - 500)
        self.market.act("Accounts.setCreditLimit", SUPPLIER_ID, PLENTY)
        self.members = [self._join(Person.numbered(n)) for n in range(MEMBERS)]
        self.outsider = self._join(Person.numbered(50))
        kind = KINDS.index("intermediary")
        self.intermediary = self._join(
            Person.numbered(60, is_metered=False, kind=kind, import_capacity=AMPLE, export_capacity=AMPLE)
        )
        self.market.add_pool(self.intermediary.id, POOL_CALENDAR, 1)
        self.dealer = None
        if mode in POOLED:
            self.dealer = Intermediary(self.intermediary.id, [QUOTES[mode]] * PERIODS, AMPLE, AMPLE)
            for person in self.members:
                self._give_mandate(person)
        self.wishes = [self._wish(person, slot) for person in self.members for slot in range(PERIODS)]

    def _join(self, person: Person) -> Person:
        register(self.market, person)
        self.market.act("Accounts.deposit", person.account.address, PLENTY, person.id.to_bytes(32, "big"))
        return person

    def _give_mandate(self, person: Person) -> None:
        message = Mandate(person.account.address, self.intermediary.account.address, 10_000, 1, person.next_sequence())
        signature = person.account.sign(self.market.domain("Intermediaries"), message)
        self.market.act("Intermediaries.choose", struct(message), signature)

    def _wish(self, person: Person, slot: int) -> Order:
        side = self.random.choice(list(Side))
        return Order(person.id, 0, slot, side, Tick(self.random.randint(60, 290)), Wh(self.random.randint(1, 3_000)))

    # -------------------------------------------------------------------------------------------------------- day

    def play(self) -> None:
        """Orders, clearing, delivery, settlement."""
        self.market.now = CALENDAR.opens_at(1)
        placed = place(self.mode, self.wishes, self.dealer)
        self._enter(POOL, placed.pool)
        self.market.now = POOL_CALENDAR.gate_closes_at(1)
        self._clear(POOL)
        pool = self.market.pool.book(1)
        onwards = sell_on(self.mode, pool.standing, pool.fills, self.dealer) if self.dealer else []
        others = [] if self.mode is Mode.ISLAND else self._outsiders()
        self._enter("CallAuction", [*placed.market, *onwards, *others])
        self.market.now = CALENDAR.gate_closes_at(1)
        self._clear("CallAuction")
        self._deliver()
        self.market.act("MeterReadings.close", 1, 100)
        self.market.act("Settlement.settle", 1, 100)

    def _outsiders(self) -> list[Order]:
        """In turn somebody who buys dear and who sells cheap."""
        sides = [(Side.BID, Tick(250)) if slot % 2 else (Side.ASK, Tick(70)) for slot in range(PERIODS)]
        return [Order(self.outsider.id, 0, slot, *order, Wh(2_000)) for slot, order in enumerate(sides)]

    def _enter(self, contract: str, orders: Sequence[Order]) -> None:
        everybody = {p.id: p for p in (*self.members, self.outsider, self.intermediary)}
        for id_ in sorted({order.participant for order in orders}):
            person = everybody[id_]
            for line, word in lines_of((o for o in orders if o.participant == id_), 1, PERIODS).items():
                sheet = OrderSheet(person.account.address, 1, line, person.next_sequence(), (word,))
                is_brokered = line >= BROKERED_LAYER * (PERIODS // LANES)
                signer = self.intermediary if is_brokered else person
                signed = sign_sheet(self.market, sheet, signer.account, contract)
                self.market.act(f"{contract}.enter", signed)

    def _clear(self, contract: str) -> None:
        book = self.market.pool.book(1) if contract == POOL else self.market.replay.book(1)
        for strip in range(PERIODS // LANES):
            pivots = [outcome.pivot for outcome in book.clearing[strip * LANES : (strip + 1) * LANES]]
            self.market.act(f"{contract}.clear", 1, strip, pivots, ALL_GROUPS)

    @property
    def wished(self) -> np.ndarray:
        """Net energy by member and slot, Wh, as wished."""
        energies = [order.energy if order.side == Side.BID else -order.energy for order in self.wishes]
        return np.array(energies, np.int64).reshape(MEMBERS, PERIODS)

    def _deliver(self) -> None:
        metered = self.wished
        if self.mode is Mode.ISLAND:
            contracted = self.market.replay.contracted(1)
            nets = np.array([contracted.get(p.id, [0] * PERIODS) for p in self.members], np.int64)
            limits = np.array([order.tick for order in self.wishes], np.int64).reshape(MEMBERS, PERIODS)
            metered = shed(metered, nets, limits)
        self.market.now = CALENDAR.metering_deadline(1)
        # Whoever is not read takes in all that its connection does.
        for person, net in zip([*self.members, self.outsider], [*metered.tolist(), [0] * PERIODS], strict=True):
            sheet = readings(self.market, person, 1, 0, net)
            self.market.act("MeterReadings.enter", sign_readings(self.market, sheet, person.meter))


def _assert_paid_back(settled: DaySettlement, book: Book) -> None:
    """What was contracted and cut costs what was traded at the auction's price, and nothing but the fees is left."""
    for slot, outcome in enumerate(book.clearing):
        if outcome.price is not None:
            paid = settled.trade[:, slot] + settled.imbalance_units[:, slot]
            assert (paid == settled.delivery.metered[:, slot] * RULES.prices.price_of(outcome.price)).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", list(Mode))
def test_each_way_to_trade_on_the_contracts(mode: Mode, seed: int) -> None:
    community = Community(mode, seed)
    community.play()
    replay = community.market.replay
    assert not failures(community.market.checks())
    settled = replay.settlement(1)
    trades = {name: set(found.participant.tolist()) for name, found in replay.trades(1).items() if len(found.slot)}
    members = {person.id for person in community.members}
    if mode in POOLED:
        assert members & trades[POOL]
        assert not members & trades.get("CallAuction", set()), "a client traded beside its intermediary"
        assert community.intermediary.id in trades[POOL]
    else:
        assert POOL not in trades
        assert members & trades["CallAuction"]
    if mode in TRADING_ON:
        assert community.intermediary.id in trades["CallAuction"], "nothing was sold on"
    if mode is Mode.RETAILER:
        assert {outcome.price for outcome in community.market.pool.book(1).clearing} - {None} == {150}
    if mode is Mode.ISLAND:
        assert not settled.area.imbalance.any(), "an island has no upper grid"
        assert settled.fallback() == 0
        assert settled.delivery.metered.any(), "all was shed"
        assert settled.fund() == 0, "what was cut was charged"
        _assert_paid_back(settled, replay.book(1))
    else:
        assert settled.area.imbalance.any(), "what is left comes from the upper grid, or goes there"
