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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from dem.errors import InputError
from dem.model.markets.auction import Column, OrderBook, pro_rata
from dem.model.markets.dealing import Intermediary, counter_orders, traded_on
from dem.model.orders import BROKERED_LAYER, Order
from dem.model.positions import Grid


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
class Placed:
    """Orders by where they are placed."""

    market: tuple[Order, ...] = ()
    pool: tuple[Order, ...] = ()


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
    return Placed(pool=(*clients, *counter_orders(clients, intermediary)))


def sell_on(mode: Mode, pool: OrderBook, fills: Column, intermediary: Intermediary) -> list[Order]:
    """The market orders by which an intermediary trades on what it took in its cleared pool, if its mode does."""
    return traded_on(pool, fills, intermediary) if mode in TRADING_ON else []


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
