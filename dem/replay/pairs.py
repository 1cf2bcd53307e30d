"""The day-ahead markets of pairs (rule 15) as an outsider follows them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Clearing, Column, OrderBook
from dem.model.markets.pairs import Pair, Rule, amount_of, pairs_of_day
from dem.model.positions import Trades
from dem.model.rules import MarketRules
from dem.model.units import PriceRange, Tick, Wh
from dem.replay.book import Book, SentOrders, accept_sheet
from dem.replay.events import OFFICE
from dem.replay.market import NOTHING, MarketReplay, Moved, differences

Arrivals = Mapping[int, int]
"""Of a day, by member: the place of its last sheet with a new order among all such sheets."""


class PairBook(Book):
    """The orders of a day and the pairs that a rule makes of them."""

    def __init__(self, orders: Book, rule: Callable[[OrderBook], Rule]) -> None:
        super().__init__(orders.day, orders.periods_per_day)
        self._orders = orders
        self._rule = rule

    @property
    def layers(self) -> dict[int, int]:
        """Layers by member that its sheets ever reached."""
        return self._orders.layers

    @property
    def has_orders(self) -> bool:
        """Whether any sheet came."""
        return self._orders.has_orders

    @property
    def sent(self) -> SentOrders:
        """Every order the chain took."""
        return self._orders.sent

    @property
    def standing(self) -> OrderBook:
        """The orders in force."""
        return self._orders.standing

    @cached_property
    def pairs(self) -> list[list[Pair]]:
        """By slot, in the order in which they meet."""
        return pairs_of_day(self.standing, self.periods_per_day, self._rule(self.standing))

    @cached_property
    def columns(self) -> tuple[Column, Column, Column]:
        """Of all pairs of the day: places of bids and asks in the book, and energies, Wh."""
        rows = np.array([pair for pairs in self.pairs for pair in pairs], np.int64).reshape(-1, 3)
        bids, asks, energy = rows.T
        return bids, asks, energy

    @cached_property
    def fills(self) -> Column:
        """Energy each standing order trades, Wh."""
        bids, asks, energy = self.columns
        return self._by_order(bids, asks, energy, energy)

    @cached_property
    def clearing(self) -> list[Clearing]:
        """What each slot trades; it has no price that all pay."""
        volumes = [sum(pair.energy for pair in pairs) for pairs in self.pairs]
        return [Clearing(Tick(0), None, Wh(volume), None, Wh(0), Wh(0)) for volume in volumes]

    @cached_property
    def common_ticks(self) -> list[Tick | None]:
        """The mean of what is paid in a slot, by energy, rounded down to a tick: what everybody sees of it."""
        ticks = self.standing.tick
        found: list[Tick | None] = []
        for pairs in self.pairs:
            twice = sum(pair.energy * int(ticks[pair.bid] + ticks[pair.ask]) for pair in pairs)
            found.append(Tick(twice // (2 * sum(pair.energy for pair in pairs))) if pairs else None)
        return found

    @cached_property
    def keeps_limits(self) -> NDArray[np.bool_]:
        """Of each standing order, whether it meets none at a price that is worse than its limit."""
        bids, asks, _ = self.columns
        kept = np.ones(len(self.standing.tick), np.bool_)
        crosses = self.standing.tick[bids] >= self.standing.tick[asks]
        kept[bids[~crosses]] = kept[asks[~crosses]] = False
        return kept

    def paid(self, prices: PriceRange) -> Column:
        """What each standing order pays, money units; who sells receives it."""
        bids, asks, _ = self.columns
        amounts = self.amounts(prices)
        return self._by_order(bids, asks, amounts, -amounts)

    def amounts(self, prices: PriceRange) -> Column:
        """What the buyer of each pair pays to the seller, money units."""
        bids, asks, energy = self.columns
        return amount_of(energy, self.standing.tick[bids], self.standing.tick[asks], prices)

    def _by_order(self, bids: Column, asks: Column, bought: Column, sold: Column) -> Column:
        """Sums of what pairs give to their bids and to their asks, by place in the book."""
        found = np.zeros(len(self.standing.tick), np.int64)
        np.add.at(found, bids, bought)
        np.add.at(found, asks, sold)
        return found


class PairReplay(MarketReplay):
    """Follows the events of a market of pairs.

    rules: the rules of a day. rule: how its orders meet, given the book and when members came.
    """

    EVENTS = frozenset({"SheetAccepted", "Paired"})
    IGNORED = OFFICE | {"SheetRejected"}

    def __init__(
        self,
        periods_per_day: int,
        rules: Callable[[int], MarketRules],
        rule: Callable[[int, OrderBook, Arrivals], Rule],
    ) -> None:
        self._periods_per_day = periods_per_day
        self._rules = rules
        self._rule = rule
        self._books: dict[int, Book] = {}
        self._arrivals: dict[int, dict[int, int]] = defaultdict(dict)
        self._paired: dict[int, PairBook] = {}
        self._locked: dict[int, dict[int, int]] = {}

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        match name:
            case "SheetAccepted":
                return self._accept(args)
            case "Paired":
                return Moved(self._compare(args))
        return NOTHING

    def book(self, day: int) -> PairBook:
        """The orders of a day that is not final, and their pairs."""
        if day not in self._paired:
            orders = self._books.get(day, Book(day, self._periods_per_day))
            self._paired[day] = PairBook(orders, lambda book: self._rule(day, book, self._arrivals[day]))
        return self._paired[day]

    def take(self, book: Book, locked: Mapping[int, int]) -> None:
        """Take the whole book of a day from who knows it without events: members came in the order of their numbers.

        locked: collateral by member.
        """
        self._books[book.day] = book
        self._paired.pop(book.day, None)
        self._arrivals[book.day] = {id_: n for n, id_ in enumerate(sorted(set(book.standing.participant.tolist())), 1)}
        self._locked[book.day] = dict(locked)

    def trades(self, day: int) -> Trades:
        """What its orders contracted."""
        if day not in self._books:
            return Trades(*np.zeros((5, 0), np.int64))
        book = self.book(day)
        bids, asks, energy = book.columns
        amounts, nothing = book.amounts(self._rules(day).prices), np.zeros_like(energy)
        both = (
            (book.standing.participant[bids], book.standing.slot[bids], energy, nothing, amounts),
            (book.standing.participant[asks], book.standing.slot[asks], nothing, energy, -amounts),
        )
        return Trades(*(np.concatenate(columns) for columns in zip(*both, strict=True)))

    def release(self, day: int) -> dict[int, int]:
        """Collateral that settling the day releases, by member."""
        return {id_: locked for id_, locked in self._locked.get(day, {}).items() if locked}

    def forget(self, day: int) -> None:
        """The day is final, and with it those before."""
        for number in [number for number in self._books.keys() | self._paired.keys() if number <= day]:
            self._books.pop(number, None)
            self._paired.pop(number, None)
            self._arrivals.pop(number, None)
        self._locked.pop(day, None)

    def _accept(self, args: Mapping[str, Any]) -> Moved:
        day, id_ = args["day"], args["id"]
        book = self._books.setdefault(day, Book(day, self._periods_per_day))
        change = accept_sheet(book, args, self._rules(day))
        self._paired.pop(day, None)
        self._locked.setdefault(day, defaultdict(int))[id_] += change.collateral
        if change.has_new:
            self._arrivals[day][id_] = max(self._arrivals[day].values(), default=0) + 1
        return Moved(locks=change.locks(id_))

    def _compare(self, args: Mapping[str, Any]) -> list[str]:
        day, slot, first = args["day"], args["slot"], args["first"]
        book = self.book(day)
        orders, pairs = book.standing, book.pairs[slot]
        chain = [tuple(pair[name] for name in ("buyer", "seller", "energy", "bid", "ask")) for pair in args["pairs"]]
        model = [
            (*orders.participant[[bid, ask]].tolist(), energy, *orders.tick[[bid, ask]].tolist())
            for bid, ask, energy in pairs[first : first + len(chain)]
        ]
        what = f"pairs of day {day}, slot {slot} from number {first} on (buyer, seller, energy, bid, ask)"
        is_last = first + len(chain) == len(pairs)
        return differences(what, chain, model) + differences(f"{what}, whether they are all", args["isLast"], is_last)
