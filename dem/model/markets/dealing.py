"""How an intermediary deals with its clients in its pool (rule 9.5), and trades on what they leave.

Pure functions of one day, for a simulated intermediary and for the service of a real one.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dem.errors import InputError
from dem.model.markets.auction import Column, OrderBook
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.rules import MarketRules, Tariff
from dem.model.units import MAX_TICK, PriceRange, Tick, Wh


@dataclass(frozen=True, slots=True)
class Band:
    """Limits of one slot at which a trade is worth its fees, in ticks before any clamping.

    floor: lowest ask, the fallback supplier's sell price plus fees, rounded up.
    ceiling: highest bid, its buy price less fees, rounded down.
    """

    floor: int
    ceiling: int

    @staticmethod
    def of(tariff: Tariff, rules: MarketRules, commission: int = 0) -> "Band":
        """The band of one slot."""
        fees = rules.fees + commission
        return Band(
            floor=rules.prices.tick_up(tariff.sell + fees),
            ceiling=rules.prices.tick_down(tariff.buy - fees),
        )

    def inside(self, permille: int) -> int:
        """Ticks from either edge into the band: a share 0..1000 of its width, rounded down."""
        return max(0, self.ceiling - self.floor) * permille // 1000


@dataclass(frozen=True, slots=True)
class Quote:
    """Of one slot: the intermediary buys at `bid` and sells at `ask`, ticks."""

    bid: Tick
    ask: Tick

    def __post_init__(self) -> None:
        if not 0 <= self.bid <= self.ask <= MAX_TICK:
            raise InputError("quote", (self.bid, self.ask), f"must be 0 <= bid <= ask <= {MAX_TICK}, in ticks")


@dataclass(frozen=True, slots=True)
class Intermediary:
    """Who deals with the clients of a pool.

    number: in the registry. quotes: its prices, by slot. import_capacity, export_capacity: of its orders, Wh per
    period. smallest: energy of an order. A retailer offers that much beyond what its clients leave, so that its price
    is the only equilibrium: of the orders at just that price so much may be left. Where its clients leave nothing, it
    has no order, and the price is theirs.
    """

    number: int
    quotes: Sequence[Quote]
    import_capacity: int
    export_capacity: int
    smallest: int = 1


def quoted(tariffs: Sequence[Tariff], prices: PriceRange) -> list[Quote]:
    """A microgrid's quotes: it sells on what it bought, and buys what it sold, at the fallback tariffs without a loss.

    Rounded to whole ticks outwards: the intermediary gains, by less than a tick.
    """
    return [
        Quote(prices.nearest(prices.tick_down(tariff.sell)), prices.nearest(prices.tick_up(tariff.buy)))
        for tariff in tariffs
    ]


def posted(ticks: Sequence[Tick]) -> list[Quote]:
    """A retailer's quotes: one posted price a slot."""
    return [Quote(tick, tick) for tick in ticks]


def counter_orders(clients: Sequence[Order], intermediary: Intermediary) -> Iterator[Order]:
    """Enough of the intermediary's own orders to take what of its clients' accepts its prices: the book is public.

    Where it buys and sells at one price it only takes what they leave of each other's: nobody trades with itself.
    """
    quotes, wanted = intermediary.quotes, defaultdict[tuple[int, Side], int](int)
    for order in clients:
        if order.slot >= len(quotes):
            raise InputError("quotes", len(quotes), f"slots have one; an order is for slot {order.slot}")
        quote = quotes[order.slot]
        if order.tick >= quote.ask if order.side == Side.BID else order.tick <= quote.bid:
            wanted[order.slot, order.side] += order.energy
    for slot in sorted({order.slot for order in clients}):
        bought, sold = wanted[slot, Side.ASK], wanted[slot, Side.BID]
        if quotes[slot].bid == quotes[slot].ask:
            left = bought - sold
            bought, sold = (energy + intermediary.smallest if energy > 0 else 0 for energy in (left, -left))
        bids = _own(intermediary, 0, slot, Side.BID, quotes[slot].bid, bought)
        yield from bids
        yield from _own(intermediary, len(bids), slot, Side.ASK, quotes[slot].ask, sold)


def traded_on(pool: OrderBook, fills: Column, intermediary: Intermediary) -> list[Order]:
    """The market orders by which an intermediary trades on, for its own account, what it took in its cleared pool.

    It sells at the bid of its quote and buys at the ask: with the quotes it dealt at it loses nothing by these orders.
    What the market does not take is its imbalance.
    """
    own = np.flatnonzero((pool.participant == intermediary.number) & (fills > 0))
    taken: dict[int, int] = defaultdict(int)
    for slot, side, energy in zip(pool.slot[own].tolist(), pool.side[own].tolist(), fills[own].tolist(), strict=True):
        taken[slot] += energy if side == Side.BID else -energy
    orders: list[Order] = []
    for slot, net in sorted(taken.items()):
        side = Side.ASK if net > 0 else Side.BID
        quote = intermediary.quotes[slot]
        orders += _own(intermediary, 0, slot, side, quote.bid if net > 0 else quote.ask, abs(net))
    return orders


def _own(intermediary: Intermediary, layer: int, slot: int, side: Side, tick: Tick, energy: int) -> list[Order]:
    """As many orders of its own as the energy needs, one a layer, as far as its connection goes."""
    left = min(energy, intermediary.import_capacity if side == Side.BID else intermediary.export_capacity)
    orders: list[Order] = []
    while left >= intermediary.smallest:
        orders.append(Order(intermediary.number, layer + len(orders), slot, side, tick, Wh(min(left, MAX_ENERGY))))
        left -= orders[-1].energy
    return orders
