"""The intraday market (rule 7): a continuous double auction per period.

Price-time priority, trades at the resting order's price. The book is lists and plain loops; what comes out, event by
event, is what the contract does. Amounts in money units, prices in ticks, energy in Wh.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dem.errors import IntradayError
from dem.model.orders import Side
from dem.model.units import PriceRange

PLACES = 3
"""Orders that lie together in one word of a price level."""
MAX_WORDS = (1 << 16) - 1
MAX_FILLS = 256
"""Resting orders that one order meets at most."""
MAX_SKIPS = 256
"""Empty words that one order passes besides."""
MAX_TRADED = (1 << 40) - 1
MAX_FUNDED = (1 << 56) - 1
"""Money units that a member has at stake on a day at most."""
MAX_LIMIT = (1 << 32) - 1
"""Highest limit of a net position, Wh."""


class Event(NamedTuple):
    """One event of the contract: its name and its arguments."""

    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a day, fixed before it opens: extra and ceiling in units/Wh (rule 5.4), the smallest order in Wh.

    prices: those that orders can name.
    """

    extra: int
    ceiling: int
    smallest: int
    prices: PriceRange

    def collateral(self, side: Side, energy: int, tick: int) -> int:
        """Of an order, or of a trade at that price (rule 5.4)."""
        price = self.prices.price_of(tick)
        return energy * max(0, price + self.extra if side == Side.BID else self.ceiling - price)


@dataclass(slots=True)
class TradingAccount:
    """What a member has at stake on a day; `net` by slot, bought positive."""

    limit: int
    funded: int = 0
    available: int = 0
    payment: int = 0
    traded: int = 0
    net: dict[int, int] = field(default_factory=dict)

    def room(self, slot: int, side: Side) -> int:
        """Energy the member may still buy or sell in a slot."""
        net = self.net.get(slot, 0)
        return min(self.limit - net if side == Side.BID else self.limit + net, MAX_TRADED - self.traded)

    def trade(self, slot: int, side: Side, energy: int, price: int) -> None:
        """Book a trade at a price in units/Wh."""
        sign = 1 if side == Side.BID else -1
        self.net[slot] = self.net.get(slot, 0) + sign * energy
        self.payment += sign * energy * price
        self.traded += energy


@dataclass(slots=True)
class RestingOrder:
    """An order in the book; without energy it is gone."""

    id: int
    energy: int


@dataclass(slots=True)
class Level:
    """The orders of one price in the order of their arrival, gone ones included.

    They lie three to a word. Words before `first` are gone for good. The book lists a price from its first order until
    somebody meets it empty.
    """

    orders: list[RestingOrder] = field(default_factory=list)
    first: int = 0
    is_listed: bool = False

    @property
    def top(self) -> int:
        """Number of the newest word."""
        return (len(self.orders) - 1) // PLACES

    def word(self, number: int) -> list[RestingOrder]:
        """Up to three orders."""
        return self.orders[number * PLACES : (number + 1) * PLACES]

    def is_open(self, number: int) -> bool:
        """Whether any order of a word is open."""
        return any(order.energy for order in self.word(number))

    @property
    def energy(self) -> int:
        """Of all its open orders."""
        return sum(order.energy for order in self.orders)


def order_number(slot: int, side: Side, tick: int, position: int) -> int:
    """See OrderNumbers.sol."""
    return slot << 45 | side << 44 | tick << 32 | position


def place_of(number: int) -> tuple[int, Side, int, int]:
    """Slot, side, tick and position of an order number."""
    return number >> 45, Side(number >> 44 & 1), number >> 32 & 0xFFF, number & 0xFFFF_FFFF


class Match(NamedTuple):
    """One order met: `energy` trades, `gone` leaves the resting order; what is gone and did not trade is cancelled."""

    tick: int
    position: int
    id: int
    energy: int
    gone: int


@dataclass(slots=True)
class _Walk:
    """A taker on its way: what is left, orders and empty words it may still meet, what it met, where the words begin
    that may be open, and which prices leave the list."""

    left: int
    fills: int
    skips: int = MAX_SKIPS
    matches: list[Match] = field(default_factory=list)
    firsts: dict[int, int] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)
    room: dict[int, int] = field(default_factory=dict)


