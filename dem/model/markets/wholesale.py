"""The residual to the wholesale market: what the day-ahead auction leaves over, through the wholesale desk (rule 6).

Per slot the desk reports a price W, the most it imports and exports, and a penalty rate. Of what the auction did not
fill, bids of at least W + margin are imported at W + margin, asks of at most W - margin exported at W - margin; the
best limits first, those at the margin in proportion. Every amount is an integer, nothing is rounded but the shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from dem.errors import InputError, require_range
from dem.model.markets.auction import Column, OrderBook, pro_rata
from dem.model.orders import Side
from dem.model.rules import MAX_TARIFF, TARIFF_BITS, MarketRules
from dem.model.strips import LANES, MAX_POSITION, pack, unpack
from dem.model.units import MAX_TICK, Money, PriceRange

MAX_EXCHANGE = MAX_POSITION
"""Wh that the desk may import or export in one period."""
PRICE_BIAS = 1 << TARIFF_BITS - 1
"""A reported price travels as price + PRICE_BIAS, so that it may be negative."""

_NOBODY = np.zeros(0, np.int64)


class Direction(IntEnum):
    """Which way the area trades with the upper market."""

    NONE = 0
    IMPORT = 1
    EXPORT = 2


@dataclass(frozen=True, slots=True)
class Offer:
    """What the desk reports for one slot: wholesale price and penalty rate in units/Wh, capacities in Wh."""

    price: int
    penalty: int
    imports: int
    exports: int

    def __post_init__(self) -> None:
        require_range("wholesale price", self.price, -PRICE_BIAS, PRICE_BIAS - 1)
        require_range("penalty rate", self.penalty, 0, MAX_TARIFF)
        require_range("import capacity in Wh", self.imports, 0, MAX_EXCHANGE)
        require_range("export capacity in Wh", self.exports, 0, MAX_EXCHANGE)


def report_words(day: int, offers: Sequence[Offer]) -> tuple[tuple[int, ...], ...]:
    """The words of a report, one a strip: prices with penalties, imports, exports."""
    lanes = (
        [offer.penalty << TARIFF_BITS | offer.price + PRICE_BIAS for offer in offers],
        [offer.imports for offer in offers],
        [offer.exports for offer in offers],
    )
    return tuple(tuple(pack(day, row[at : at + LANES]) for at in range(0, len(row), LANES)) for row in lanes)


def offers_of(prices: Sequence[int], imports: Sequence[int], exports: Sequence[int]) -> list[Offer]:
    """The offers in the words of a report, by slot."""
    rows = ([lane for word in words for lane in unpack(word)[1]] for words in (prices, imports, exports))
    return [
        Offer((price & MAX_TARIFF) - PRICE_BIAS, price >> TARIFF_BITS, most_in, most_out)
        for price, most_in, most_out in zip(*rows, strict=True)
    ]


def report_collateral(offers: Sequence[Offer], rules: MarketRules) -> Money:
    """Money that a report locks: the most that the exchange may cost the desk.

    Per slot it pays for exports and, below a price of zero, for imports, and the fees; only one of the two trades.

    Raises:
        InputError: a price further from zero than the highest tariff, for a slot in which anything may be exchanged.
    """
    return Money(sum(_offer_collateral(offer, rules) for offer in offers if offer.imports or offer.exports))


def _offer_collateral(offer: Offer, rules: MarketRules) -> int:
    require_range("wholesale price", offer.price, -rules.max_buy, rules.max_buy)
    imported = offer.imports * max(0, rules.fees - offer.price - rules.wholesale_margin)
    if offer.price - rules.wholesale_margin < rules.prices.lowest:
        return imported
    return max(imported, offer.exports * (offer.price - rules.wholesale_margin + rules.fees))


@dataclass(frozen=True, slots=True)
class Residual:
    """Outcome of one slot.

    price: members pay or receive it, units/Wh; volume, Wh. tick: of the marginal orders, which share `share` of their
    `marginal` Wh. All zero if nothing is traded.
    import_tick, export_tick: the hints the chain verifies.
    """

    direction: Direction
    price: int
    volume: int
    tick: int
    share: int
    marginal: int
    import_tick: int
    export_tick: int


def clear_residual(
    book: OrderBook, filled: Column, offers: Sequence[Offer], margin: int, prices: PriceRange
) -> list[Residual]:
    """Clear what the auction left over in each slot of a day."""
    left = book.energy - filled
    outcomes = []
    for slot, offer in enumerate(offers):
        rows = np.flatnonzero((book.slot == slot) & (left > 0)) if offer.imports or offer.exports else _NOBODY
        bids, asks = (rows[book.side[rows] == side] for side in Side)
        dearest, cheapest = _import_limit(offer.price + margin, prices), _export_limit(offer.price - margin, prices)
        bought = _side(book.tick[bids], left[bids], offer.imports, dearest, descending=True)
        sold = _side(book.tick[asks], left[asks], offer.exports, cheapest, descending=False)
        outcomes.append(_residual(offer, margin, bought, sold))
    return outcomes


def residual_fills(book: OrderBook, filled: Column, outcomes: Sequence[Residual]) -> Column:
    """Energy each order trades of what the auction left of it, Wh; walked by participant, then layer, at the margin."""
    left = book.energy - filled
    side = np.array([{Direction.IMPORT: Side.BID, Direction.EXPORT: Side.ASK}.get(o.direction, -1) for o in outcomes])
    tick = np.array([o.tick for o in outcomes], np.int64)[book.slot]
    traded = (book.side == side[book.slot]) & (left > 0)
    better = np.where(book.side == Side.BID, book.tick > tick, book.tick < tick)
    result: Column = np.where(traded & better, left, 0)
    walk = np.flatnonzero(traded & (book.tick == tick))
    walk = walk[np.lexsort((book.layer[walk], book.participant[walk], book.slot[walk]))]
    slot, energy = book.slot[walk], left[walk].astype(object)
    before = energy.cumsum() - energy
    before -= before[np.searchsorted(slot, slot)]
    share, marginal = (np.array([getattr(o, name) for o in outcomes], object)[slot] for name in ("share", "marginal"))
    result[walk] = pro_rata(before, energy, share, marginal)
    return result


def _import_limit(price: int, prices: PriceRange) -> int | None:
    """Lowest limit of a bid that pays the price, ticks."""
    limit = max(0, prices.tick_up(price))
    return None if limit > MAX_TICK else limit


def _export_limit(price: int, prices: PriceRange) -> int | None:
    """Highest limit of an ask that takes the price, ticks."""
    return None if price < prices.lowest else min(prices.tick_down(price), MAX_TICK)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a slot: tick of the last to be served, what they share, ask for, and what is traded; Wh."""

    tick: int
    share: int
    marginal: int
    volume: int


