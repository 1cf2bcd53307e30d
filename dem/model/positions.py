"""What markets contract, and what that comes to: positions of participants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Clearing, Column, OrderBook
from dem.model.orders import Side
from dem.model.units import PriceRange

Grid: TypeAlias = NDArray[np.int64]
"""A row per participant, a column per slot."""


class Trades(NamedTuple):
    """What a market contracted, one row per trade and side: who, slot, energy bought and sold in Wh, payment due in
    money units."""

    participant: Column
    slot: Column
    bought: Column
    sold: Column
    payment: Column


class Flexible(NamedTuple):
    """Energy sold back in a market that may earn the premium: who, slot, Wh."""

    participant: Column
    slot: Column
    energy: Column


class Positions(NamedTuple):
    """Energy bought and sold, Wh, and payments due, money units: a row per participant, a column per slot."""

    bought: Grid
    sold: Grid
    payments: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """What the wholesale desk nominated, which it delivers by definition.

    net: by slot, Wh, consumption positive: what the area imports is negative.
    penalties: the upper market's rates by slot, units per Wh of the area's imbalance.
    """

    desk: int
    net: Column
    penalties: Column


def no_exchange(slots: int) -> Exchange:
    """Of a day without a desk: nobody has number 0."""
    nothing = np.zeros(slots, np.int64)
    return Exchange(0, nothing, nothing)


def auction_trades(book: OrderBook, filled: Column, clearings: Sequence[Clearing], prices: PriceRange) -> Trades:
    """What the orders of a call auction trade, each at its slot's price."""
    ticks = np.array([0 if c.price is None else c.price for c in clearings], np.int64)
    return trades_at(book, filled, prices.price_of(ticks))


def trades_at(book: OrderBook, filled: Column, prices: Column) -> Trades:
    """What orders trade at one price per slot, units/Wh."""
    rows = np.flatnonzero(filled)
    slot, energy, is_bid = book.slot[rows], filled[rows], book.side[rows] == Side.BID
    bought, sold = np.where(is_bid, energy, 0), np.where(is_bid, 0, energy)
    return Trades(book.participant[rows], slot, bought, sold, (bought - sold) * prices[slot])


def positions(markets: Iterable[Trades], participants: Column, slots: int) -> Positions:
    """The trades of all markets by slot and participant: ascending, at least all who trade."""
    grids = Positions(*np.zeros((3, len(participants), slots), np.int64))
    for trades in markets:
        at = np.searchsorted(participants, trades.participant), trades.slot
        for grid, amounts in zip(grids, (trades.bought, trades.sold, trades.payment), strict=True):
            np.add.at(grid, at, amounts)
    return grids
