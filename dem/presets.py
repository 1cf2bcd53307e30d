"""Ways to trade, after Fig. 1 and Table 1 of Xiao et al.: who places which orders, and what an island sheds.

| mode | orders of the members | of the intermediary | what is left |
|---|---|---|---|
| peer to peer | in the market, by themselves | none | imbalance, with the upper grid |
| retailer | in its pool | buys and sells everything in the pool at its one posted price | traded on in the market |
| virtual power plant | in its pool | takes what the pool leaves, outside of its band | traded on in the market |
| microgrid | in its pool | takes what the pool leaves at the fallback tariffs | imbalance, with the upper grid |
| islanded microgrid | in its pool | none | shed and curtailed: there is no upper grid |

A retailer's margin is its commission: at one uniform price it cannot buy low and sell high in the same period.
Pure functions of one day; orders carry the layers they are placed in.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from dem.clearing import Column, OrderBook, pro_rata
from dem.errors import InputError
from dem.orders import BROKERED_LAYER, MAX_ENERGY, Order, Side
from dem.settlement import Grid, Tariff
from dem.units import MAX_TICK, TICK_UNITS, Tick, Wh

PINNING = Wh(1)
"""What a retailer offers beyond its clients' orders, so that its price is the only equilibrium; traded with itself."""


class Mode(Enum):
    """A way to trade."""

    PEER_TO_PEER = "peer to peer"
    RETAILER = "retailer"
    VIRTUAL_POWER_PLANT = "virtual power plant"
    MICROGRID = "microgrid"
    ISLAND = "islanded microgrid"


@dataclass(frozen=True, slots=True)
class Band:
    """Of one slot: the intermediary buys at `bid` and sells at `ask`, ticks."""

    bid: Tick
    ask: Tick

    def __post_init__(self) -> None:
        if not 0 <= self.bid <= self.ask <= MAX_TICK:
            raise InputError("band", (self.bid, self.ask), f"must be 0 <= bid <= ask <= {MAX_TICK}, in ticks")


@dataclass(frozen=True, slots=True)
class Placed:
    """Orders by where they are placed."""

    market: tuple[Order, ...] = ()
    pool: tuple[Order, ...] = ()


def bands_of(tariffs: Sequence[Tariff]) -> list[Band]:
    """A microgrid's bands: it sells on what it bought, and buys what it sold, at the fallback tariffs without a loss.

    Rounded to whole ticks outwards: the intermediary gains, by less than a tick.
    """
    return [
        Band(Tick(min(tariff.sell // TICK_UNITS, MAX_TICK)), Tick(min(-(-tariff.buy // TICK_UNITS), MAX_TICK)))
        for tariff in tariffs
    ]


def posted(ticks: Sequence[Tick]) -> list[Band]:
    """A retailer's bands: one posted price a slot."""
    return [Band(tick, tick) for tick in ticks]


def place(mode: Mode, orders: Sequence[Order], intermediary: int = 0, bands: Sequence[Band] = ()) -> Placed:
    """The orders of all hands for one day, given what the members wish to trade (`orders`, in layers from 0).

    intermediary: its number; bands: its prices by slot, for the modes that have them.

    Raises:
        InputError: an order of the intermediary among its clients', or a slot without a band.
    """
    if mode is Mode.PEER_TO_PEER:
        return Placed(market=tuple(orders))
    if any(order.participant == intermediary for order in orders):
        raise InputError("orders", intermediary, "is the intermediary, who has no orders among its clients'")
    clients = [replace(order, layer=BROKERED_LAYER + order.layer) for order in orders]
    if mode is Mode.ISLAND:
        return Placed(pool=tuple(clients))
    extra = PINNING if mode is Mode.RETAILER else Wh(0)
    return Placed(pool=(*clients, *_counter_orders(clients, intermediary, bands, extra)))


def sell_on(mode: Mode, pool: OrderBook, fills: Column, intermediary: int, bands: Sequence[Band]) -> list[Order]:
    """The market orders by which an intermediary trades on, for its own account, what it took in its cleared pool.

    At the very price it has dealt at: it loses nothing by them, and what the market does not take is its imbalance.
    """
    if mode not in (Mode.RETAILER, Mode.VIRTUAL_POWER_PLANT):
        return []
    own = np.flatnonzero((pool.participant == intermediary) & (fills > 0))
    taken: dict[int, int] = defaultdict(int)
    for slot, side, energy in zip(pool.slot[own].tolist(), pool.side[own].tolist(), fills[own].tolist(), strict=True):
        taken[slot] += energy if side == Side.BID else -energy
    orders: list[Order] = []
    for slot, net in sorted(taken.items()):
        side, tick = (Side.ASK, bands[slot].bid) if net > 0 else (Side.BID, bands[slot].ask)
        orders += _pieces(intermediary, 0, slot, side, tick, abs(net))
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


def _counter_orders(clients: Sequence[Order], intermediary: int, bands: Sequence[Band], extra: Wh) -> Iterator[Order]:
    """Enough of the intermediary's own orders to take what of its clients' accepts its prices: the book is public."""
    wanted: dict[tuple[int, Side], int] = defaultdict(int)
    for order in clients:
        if order.slot >= len(bands):
            raise InputError("bands", len(bands), f"slots have one; an order is for slot {order.slot}")
        band = bands[order.slot]
        if order.tick >= band.ask if order.side == Side.BID else order.tick <= band.bid:
            wanted[order.slot, order.side] += order.energy
    for slot in sorted({order.slot for order in clients}):
        bids = list(_pieces(intermediary, 0, slot, Side.BID, bands[slot].bid, wanted[slot, Side.ASK] + extra))
        yield from bids
        yield from _pieces(intermediary, len(bids), slot, Side.ASK, bands[slot].ask, wanted[slot, Side.BID] + extra)


def _pieces(participant: int, layer: int, slot: int, side: Side, tick: Tick, energy: int) -> Iterator[Order]:
    """As many orders as the energy needs, one a layer."""
    while energy > 0:
        yield Order(participant, layer, slot, side, tick, Wh(min(energy, MAX_ENERGY)))
        energy -= MAX_ENERGY
        layer += 1
