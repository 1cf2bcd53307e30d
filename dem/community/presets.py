"""Ways to trade, after Fig. 1 and Table 1 of Xiao et al.: who places which orders, and what an island sheds.

| mode | orders of the members | of the intermediary | what is left |
|---|---|---|---|
| peer to peer | in the market, by themselves | none | imbalance, with the upper grid |
| retailer | in its pool | takes what the pool leaves, at its one posted price | traded on in the market |
| virtual power plant | in its pool | takes what the pool leaves, outside of its quote | traded on in the market |
| microgrid | in its pool | takes what the pool leaves at the fallback tariffs | imbalance, with the upper grid |
| islanded microgrid | in the market: the island is all of it | none | shed and curtailed: there is no upper grid |

A retailer's margin is its commission: at one uniform price it cannot buy low and sell high in the same period.
Pure functions of one day; orders carry the layers they are placed in.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from dem.errors import InputError
from dem.model.markets.auction import Column, OrderBook, pro_rata
from dem.model.orders import BROKERED_LAYER, MAX_ENERGY, Order, Side
from dem.model.positions import Grid
from dem.model.rules import Tariff
from dem.model.units import MAX_TICK, PriceRange, Tick, Wh


class Mode(StrEnum):
    """A way to trade."""

    PEER_TO_PEER = "peer_to_peer"
    RETAILER = "retailer"
    VIRTUAL_POWER_PLANT = "virtual_power_plant"
    MICROGRID = "microgrid"
    ISLAND = "island"


TRADING_ON = frozenset({Mode.RETAILER, Mode.VIRTUAL_POWER_PLANT})
"""Modes in which an intermediary trades on what it took in its pool."""
POOLED = TRADING_ON | {Mode.MICROGRID}
"""Modes with an intermediary and its pool."""


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


@dataclass(frozen=True, slots=True)
class Placed:
    """Orders by where they are placed."""

    market: tuple[Order, ...] = ()
    pool: tuple[Order, ...] = ()


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


def place(mode: Mode, orders: Sequence[Order], intermediary: Intermediary | None = None) -> Placed:
    """The orders of all hands for one day, given what the members wish to trade (`orders`, in layers from 0).

    intermediary: of the modes with a pool.

    Raises:
        InputError: none where one is needed, an order of it among its clients', or a slot without a quote.
    """
    if mode not in POOLED:
        return Placed(market=tuple(orders))
    if intermediary is None:
        raise InputError("intermediary", None, f"is missing: the mode is {mode}")
    if any(order.participant == intermediary.number for order in orders):
        raise InputError("orders", intermediary.number, "is the intermediary, who has no orders among its clients'")
    clients = [replace(order, layer=BROKERED_LAYER + order.layer) for order in orders]
    return Placed(pool=(*clients, *_counter_orders(clients, intermediary, at_one_price=mode is Mode.RETAILER)))


def sell_on(mode: Mode, pool: OrderBook, fills: Column, intermediary: Intermediary) -> list[Order]:
    """The market orders by which an intermediary trades on, for its own account, what it took in its cleared pool.

    It sells at the bid of its quote and buys at the ask: with the quotes it dealt at it loses nothing by these orders.
    What the market does not take is its imbalance.
    """
    if mode not in TRADING_ON:
        return []
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


def shed(energies: Grid, contracted: Grid, limits: Grid) -> Grid:
    """What the meters of an island show, Wh: in every slot the sum is zero, by shedding load or curtailing generation.

    energies: net energy by member and slot that would flow with an upper grid, consumption positive.
    contracted: net energy by the cleared pool. limits: of the orders that contracted it, ticks.

    Where load exceeds generation, load beyond what was contracted is shed first, then contracted load from the lowest
    limit up; where generation exceeds load, likewise, contracted generation from the highest limit down. What is equal
    in that order is cut pro rata, by member's number, to the Wh. Nobody gets more than it would take or give.

    Raises:
        InputError: grids of different shapes.
    """
    if not energies.shape == contracted.shape == limits.shape:
        raise InputError("grids", (energies.shape, contracted.shape, limits.shape), "must be of one shape")
    metered = energies.copy()
    for slot, excess in enumerate(energies.sum(axis=0).tolist()):
        sign = 1 if excess > 0 else -1
        left = abs(excess)
        for part in _parts(sign * energies[:, slot], sign * contracted[:, slot], sign * limits[:, slot]):
            total = int(part.sum())
            cut = min(left, total)
            if cut == 0:
                continue
            before = part.cumsum() - part
            exact = [pro_rata(*pair, cut, total) for pair in zip(before.tolist(), part.tolist(), strict=True)]
            metered[:, slot] -= sign * np.array(exact, np.int64)
            left -= cut
    return metered


def _parts(wanted: Column, contracted: Column, limits: Column) -> Iterator[Column]:
    """Energy of the members on the side that is cut, in the order in which it is."""
    wanted = np.maximum(wanted, 0)
    firm = np.minimum(wanted, np.maximum(contracted, 0))
    yield wanted - firm
    for limit in np.unique(limits[firm > 0]):
        yield np.where(limits == limit, firm, 0)


def _counter_orders(clients: Sequence[Order], intermediary: Intermediary, at_one_price: bool) -> Iterator[Order]:
    """Enough of the intermediary's own orders to take what of its clients' accepts its prices: the book is public.

    At one price it only takes what they leave of each other's, for nobody trades with itself.
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
        if at_one_price:
            left = bought - sold
            bought, sold = (energy + intermediary.smallest if energy > 0 else 0 for energy in (left, -left))
        bids = _own(intermediary, 0, slot, Side.BID, quotes[slot].bid, bought)
        yield from bids
        yield from _own(intermediary, len(bids), slot, Side.ASK, quotes[slot].ask, sold)


def _own(intermediary: Intermediary, layer: int, slot: int, side: Side, tick: Tick, energy: int) -> list[Order]:
    """As many orders of its own as the energy needs, one a layer, as far as its connection goes."""
    left = min(energy, intermediary.import_capacity if side == Side.BID else intermediary.export_capacity)
    orders: list[Order] = []
    while left >= intermediary.smallest:
        orders.append(Order(intermediary.number, layer + len(orders), slot, side, tick, Wh(min(left, MAX_ENERGY))))
        left -= orders[-1].energy
    return orders
