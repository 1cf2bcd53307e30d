"""Traders of the literature in DEM's own continuous auction, with values that are given to them.

Each has units to buy or to sell, one after another, each worth something to it. One trader after another is drawn and
may send an order for its next unit, in place of the one it had in the book. What the book does with it is
`dem.model.markets.intraday`, which the contract equals event by event. So what is measured here of a strategy is
measured of the market that is deployed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from random import Random
from typing import NamedTuple

import numpy as np

from dem.community.adaptive import Aggressiveness, Margins, Targets
from dem.model.markets.intraday import IntradayDay, Terms, place_of
from dem.model.orders import Side
from dem.model.units import FROM_ZERO

_UNIT = 1
"""Wh: values are of so much."""
_MONEY, _LIMIT = 10**12, 10**6
_FREE = Terms(extra=0, ceiling=0, smallest=_UNIT, prices=FROM_ZERO)
_ONE = np.array([True])


class Quote(NamedTuple):
    """The best prices in the book, ticks; None where there is none. highest: that may be asked."""

    bid: int | None
    ask: int | None
    highest: int


class Shout(NamedTuple):
    """What everybody has just seen: an order of a side at a price, or a trade if it was accepted."""

    side: Side
    price: int
    accepted: bool


@dataclass
class Trader(ABC):
    """One side, and what each unit is worth to it, ticks, in the order in which it trades them."""

    side: Side
    worth: Sequence[int]
    draws: Random
    traded: int = 0

    @property
    def is_buyer(self) -> bool:
        """Whether it buys."""
        return self.side is Side.BID

    @property
    def is_active(self) -> bool:
        """Whether it has a unit left."""
        return self.traded < len(self.worth)

    @property
    def limit(self) -> int:
        """What its next unit is worth, or its last was."""
        return self.worth[min(self.traded, len(self.worth) - 1)]

    @abstractmethod
    def price(self, quote: Quote) -> int | None:
        """At which it would trade its next unit now; None for no order."""

    def see(self, shout: Shout, quote: Quote) -> None:  # noqa: B027
        """An order or a trade of anybody's; who does not learn lets it pass."""


class Unconstrained(Trader):
    """ZI-U of Gode and Sunder (1993)."""

    def price(self, quote: Quote) -> int:
        """Any."""
        return self.draws.randint(0, quote.highest)


class Constrained(Trader):
    """ZI-C of Gode and Sunder (1993)."""

    def price(self, quote: Quote) -> int:
        """Any at which it does not lose."""
        low, high = (0, self.limit) if self.is_buyer else (self.limit, quote.highest)
        return self.draws.randint(low, high)


@dataclass
class ZipTrader(Trader):
    """ZIP of Cliff and Bruten (1997): its price is its limit and a margin, which moves with every shout."""

    margins: Margins = field(init=False)

    def __post_init__(self) -> None:
        self.margins = Margins.drawn(self.draws, 1)

    def price(self, quote: Quote) -> int:
        """Its limit, less the margin for a buyer and plus it for a seller."""
        return min(quote.highest, self._price)

    @property
    def _price(self) -> int:
        margin = float(self.margins.value[0])
        return round(max(0.0, self.limit * (1 - margin if self.is_buyer else 1 + margin)))

    def see(self, shout: Shout, quote: Quote) -> None:  # noqa: ARG002
        """Raise the margin where it could have had more, lower it where it would be left over."""
        gained = self._price - shout.price if self.is_buyer else shout.price - self._price
        own = shout.side is self.side
        if shout.accepted and gained >= 0:
            self._aim(shout.price, is_more=True)
        elif gained <= 0 and self.is_active and own is not shout.accepted:
            self._aim(shout.price, is_more=False)

    def _aim(self, price: int, is_more: bool) -> None:
        is_higher = is_more is not self.is_buyer
        relative, absolute = self.draws.uniform(0.0, 0.05), self.draws.uniform(0.0, 5.0)
        target = price * (1 + relative) + absolute if is_higher else price * (1 - relative) - absolute
        share = target / max(1, self.limit)
        self.margins.move(_ONE, np.array([1 - share if self.is_buyer else share - 1]))


