"""The residual to the wholesale market: what the day-ahead auction leaves over, through the wholesale desk (rule 6).

Per slot the desk reports a price W, the most it imports and exports, and a penalty rate. Of what the auction did not
fill, bids of at least W + margin are imported at W + margin, asks of at most W - margin exported at W - margin; the
best limits first, those at the margin in proportion. Every amount is an integer, nothing is rounded but the shares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

import numpy as np

from dem.clearing import Clearing, Column, OrderBook, pro_rata
from dem.errors import InputError, require_range
from dem.orders import Side
from dem.settlement import MAX_TARIFF, TARIFF_BITS, Exchange, MarketRules, Trades, trades_at
from dem.strips import LANES, pack, unpack
from dem.units import MAX_TICK, TICK_UNITS

MAX_EXCHANGE = (1 << 37) - 1
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


def clear_residual(book: OrderBook, filled: Column, offers: Sequence[Offer], margin: int) -> list[Residual]:
    """Clear what the auction left over in each slot of a day."""
    left = book.energy - filled
    outcomes = []
    for slot, offer in enumerate(offers):
        rows = np.flatnonzero((book.slot == slot) & (left > 0)) if offer.imports or offer.exports else _NOBODY
        bids, asks = (rows[book.side[rows] == side] for side in Side)
        bought = _side(book.tick[bids], left[bids], offer.imports, _import_limit(offer.price + margin), descending=True)
        sold = _side(book.tick[asks], left[asks], offer.exports, _export_limit(offer.price - margin), descending=False)
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


def _import_limit(price: int) -> int | None:
    """Lowest limit of a bid that pays the price, ticks."""
    limit = max(0, -(-price // TICK_UNITS))
    return None if limit > MAX_TICK else limit


def _export_limit(price: int) -> int | None:
    """Highest limit of an ask that takes the price, ticks."""
    return None if price < 0 else min(price // TICK_UNITS, MAX_TICK)


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


class AuctionBook(Protocol):
    """What is needed of the day-ahead auction: its orders, what they traded, and the prices."""

    @property
    def standing(self) -> OrderBook: ...
    @property
    def fills(self) -> Column: ...
    @property
    def clearing(self) -> Sequence[Clearing]: ...


@dataclass(slots=True, eq=False)
class _Report:
    """A desk's report of a day, and what comes of it."""

    desk: int
    offers: list[Offer]
    outcomes: list[Residual]
    fills: Column


@dataclass(slots=True, eq=False)
class ResidualReplay:
    """An outsider's recomputation of the residual, from the desk's reports and the auction's book of a day."""

    periods_per_day: int
    auction: Callable[[int], AuctionBook]
    rules: Callable[[int], MarketRules]
    _reports: dict[int, _Report] = field(default_factory=dict)

    def apply(self, name: str, args: Mapping[str, Any]) -> list[str]:
        """Take an event; returns where the chain and the model differ."""
        if name == "Reported":
            return self._take(args)
        if name == "ResidualCleared":
            return self._compare(args)
        return []

    def offers(self, day: int) -> list[Offer]:
        """What the desk reported, by slot; nothing without a report."""
        return self._reports[day].offers if day in self._reports else []

    def outcomes(self, day: int) -> list[Residual]:
        """What each slot trades; none without a report."""
        return self._reports[day].outcomes if day in self._reports else []

    def trades(self, day: int) -> Trades:
        """What members import and export, and the desk's other side of it."""
        report = self._reports.get(day)
        if report is None:
            return Trades(*[_NOBODY] * 5)
        book, prices = self.auction(day).standing, np.array([o.price for o in report.outcomes], np.int64)
        members = trades_at(book, report.fills, prices)
        volumes = np.array([o.volume for o in report.outcomes], np.int64)
        slots = np.flatnonzero(volumes)
        imports = np.array([o.direction == Direction.IMPORT for o in report.outcomes])[slots]
        sold, bought = np.where(imports, volumes[slots], 0), np.where(imports, 0, volumes[slots])
        payment = (bought - sold) * prices[slots]
        desk = Trades(np.full(len(slots), report.desk, np.int64), slots, bought, sold, payment)
        return Trades(*(np.concatenate(both) for both in zip(members, desk, strict=True)))

    def exchange(self, day: int) -> Exchange | None:
        """What the desk nominated; None if nothing is exchanged."""
        report = self._reports.get(day)
        if report is None or not any(o.volume for o in report.outcomes):
            return None
        sign = {Direction.IMPORT: -1, Direction.NONE: 0, Direction.EXPORT: 1}
        net = np.array([sign[o.direction] * o.volume for o in report.outcomes], np.int64)
        rates = np.array([offer.penalty for offer in report.offers], np.int64)
        return Exchange(report.desk, net, np.where(net != 0, rates, 0))

    def release(self, _day: int) -> dict[int, int]:
        """Nothing: the auction's lock covers what its orders trade here."""
        return {}

    def forget(self, day: int) -> None:
        """The day is final."""
        self._reports.pop(day, None)

    def _take(self, args: Mapping[str, Any]) -> list[str]:
        day, margin = args["day"], self.rules(args["day"]).wholesale_margin
        words = ([int.from_bytes(word, "big") for word in args[name]] for name in ("prices", "imports", "exports"))
        offers = offers_of(*words)
        auction = self.auction(day)
        outcomes = clear_residual(auction.standing, auction.fills, offers, margin)
        fills = residual_fills(auction.standing, auction.fills, outcomes)
        self._reports[day] = _Report(args["id"], offers, outcomes, fills)
        if args["margin"] != margin:
            return [f"margin of the residual of day {day}: chain {args['margin']}, model {margin}"]
        return []

    def _compare(self, args: Mapping[str, Any]) -> list[str]:
        day, slot = args["day"], args["slot"]
        names = ("direction", "price", "volume", "tick", "share", "marginal")
        chain = tuple(args[name] for name in names)
        model = tuple(int(getattr(self._reports[day].outcomes[slot], name)) for name in names)
        if chain != model:
            return [f"residual of day {day}, slot {slot} ({', '.join(names)}): chain {chain}, model {model}"]
        return []
