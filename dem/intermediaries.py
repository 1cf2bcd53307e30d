"""Intermediaries: who has chosen whom, for which part, at which commission; and their pools (rule 9).

The bit-exact model of Intermediaries.sol and PoolMembers.sol, and followers of their events. A pool is a call auction
like the market's: its book clears by the same model.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from dem.clearing import Clearing, Column, OrderBook
from dem.errors import require_range
from dem.ledger import Posting
from dem.orders import BROKERED_LAYER, Side, decode_lanes
from dem.settlement import SHARE_SCALE, MarketRules, Trades, order_collateral
from dem.units import Money, UnitsPerWh, Wh, price_of

Value = TypeVar("Value")


class Mandated(NamedTuple):
    """An intermediary by its number, 0 for none, and its share of a connection in 1/10,000."""

    intermediary: int
    share: int


class Payment(NamedTuple):
    """A commission: from whom to whom, for which energy traded."""

    client: int
    intermediary: int
    energy: Wh
    amount: Money


NO_MANDATE = Mandated(0, 0)
_NO_COMMISSION = UnitsPerWh(0)


@dataclass(slots=True)
class Versions(Generic[Value]):
    """Values with the first day each applies to, ascending."""

    first_days: list[int] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def add(self, value: Value, first_day: int, replaced_from: int) -> None:
        """A new version; it takes the place of those for `replaced_from` and later, which have not begun."""
        require_range("first day", first_day, replaced_from)
        while self.first_days and self.first_days[-1] >= replaced_from:
            self.first_days.pop()
            self.values.pop()
        self.first_days.append(first_day)
        self.values.append(value)

    def on(self, day: int, before: Value) -> Value:
        """The version that applies to a day; `before` ahead of the first."""
        n = bisect_right(self.first_days, day)
        return self.values[n - 1] if n else before


@dataclass(slots=True)
class Intermediaries:
    """Mandates and commissions, as the contract keeps them."""

    mandates: dict[int, Versions[Mandated]] = field(default_factory=lambda: defaultdict(Versions))
    commissions: dict[int, Versions[UnitsPerWh]] = field(default_factory=lambda: defaultdict(Versions))

    def choose(self, client: int, mandated: Mandated, first_day: int, next_to_open: int) -> None:
        """A mandate from a day on whose auction has not opened.

        Raises:
            InputError: a share that does not go with the choice, or a day that has opened.
        """
        require_range("share", mandated.share, 1 if mandated.intermediary else 0, mandated.intermediary and SHARE_SCALE)
        self.mandates[client].add(mandated, first_day, next_to_open)

    def publish(self, intermediary: int, per_wh: UnitsPerWh, first_day: int, earliest: int) -> None:
        """A commission from a day on for which clients can still choose otherwise.

        Raises:
            InputError: a day before the earliest.
        """
        self.commissions[intermediary].add(per_wh, first_day, earliest)

    def mandate_of(self, client: int, day: int) -> Mandated:
        """Whom a member has chosen for a day."""
        return self.mandates[client].on(day, NO_MANDATE) if client in self.mandates else NO_MANDATE

    def commission_of(self, intermediary: int, day: int, rules: MarketRules) -> UnitsPerWh:
        """What the intermediary asks for on a day with these rules, units/Wh."""
        if intermediary not in self.commissions:
            return _NO_COMMISSION
        return min(self.commissions[intermediary].on(day, _NO_COMMISSION), rules.commission_cap)

    def payments(self, day: int, rules: MarketRules, brokered: Mapping[int, int]) -> list[Payment]:
        """Commissions that clients owe for their brokered energy of a day in one market, Wh by member."""
        found = []
        for client, energy in sorted(brokered.items()):
            intermediary = self.mandate_of(client, day).intermediary
            amount = energy * self.commission_of(intermediary, day, rules)
            if amount:
                found.append(Payment(client, intermediary, Wh(energy), Money(amount)))
        return found


def part_down(capacity: int, share: int) -> Wh:
    """Wh of a connection that an intermediary trades; the member's own part gains by less than 1 Wh."""
    return Wh(capacity * share // SHARE_SCALE)


def own_part(capacity: int, share: int) -> Wh:
    """Wh of a connection that its member trades itself."""
    return Wh(capacity - part_down(capacity, share))


def brokered_energy(book: OrderBook, fills: Column) -> dict[int, int]:
    """Wh that each member bought and sold through its intermediary's share; those without are left out."""
    energy: dict[int, int] = defaultdict(int)
    rows = np.flatnonzero((book.layer >= BROKERED_LAYER) & (fills > 0))
    for id_, filled in zip(book.participant[rows].tolist(), fills[rows].tolist(), strict=True):
        energy[id_] += filled
    return dict(energy)


def trades_of(book: OrderBook, fills: Column, clearings: Sequence[Clearing]) -> Trades:
    """What a cleared book trades, at one price a slot."""
    rows = np.flatnonzero(fills)
    slot, energy, is_bid = book.slot[rows], fills[rows], book.side[rows] == Side.BID
    prices = np.array([0 if c.price is None else price_of(c.price) for c in clearings], np.int64)
    bought, sold = np.where(is_bid, energy, 0), np.where(is_bid, 0, energy)
    return Trades(book.participant[rows], slot, bought, sold, (bought - sold) * prices[slot])


class IntermediariesReplay:
    """Follows the events of Intermediaries.sol; it is no market, so it has payments instead of trades.

    brokered: Wh by member that the market at an address booked through intermediaries on a day, by the model.
    rules: the rules of a day.
    """

    def __init__(
        self,
        periods_per_day: int,
        brokered: Callable[[str, int], Mapping[int, int]],
        rules: Callable[[int], MarketRules],
    ) -> None:
        require_range("periods per day", periods_per_day, 1)
        self.model = Intermediaries()
        self._brokered = brokered
        self._rules = rules
        self._paid: dict[int, dict[tuple[str, int], Payment]] = defaultdict(dict)

    def apply(self, name: str, args: Mapping[str, Any]) -> list[str]:
        """Take an event; what the chain says otherwise than the model."""
        match name:
            case "MandateGiven":
                mandated = Mandated(args["intermediary"], args["share"])
                self.model.choose(args["client"], mandated, args["firstDay"], args["replacedFrom"])
            case "CommissionPublished":
                per_wh = UnitsPerWh(args["perWh"])
                self.model.publish(args["intermediary"], per_wh, args["firstDay"], args["replacedFrom"])
            case "CommissionPaid":
                return self._pay(args)
        return []

    def _pay(self, args: Mapping[str, Any]) -> list[str]:
        day, place = args["day"], (args["market"], args["client"])
        chain = Payment(args["client"], args["intermediary"], Wh(args["energy"]), Money(args["amount"]))
        model = {(args["market"], payment.client): payment for payment in self.due(args["market"], day)}.get(place)
        self._paid[day][place] = chain
        what = f"commission of member {args['client']} on day {day} in {args['market']}"
        return [] if chain == model else [f"{what}: chain {chain}, model {model}"]

    def due(self, market: str, day: int) -> list[Payment]:
        """Commissions of a booked day that have not been collected."""
        payments = self.model.payments(day, self._rules(day), self._brokered(market, day))
        return [payment for payment in payments if (market, payment.client) not in self._paid.get(day, {})]

    @staticmethod
    def postings(args: Mapping[str, Any]) -> list[Posting]:
        """What a CommissionPaid posts once its transaction has worked out all of them."""
        amount = args["amount"]
        return [Posting(args["client"], Money(-amount)), Posting(args["intermediary"], Money(amount))]

    def forget(self, day: int) -> None:
        """Nothing of the day is collected any more."""
        self._paid.pop(day, None)


class DayBook(Protocol):
    """What a pool's follower needs of an order book: dem.replay.Book."""

    def accept(self, sheet: Mapping[str, Any]) -> tuple[Column, Column]: ...
    def is_brokered(self, sheet: Mapping[str, Any]) -> bool: ...
    @property
    def standing(self) -> OrderBook: ...
    @property
    def clearing(self) -> list[Clearing]: ...
    @property
    def fills(self) -> Column: ...


class PoolReplay:
    """Follows the events of a pool, which are those of a call auction.

    book: makes the order book of a day of so many periods. rules: the rules of a day.
    """

    def __init__(
        self, periods_per_day: int, book: Callable[[int, int], DayBook], rules: Callable[[int], MarketRules]
    ) -> None:
        self._periods_per_day = periods_per_day
        self._book = book
        self._rules = rules
        self._books: dict[int, DayBook] = {}
        self._locked: dict[int, dict[int, int]] = {}

    def apply(self, name: str, args: Mapping[str, Any]) -> list[str]:
        """Take an event; what the chain says otherwise than the model."""
        match name:
            case "SheetAccepted":
                self.accept(args)
            case "Cleared":
                return self._compare(args)
        return []

    def accept(self, args: Mapping[str, Any]) -> tuple[Money, bool]:
        """Take a sheet; the change of its member's collateral, and whether it brings an order that did not stand."""
        day = args["day"]
        book = self.book(day)
        gone, come = book.accept(args)
        is_brokered, rules = book.is_brokered(args), self._rules(day)
        before, after = (order_collateral(decode_lanes(lanes), rules, is_brokered) for lanes in (gone, come))
        self._locked.setdefault(day, defaultdict(int))[args["id"]] += after - before
        return Money(after - before), bool(((come != gone) & (come != 0)).any())

    def _compare(self, args: Mapping[str, Any]) -> list[str]:
        day, slot = args["day"], args["slot"]
        clearing = self.book(day).clearing[slot]
        rationed = 0 if clearing.rationed is None else clearing.rationed + 1
        model = (clearing.price or 0, clearing.volume, rationed, clearing.share, clearing.marginal)
        chain = tuple(args[key] for key in ("price", "volume", "rationed", "share", "marginal"))
        return (
            [] if chain == model else [f"clearing of the pool's day {day}, slot {slot}: chain {chain}, model {model}"]
        )

    def book(self, day: int) -> DayBook:
        """The orders of a day that is not final."""
        return self._books.setdefault(day, self._book(day, self._periods_per_day))

    def trades(self, day: int) -> Trades:
        """What the pool contracted."""
        book = self.book(day)
        return trades_of(book.standing, book.fills, book.clearing)

    def brokered(self, day: int) -> dict[int, int]:
        """Wh of the day on which clients owe a commission, by member."""
        book = self.book(day)
        return brokered_energy(book.standing, book.fills)

    def release(self, day: int) -> dict[int, int]:
        """Collateral that settling the day releases, by member."""
        return {id_: locked for id_, locked in self._locked.get(day, {}).items() if locked}

    def forget(self, day: int) -> None:
        """The day is final."""
        self._books.pop(day, None)
        self._locked.pop(day, None)
