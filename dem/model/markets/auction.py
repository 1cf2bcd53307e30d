"""The call auction: one uniform price per period, from the definitions of the rules.

With D(>t), D(>=t) the energy of bids with a limit above, or at least, tick t and A(<t), A(<=t)
likewise for asks, the equilibrium prices are the ticks from `lo = min{t : A(<=t) >= D(>t)}` to
`hi = max{t : D(>=t) >= A(<t)}`, and the price is floor((lo + hi) / 2): the k-double auction of
Chatterjee and Samuelson (1983) with k = 1/2, for many traders as in Rustichini, Satterthwaite and
Williams (1994).

A day's orders are columns, and all its periods are cleared at once: `clear_day`, `fills_of_day`.
`clear` and `fills` are the same for the orders of one period. Columns are int64 and exact: sums of
energies stay below 2^63 for any book below 2^36 orders, and the one product that may not is formed
of Python's integers then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, require_range
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.units import MAX_TICK, Money, PriceRange, Tick, Wh

Column = NDArray[np.int64]
_Integers = TypeVar("_Integers", int, NDArray[Any])

_TICKS = MAX_TICK + 1
_INT64_END = 1 << 63
_ENDS: tuple[Literal["left"], Literal["right"]] = ("left", "right")
_NONE = -1
"""Stands in columns for a price or side that is None."""


def as_orders(columns: Iterable[Column]) -> list[Order]:
    """The orders in columns of the fields of `Order`, in their order."""
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Order(who, layer, slot, Side(side), tick, energy) for who, layer, slot, side, tick, energy in rows]


@dataclass(frozen=True, slots=True, eq=False)
class OrderBook:
    """Orders of a day as columns of one length; the fields are those of `Order`.

    Raises:
        InputError: a value is out of range, or two orders share participant, layer and slot.
    """

    participant: Column
    layer: Column
    slot: Column
    side: Column
    tick: Column
    energy: Column

    def __post_init__(self) -> None:
        if not self.energy.size:
            return
        for name, low, high in (
            ("participant", 1, None),
            ("layer", 0, None),
            ("slot", 0, None),
            ("side", Side.BID, Side.ASK),
            ("tick", 0, MAX_TICK),
            ("energy", 1, MAX_ENERGY),
        ):
            column = getattr(self, name)
            require_range(name, int(column.min()), low, high)
            require_range(name, int(column.max()), low, high)
        lanes = np.stack((self.slot, self.layer, self.participant))
        lanes = lanes[:, np.lexsort(lanes)]
        equal = (lanes[:, 1:] == lanes[:, :-1]).all(axis=0)
        if equal.any():
            slot, layer, participant = lanes[:, equal.argmax()].tolist()
            raise InputError(
                "orders", (participant, layer), f"is a participant and layer with two orders in slot {slot}"
            )

    @staticmethod
    def of(orders: Sequence[Order]) -> "OrderBook":
        """The columns of orders, in the order given."""
        return OrderBook(
            *(np.fromiter(map(attrgetter(f.name), orders), np.int64, len(orders)) for f in fields(OrderBook))
        )

    def orders(self) -> list[Order]:
        """The orders, in their order."""
        return as_orders(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True)
class Clearing:
    """Outcome of one period.

    pivot: lo, the hint the chain verifies; 0 if there are no bids.
    price: None if nothing trades.
    volume: energy bought = energy sold, Wh.
    rationed: the side whose orders at the price exceed what is left for them, if any.
    share, marginal: what is left for them (may be 0) and their energy, Wh; 0 if none is rationed.
    """

    pivot: Tick
    price: Tick | None
    volume: Wh
    rationed: Side | None
    share: Wh
    marginal: Wh


def clear_day(book: OrderBook, periods: int) -> list[Clearing]:
    """Clear the slots 0..periods-1 of a day, each on its own; what nobody orders at takes neither time nor memory.

    Both sides change at ticks with orders alone. So lo is one of these, or 0 without bids, and so is hi, or the highest
    tick without asks.

    Raises:
        InputError: an order of a later slot.
    """
    require_range("slot", int(book.slot.max(initial=0)), 0, periods - 1)
    # Energy by slot and occupied tick, a row of columns for each, ascending.
    place = book.slot * _TICKS + book.tick
    is_used = np.zeros(periods * _TICKS, np.bool_)
    is_used[place] = True
    places = np.flatnonzero(is_used)
    row = np.empty(periods * _TICKS, np.int64)
    row[places] = np.arange(len(places))
    slot, tick = np.divmod(places, _TICKS)
    energy = np.zeros((len(Side), len(places)), np.int64)
    np.add.at(energy.reshape(-1), book.side * len(places) + row[place], book.energy)
    begin, end = (np.searchsorted(slot, np.arange(periods), end_of) for end_of in _ENDS)

    def totals(column: Column) -> Column:
        """Running sums over all rows, from zero."""
        return np.concatenate([[0], column.cumsum()])

    upto = [totals(column) for column in energy]
    bids, asks = (sums[end] - sums[begin] for sums in upto)
    bids_above = upto[Side.BID][end][slot] - upto[Side.BID][1:]
    asks_upto = upto[Side.ASK][1:] - upto[Side.ASK][begin][slot]
    is_enough = asks_upto >= bids_above
    is_wanted = bids_above + energy[Side.BID] >= asks_upto - energy[Side.ASK]
    lo, hi = np.zeros(periods, np.int64), np.full(periods, MAX_TICK)
    # Of rows in descending order the last one written is the lowest, and of ascending ones the highest.
    lo[slot[is_enough][::-1]] = tick[is_enough][::-1]
    lo[bids == 0] = 0
    hi[slot[is_wanted]] = tick[is_wanted]
    hi[asks == 0] = MAX_TICK

    price = (lo + hi) // 2
    at_price = np.arange(periods) * _TICKS + price
    below, upto_price = (np.searchsorted(places, at_price, end_of) for end_of in _ENDS)
    columns = (
        lo,
        price,
        upto[Side.BID][upto_price] - upto[Side.BID][below],
        upto[Side.BID][end] - upto[Side.BID][upto_price],
        upto[Side.ASK][upto_price] - upto[Side.ASK][below],
        upto[Side.ASK][below] - upto[Side.ASK][begin],
    )
    return [_outcome(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def clear(orders: Sequence[Order]) -> Clearing:
    """Clear the orders of one period.

    Raises:
        InputError: orders of several slots, or two of the same participant and layer.
    """
    (clearing,) = clear_day(_book_of_one_period(orders), 1)
    return clearing


def fills_of_day(book: OrderBook, clearings: Sequence[Clearing]) -> Column:
    """Energy each order trades, Wh, in the order of the book; clearings by slot.

    Orders better than the price are filled in full, worse ones not at all. The rationed side's
    orders at the price are walked by participant, then layer, so that the fills follow from the
    set of orders alone.
    """
    price = _column(c.price for c in clearings)[book.slot]
    at_or_better = np.where(book.side == Side.BID, book.tick >= price, book.tick <= price)
    result = np.where(at_or_better & (price != _NONE), book.energy, 0)

    rationed = _column(c.rationed for c in clearings)[book.slot]
    walk = np.flatnonzero((book.side == rationed) & (book.tick == price))
    walk = walk[np.lexsort((book.layer[walk], book.participant[walk], book.slot[walk]))]
    slot, energy = book.slot[walk], book.energy[walk]
    before = energy.cumsum() - energy
    before -= before[np.searchsorted(slot, slot)]  # of the same slot only
    wide = max((c.share * c.marginal for c in clearings), default=0) >= _INT64_END
    exact = object if wide else np.int64
    share = _column(c.share for c in clearings)[slot]
    marginal = _column(c.marginal for c in clearings)[slot]
    result[walk] = pro_rata(before.astype(exact), energy.astype(exact), share.astype(exact), marginal.astype(exact))
    return result


def fills(orders: Sequence[Order], clearing: Clearing) -> list[Wh]:
    """Energy each order of one period trades, Wh, in the order given, as `fills_of_day` says."""
    return [Wh(energy) for energy in fills_of_day(_book_of_one_period(orders), [clearing]).tolist()]


def pro_rata(before: _Integers, energy: _Integers, share: _Integers, marginal: _Integers) -> _Integers:
    """Fill of a rationed order, Wh, with `before` Wh of marginal orders walked ahead of it.

    floor((c + q) F / M) - floor(c F / M): the sum over all orders telescopes to F, and each fill
    is less than 1 Wh from the exact share q F / M.
    """
    fill: _Integers = (before + energy) * share // marginal - before * share // marginal
    return fill


def welfare(orders: Sequence[Order], filled: Sequence[Wh], prices: PriceRange) -> Money:
    """Gain from trade, money units: what buyers would have paid minus what sellers asked."""
    return Money(
        sum(
            (1 if order.side == Side.BID else -1) * energy * prices.price_of(order.tick)
            for order, energy in zip(orders, filled, strict=True)
        )
    )


def _outcome(lo: int, price: int, bids: int, bids_above: int, asks: int, asks_below: int) -> Clearing:
    """The clearing at a price, from the energy at it and the better energy of each side, Wh."""
    volume = min(bids_above + bids, asks_below + asks)
    if volume == 0:
        return Clearing(Tick(lo), None, Wh(0), None, Wh(0), Wh(0))
    for side, marginal, better in ((Side.BID, bids, bids_above), (Side.ASK, asks, asks_below)):
        if marginal > volume - better:
            return Clearing(Tick(lo), Tick(price), Wh(volume), side, Wh(volume - better), Wh(marginal))
    return Clearing(Tick(lo), Tick(price), Wh(volume), None, Wh(0), Wh(0))


def _book_of_one_period(orders: Sequence[Order]) -> OrderBook:
    """The orders as a book of slot 0 alone."""
    book = OrderBook.of(orders)
    slots = set(book.slot.tolist())
    if len(slots) > 1:
        raise InputError("orders", sorted(slots), "must be of one slot")
    return replace(book, slot=np.zeros_like(book.slot))


def _column(values: Iterable[int | None]) -> Column:
    return np.array([_NONE if value is None else value for value in values], np.int64)