class IntradayDay:
    """One day of the market: its books and its members' accounts."""

    def __init__(self, day: int, terms: Terms) -> None:
        self.day = day
        self.terms = terms
        self.accounts: dict[int, TradingAccount] = {}
        self.trades: list[tuple[int, int, int, int, int]] = []
        """Member, slot, bought, sold, payment."""
        self._levels: dict[tuple[int, Side], dict[int, Level]] = {}

    # ------------------------------------------------------------------------------------------------------- money

    def fund(self, id_: int, amount: int, limit: int) -> list[Event]:
        """Money locked for the member's orders; the limit holds from the first time on."""
        account = self.accounts.setdefault(id_, TradingAccount(limit))
        account.funded += amount
        account.available += amount
        return [self._event("Funded", id=id_, amount=amount, limit=account.limit)]

    def defund(self, id_: int, amount: int) -> list[Event]:
        """Money given back.

        Raises:
            IntradayError: more than is available.
        """
        account = self._account(id_)
        if amount > account.available:
            raise IntradayError("InsufficientCollateral", (id_, amount, account.available))
        account.funded -= amount
        account.available -= amount
        return [self._event("Defunded", id=id_, amount=amount)]

    # ------------------------------------------------------------------------------------------------------ orders

    def place(self, id_: int, slot: int, side: Side, tick: int, energy: int, max_fills: int) -> list[Event]:
        """Match an order and let the rest of it rest.

        Raises:
            IntradayError: refused; nothing changed.
        """
        account = self._account(id_)
        if energy < self.terms.smallest:
            raise IntradayError("OrderTooSmall", (energy, self.terms.smallest))
        walk = self._walk(id_, slot, side, tick, energy, max_fills)
        traded = sum(match.energy for match in walk.matches)
        if traded > account.room(slot, side):
            raise IntradayError("ExceedsPosition", (id_, slot, traded, account.room(slot, side)))
        left = (price for price in self._listed(slot, _other(side)) if price not in walk.over)
        is_crossing = any(_crosses(side, tick, price) for price in left)
        rests = walk.left if not is_crossing else 0
        level = self._side(slot, side).get(tick, Level())
        if rests and len(level.orders) == (MAX_WORDS + 1) * PLACES:
            raise IntradayError("LevelFull", (slot, side == Side.ASK, tick))
        needed = sum(self.terms.collateral(side, match.energy, match.tick) for match in walk.matches)
        needed += self.terms.collateral(side, rests, tick)
        freed = sum(self.terms.collateral(_other(side), m.gone, m.tick) for m in walk.matches if m.id == id_)
        if needed > account.available + freed:
            raise IntradayError("InsufficientCollateral", (id_, needed, account.available + freed))

        events = []
        if walk.firsts or is_crossing:
            events.append(
                self._event(
                    "OrderCrossed",
                    id=id_,
                    slot=slot,
                    isAsk=side == Side.ASK,
                    tick=tick,
                    energy=energy,
                    maxFills=max_fills,
                )
            )
        events += self._apply(id_, slot, side, walk)
        account.available -= needed
        if rests:
            events.append(self._rest(id_, slot, side, tick, rests))
        elif walk.left:
            events.append(self._event("OrderReturned", id=id_, energy=walk.left))
        return events

    def cancel(self, id_: int, number: int) -> list[Event]:
        """Take an order out of the book.

        Raises:
            IntradayError: it is not there, or somebody else's.
        """
        account = self._account(id_)
        slot, side, tick, position = place_of(number)
        level = self._side(slot, side).get(tick, Level())
        if position >= len(level.orders) or not level.orders[position].energy:
            raise IntradayError("NoSuchOrder", (self.day, number))
        order = level.orders[position]
        if order.id != id_:
            raise IntradayError("NotOwner", (id_, order.id))
        energy, order.energy = order.energy, 0
        account.available += self.terms.collateral(side, energy, tick)
        return [self._event("OrderCancelled", id=id_, number=number, energy=energy)]

    # ---------------------------------------------------------------------------------------------------- the book

    def prices(self, slot: int, side: Side) -> list[int]:
        """Ticks with open orders, best first."""
        ticks = [tick for tick, level in self._side(slot, side).items() if level.energy]
        return sorted(ticks, reverse=side == Side.BID)

    def orders_at(self, slot: int, side: Side, tick: int) -> list[tuple[int, int, int]]:
        """Number, member and open energy of the orders at a price, in the order in which they trade."""
        orders = enumerate(self._side(slot, side).get(tick, Level()).orders)
        return [(order_number(slot, side, tick, n), order.id, order.energy) for n, order in orders if order.energy]

    def open_orders(self) -> Iterator[tuple[int, int, int]]:
        """Number, member and open energy of all orders."""
        for slot, side in self._levels:
            for tick in self.prices(slot, side):
                yield from self.orders_at(slot, side, tick)

    # ---------------------------------------------------------------------------------------------------- matching

    def _walk(self, id_: int, slot: int, side: Side, tick: int, energy: int, max_fills: int) -> _Walk:
        """What an order meets; nothing changes yet."""
        walk = _Walk(energy, min(max_fills, MAX_FILLS))
        for price in self._listed(slot, _other(side)):
            if not (_crosses(side, tick, price) and walk.left):
                break
            self._meet_level(walk, id_, slot, _other(side), price)
            if price not in walk.over:
                break
        return walk

    def _meet_level(self, walk: _Walk, id_: int, slot: int, side: Side, tick: int) -> None:
        """Word by word, until none is left, or nothing of the order, or it has come to a bound."""
        level = self._side(slot, side)[tick]
        number = level.first
        while walk.left and tick not in walk.over:
            if level.is_open(number):
                self._meet_word(walk, id_, slot, side, tick, number)
                if self._open_after(walk, level, tick, number):
                    break
            elif walk.skips:
                walk.skips -= 1
            else:
                break
            if number == level.top:
                walk.over.add(tick)
            else:
                number += 1
        walk.firsts[tick] = number

    def _meet_word(self, walk: _Walk, id_: int, slot: int, side: Side, tick: int, word: int) -> None:
        level = self._side(slot, side)[tick]
        for n, order in enumerate(level.word(word)):
            if not (walk.left and walk.fills):
                return
            if not order.energy:
                continue
            walk.fills -= 1
            energy, gone = 0, order.energy
            if order.id != id_:
                room = walk.room.setdefault(order.id, self.accounts[order.id].room(slot, side))
                energy = min(order.energy, walk.left)
                if room < energy:
                    energy = room
                else:
                    gone = energy
                walk.room[order.id] -= energy
                walk.left -= energy
            walk.matches.append(Match(tick, word * PLACES + n, order.id, energy, gone))

    @staticmethod
    def _open_after(walk: _Walk, level: Level, tick: int, word: int) -> bool:
        gone = sum(m.gone for m in walk.matches if m.tick == tick and m.position // PLACES == word)
        return sum(order.energy for order in level.word(word)) > gone

    def _listed(self, slot: int, side: Side) -> list[int]:
        """Ticks that a side lists, best first."""
        ticks = [tick for tick, level in self._side(slot, side).items() if level.is_listed]
        return sorted(ticks, reverse=side == Side.BID)

    def _apply(self, id_: int, slot: int, side: Side, walk: _Walk) -> Iterator[Event]:
        other = _other(side)
        for tick, position, maker, energy, gone in walk.matches:
            order = self._side(slot, other)[tick].orders[position]
            number = order_number(slot, other, tick, position)
            owner = self.accounts[maker]
            order.energy -= gone
            if energy:
                price = self.terms.prices.price_of(tick)
                for who, what in ((maker, other), (id_, side)):
                    self.accounts[who].trade(slot, what, energy, price)
                    bought, sold = (energy, 0) if what == Side.BID else (0, energy)
                    self.trades.append((who, slot, bought, sold, (bought - sold) * price))
                yield self._event("Traded", maker=maker, taker=id_, number=number, energy=energy)
            if energy < gone:
                owner.available += self.terms.collateral(other, gone - energy, tick)
                yield self._event("OrderCancelled", id=maker, number=number, energy=gone - energy)
        for tick, first in walk.firsts.items():
            level = self._side(slot, other)[tick]
            level.first, level.is_listed = first, tick not in walk.over

    def _rest(self, id_: int, slot: int, side: Side, tick: int, energy: int) -> Event:
        level = self._side(slot, side).setdefault(tick, Level())
        if (
            level.orders
            and len(level.orders) % PLACES == 0
            and level.first == level.top
            and not level.is_open(level.top)
        ):
            # A new word begins, and what it follows, the only one, is empty.
            level.first += 1
        level.orders.append(RestingOrder(id_, energy))
        level.is_listed = True
        number = order_number(slot, side, tick, len(level.orders) - 1)
        return self._event("OrderRested", id=id_, number=number, energy=energy)

    def _side(self, slot: int, side: Side) -> dict[int, Level]:
        return self._levels.setdefault((slot, side), {})

    def _account(self, id_: int) -> TradingAccount:
        if id_ not in self.accounts:
            raise IntradayError("NotFunded", (id_, self.day))
        return self.accounts[id_]

    def _event(self, name: str, **args: Any) -> Event:
        return Event(name, {"day": self.day, **args})


def _other(side: Side) -> Side:
    return Side(1 - side)


def _crosses(side: Side, tick: int, price: int) -> bool:
    """Whether an order of that limit meets a resting order of the other side."""
    return price <= tick if side == Side.BID else price >= tick