def _side(ticks: Column, left: Column, capacity: int, limit: int | None, *, descending: bool) -> _Side:
    """Serve the best limits first, up to the capacity; `limit` is the worst that takes the price."""
    if limit is None or capacity == 0:
        return _Side(0, 0, 0, 0)
    energy: dict[int, int] = {limit: 0}
    for tick, wh in zip(ticks.tolist(), left.tolist(), strict=True):
        if (tick >= limit) if descending else (tick <= limit):
            energy[tick] = energy.get(tick, 0) + wh
    better = 0
    for tick in sorted(energy, reverse=descending):
        if better + energy[tick] > capacity or tick == limit:
            share = min(capacity - better, energy[tick])
            return _Side(tick, share, energy[tick], better + share)
        better += energy[tick]
    raise AssertionError("the limit is among the ticks")


def _residual(offer: Offer, margin: int, bought: _Side, sold: _Side) -> Residual:
    ticks = bought.tick, sold.tick
    if bought.volume and sold.volume:
        raise InputError("residual", (bought, sold), "trades both ways: these orders would have met in the auction")
    if bought.volume:
        price = offer.price + margin
        return Residual(Direction.IMPORT, price, bought.volume, bought.tick, bought.share, bought.marginal, *ticks)
    if sold.volume:
        price = offer.price - margin
        return Residual(Direction.EXPORT, price, sold.volume, sold.tick, sold.share, sold.marginal, *ticks)
    return Residual(Direction.NONE, 0, 0, 0, 0, 0, *ticks)
