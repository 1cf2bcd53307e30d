"""A day of a scenario through all of its mechanisms, without a chain: just enough of each to see how the crowd fares.

Contracts are all made; pools and the auction clear by the reference model; the wholesale desk fills what remains of the
auction in the order of limits; intraday orders meet the best resting one, at its price.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from dem.clearing import Clearing, Column, OrderBook, clear, fills
from dem.orders import Order, Side
from dem.scenario import Scenario
from dem.trading import Crowd
from dem.units import TICK_UNITS, Wh

Positions = dict[str, list[int]]


@dataclass
class Day:
    """energy, money: net consumption contracted (Wh) and payments due (units) by name and slot; volumes by market."""

    crowd: Crowd
    ids: dict[str, int]
    energy: Positions = field(default_factory=dict)
    money: Positions = field(default_factory=dict)
    volumes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    orders: dict[str, list[Order]] = field(default_factory=lambda: defaultdict(list))
    contracted: list[Positions] = field(default_factory=list)
    """Before each session and at the end."""
    pool_fills: dict[str, tuple[OrderBook, Column]] = field(default_factory=dict)
    pool_clearings: dict[int, Clearing] = field(default_factory=dict)
    """Of the slots with orders, of the last pool."""

    def __post_init__(self) -> None:
        self.names = {number: name for name, number in self.ids.items()}
        self.fees = self.crowd.scenario.rules(self.crowd.day).fees

    def trade(
        self, market: str, buyer: str, seller: str, slot: int, energy: int, price: int, commission: int = 0
    ) -> None:
        """One trade; price and commission in units/Wh."""
        slots = self.crowd.scenario.calendar.periods_per_day
        for name, sign in ((buyer, 1), (seller, -1)):
            self.energy.setdefault(name, [0] * slots)[slot] += sign * energy
            self.money.setdefault(name, [0] * slots)[slot] += energy * (sign * price + self.fees + commission)
        self.volumes[market] += energy

    def snapshot(self) -> Positions:
        """What is contracted now."""
        return {name: list(values) for name, values in self.energy.items()}


def play(scenario: Scenario, day: int = 1) -> Day:
    """All of a day's markets."""
    crowd = Crowd(scenario, day)
    played = Day(crowd, {member.name: i for i, member in enumerate(scenario.participants, start=3)})
    for agreement in scenario.agreements:
        for slot, energy in enumerate(agreement.energy_of(scenario.calendar, day)):
            if energy:
                played.trade("bilateral", agreement.buyer, agreement.seller, slot, energy, agreement.price)
    pools = {pool.name: pool for pool in scenario.config.pools}
    for name, orders in crowd.pool_orders(played.ids, played.snapshot()).items():
        played.orders["pools"] += orders
        rest = _auction(played, "pools", orders, pools[name].commission)
        left = {order: part for rows in rest.values() for order, part in rows}
        filled = np.array([order.energy - left[order] for order in orders], np.int64)
        played.pool_fills[name] = OrderBook.of(orders), filled
        played.pool_clearings = {slot: clear(book) for slot, book in _by_slot(orders).items()}
    orders = crowd.orders(played.ids, played.snapshot(), played.pool_fills)
    played.orders["call_auction"] += orders
    _wholesale(played, _auction(played, "call_auction", orders))
    books: dict[int, list[Order]] = defaultdict(list)
    for session in crowd.sessions:
        played.contracted.append(played.snapshot())
        books.clear()
        for order in crowd.intraday_orders(session, played.ids, played.contracted[-1]):
            played.orders["intraday"].append(order)
            _meet(played, books[order.slot], order)
    played.contracted.append(played.snapshot())
    return played


def _by_slot(orders: list[Order]) -> dict[int, list[Order]]:
    books: dict[int, list[Order]] = defaultdict(list)
    for order in orders:
        books[order.slot].append(order)
    return books


def _auction(day: Day, market: str, orders: list[Order], commission: int = 0) -> dict[int, list[tuple[Order, int]]]:
    """What remains of each order, by slot. The clearing house stands between, so buyers meet sellers in any order."""
    rest: dict[int, list[tuple[Order, int]]] = {}
    for slot, book in _by_slot(orders).items():
        clearing = clear(book)
        filled: list[Wh] = fills(book, clearing) if clearing.volume else [Wh(0)] * len(book)
        rest[slot] = [(order, order.energy - part) for order, part in zip(book, filled, strict=True)]
        sides = {
            side: [[order, part] for order, part in zip(book, filled, strict=True) if part and order.side is side]
            for side in Side
        }
        while sides[Side.BID]:
            (bid, wanted), (ask, offered) = sides[Side.BID][0], sides[Side.ASK][0]
            energy = min(wanted, offered)
            buyer, seller = day.names[bid.participant], day.names[ask.participant]
            day.trade(market, buyer, seller, slot, energy, clearing.price * TICK_UNITS, commission)
            for side in Side:
                sides[side][0][1] -= energy
                if not sides[side][0][1]:
                    sides[side].pop(0)
    return rest


def _wholesale(day: Day, rest: dict[int, list[tuple[Order, int]]]) -> None:
    report, desk = day.crowd.desk_report(), day.crowd.scenario.config.wholesale
    if report is None or desk is None:
        return
    for slot, orders in rest.items():
        bought = report.price[slot] + report.margin
        left = int(report.import_capacity[slot])
        for order, energy in sorted(orders, key=lambda row: -row[0].tick):
            part = min(left, energy) if order.side is Side.BID and order.tick * TICK_UNITS >= bought else 0
            if part:
                day.trade("wholesale", day.names[order.participant], desk.desk, slot, part, bought)
                left -= part


def _meet(day: Day, resting: list[Order], order: Order) -> None:
    """Against the best of the other side, then into the book."""
    left = int(order.energy)
    sign = 1 if order.side is Side.BID else -1
    others = sorted((o for o in resting if o.side is not order.side), key=lambda o: sign * o.tick)
    for other in others:
        if not left or sign * other.tick > sign * order.tick or other.participant == order.participant:
            break
        energy = min(left, other.energy)
        buyer, seller = (order, other) if order.side is Side.BID else (other, order)
        names = day.names[buyer.participant], day.names[seller.participant]
        day.trade("intraday", *names, order.slot, energy, other.tick * TICK_UNITS)
        left -= energy
        resting.remove(other)
        if other.energy > energy:
            resting.append(Order(**{**_fields(other), "energy": Wh(other.energy - energy)}))
    if left:
        resting.append(Order(**{**_fields(order), "energy": Wh(left)}))


def _fields(order: Order) -> dict[str, int]:
    return {name: getattr(order, name) for name in ("participant", "layer", "slot", "side", "tick", "energy")}
