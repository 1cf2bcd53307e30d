"""Intermediaries: who has chosen whom, for which part, at which commission; and their pools (rule 9).

The bit-exact model of Intermediaries.sol and PoolMembers.sol. A pool is a call auction
like the market's: its book clears by the same model.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from dem.errors import require_range
from dem.model.markets.auction import Column, OrderBook
from dem.model.orders import BROKERED_LAYER
from dem.model.rules import SHARE_SCALE, MarketRules
from dem.model.units import Money, Tick, UnitsPerWh, Wh

Value = TypeVar("Value")


class Mandated(NamedTuple):
    """An intermediary by its number, 0 for none, and its share of a connection in 1/10,000."""

    intermediary: int
    share: int


class Payment(NamedTuple):
    """A commission: from whom to whom, for which energy traded. secured: what the client has locked for it."""

    client: int
    intermediary: int
    energy: Wh
    amount: Money
    secured: Money


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
        """Commissions that clients owe for their brokered energy of a day in one market, Wh by member.

        One of nothing is among them where the rules would allow some: paying it releases what is locked.
        """
        found = []
        for client, energy in sorted(brokered.items()):
            intermediary = self.mandate_of(client, day).intermediary
            amount, secured = energy * self.commission_of(intermediary, day, rules), secured_commission(energy, rules)
            if intermediary and secured:
                found.append(Payment(client, intermediary, Wh(energy), Money(amount), secured))
        return found


def secured_commission(energy: int, rules: MarketRules) -> Money:
    """What stays locked of a client's money for the commission on brokered energy, until it is collected."""
    return Money(energy * rules.commission_cap)


def highest_tick_up(rules: MarketRules) -> Tick:
    """Highest limit of a brokered order: the dearest fallback supply, rounded up; a client loses less than a tick."""
    return rules.prices.nearest(rules.prices.tick_up(rules.max_buy))


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