@dataclass
class AggressiveTrader(Trader):
    """AA of Vytelingum, Cliff and Jennings (2008)."""

    learnt: Aggressiveness = field(init=False)

    STEPS = 3
    """An order goes a third of the way from the best one to the target."""

    def __post_init__(self) -> None:
        self.learnt = Aggressiveness.drawn(self.draws, 1)

    def _targets(self, quote: Quote) -> Targets:
        expected, limit = self.learnt.expected, np.array([float(self.limit)])
        return Targets.of(np.array([self.is_buyer]), limit, expected, float(quote.highest))

    def _target(self, quote: Quote) -> float | None:
        if np.isnan(self.learnt.expected[0]):
            return None
        return float(self._targets(quote).at(self.learnt.value, self.learnt.steepness)[0])

    def price(self, quote: Quote) -> int | None:
        """From the best order of its side towards the target; the other side's best, if that is good enough."""
        bid, ask = quote.bid or 0, quote.highest if quote.ask is None else quote.ask
        best, other = (bid, ask) if self.is_buyer else (ask, bid)
        if (self.limit <= bid) if self.is_buyer else (self.limit >= ask):
            return None
        target = self._target(quote)
        is_there = quote.ask is not None if self.is_buyer else quote.bid is not None
        if target is None:
            target = float(min(self.limit, ask) if self.is_buyer else max(self.limit, bid))
        elif is_there and ((other <= target) if self.is_buyer else (other >= target)):
            return other
        # Whole ticks, towards the target: else an order would never reach it.
        price = best + (target - best) / self.STEPS
        return min(ceil(price), self.limit) if self.is_buyer else max(floor(price), self.limit)

    def see(self, shout: Shout, quote: Quote) -> None:
        """Less aggressive if its target was better than needed, more if it was not enough."""
        if shout.accepted:
            self.learnt.see(np.array([float(shout.price)]))
        target = self._target(quote)
        if target is None:
            return
        better = target - shout.price if self.is_buyer else shout.price - target
        # An order that reaches the target and is not accepted says that it takes more.
        is_enough = better >= 0 if shout.accepted else better > 0
        if shout.accepted or (shout.side is self.side and not is_enough and self.is_active):
            price = np.array([float(shout.price)])
            needed = self._targets(quote).aggressiveness(price, self.learnt.steepness)
            self.learnt.follow(_ONE, needed, np.array([not is_enough]))


Kind = Callable[[Side, Sequence[int], Random], Trader]


@dataclass
class Outcome:
    """Of a trading day: gains in ticks, as a share of the most that could be had; prices in their order."""

    gains: int
    most: int
    prices: list[int]

    @property
    def efficiency(self) -> float:
        """Gains over the most that could be had."""
        return self.gains / self.most


def trade_day(traders: Sequence[Trader], draws: Random, turns: int, highest: int) -> Outcome:
    """One day of the continuous auction among these traders, who have all of their units again.

    turns: so often a trader is drawn.
    """
    book = IntradayDay(1, _FREE)
    for number, trader in enumerate(traders):
        trader.traded = 0
        book.fund(number, _MONEY, _LIMIT)
    resting: dict[int, int] = {}
    gains, prices = 0, list[int]()
    for _ in range(turns):
        number = draws.randrange(len(traders))
        trader = traders[number]
        price = trader.price(_quote(book, highest)) if trader.is_active else None
        if price is None:
            continue
        if number in resting:
            book.cancel(number, resting.pop(number))
        shout = Shout(trader.side, price, accepted=False)
        before = len(book.trades)
        book.place(number, 0, trader.side, price, _UNIT, max_fills=1)
        if len(book.trades) > before:
            other = next(id_ for id_, *_ in book.trades[before:] if id_ != number)
            paid = place_of(resting.pop(other))[2]
            for one in (trader, traders[other]):
                gains += one.limit - paid if one.is_buyer else paid - one.limit
                one.traded += 1
            prices.append(paid)
            shout = Shout(trader.side, paid, accepted=True)
        else:
            resting[number] = book.orders_at(0, trader.side, price)[-1][0]
        quote = _quote(book, highest)
        for one in traders:
            one.see(shout, quote)
    return Outcome(gains, most_gains(traders), prices)


def most_gains(traders: Sequence[Trader]) -> int:
    """What the best pairing of all units brings, ticks."""
    values = sorted((worth for one in traders if one.is_buyer for worth in one.worth), reverse=True)
    costs = sorted(worth for one in traders if not one.is_buyer for worth in one.worth)
    return sum(max(0, value - cost) for value, cost in zip(values, costs, strict=False))


def _quote(book: IntradayDay, highest: int) -> Quote:
    bids, asks = book.prices(0, Side.BID), book.prices(0, Side.ASK)
    return Quote(bids[0] if bids else None, asks[0] if asks else None, highest)
