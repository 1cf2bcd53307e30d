"""What the payments of days were short of: shared among those who were paid, and made good when there is money again.

What neither the defaulters of a day nor the fallback supplier's credit can pay is taken back, in proportion, from those
whom that day's settlement has paid. Each keeps a claim. Money of the supplier is set aside for the oldest day first,
and paid in proportion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dem.model.ledger import CLEARING_HOUSE, FALLBACK_SUPPLIER, Ledger
from dem.model.units import Money


@dataclass(slots=True)
class Claim:
    """What was taken back from a member for a day, and what it has been paid of that, money units."""

    units: int
    paid: int = 0


@dataclass(slots=True)
class Shortfall:
    """What a day's payments were short of, what is set aside for it since and paid of that, money units."""

    units: int
    set_aside: int = 0
    paid: int = 0
    claims: dict[int, Claim] = field(default_factory=dict)

    def part_set_aside(self, claim: Claim) -> int:
        """What is set aside for a claim, paid or not; rounded down until all of it is."""
        return claim.units * self.set_aside // self.units


class Restored(NamedTuple):
    """A claim that ends because its day is settled again.

    made_good: what was set aside for it and not paid; units: the rest, which may be shared anew; least: what of that
    only fills the account up to its floor.
    """

    made_good: Money
    units: Money
    least: Money


def parts(units: int, received: Mapping[int, int]) -> dict[int, int]:
    """What each has to give back, in the order of the members; the parts sum to `units`."""
    everybody, before, found = sum(received.values()), 0, {}
    for id_, own in sorted(received.items()):
        found[id_] = (before + own) * units // everybody - before * units // everybody
        before += own
    return {id_: part for id_, part in found.items() if part}


class Shortfalls:
    """Of all days, oldest first; ledger: where their money moves."""

    def __init__(self, ledger: Ledger) -> None:
        self.days: dict[int, Shortfall] = {}
        """Those that were short of anything."""
        self._reopened: dict[int, Shortfall] = {}
        """What they were when they were settled again."""
        self._ledger = ledger

    @property
    def open_claims(self) -> int:
        """What members wait for and nothing is set aside for."""
        return sum(shortfall.units - shortfall.set_aside for shortfall in self.days.values())

    @property
    def set_aside(self) -> int:
        """With the clearing house, and not paid."""
        return sum(shortfall.set_aside - shortfall.paid for shortfall in self.days.values())

    def claim_of(self, id_: int) -> int:
        """What a member waits for, of all days."""
        days = (*self.days.values(), *self._reopened.values())
        claims = [claim for day in days if (claim := day.claims.get(id_))]
        return sum(claim.units - claim.paid for claim in claims)

    def begin(self, day: int, units: int) -> None:
        """A day is short; its claims come with take."""
        self.days[day] = Shortfall(units)

    def take(self, day: int, id_: int, units: int) -> None:
        """Take a member's part back: never arrears, if need be its free money falls below its floor."""
        self.days[day].claims[id_] = Claim(units)
        self._ledger.share({id_: -units, FALLBACK_SUPPLIER: units})

    def to_set_aside(self) -> dict[int, int]:
        """What the supplier has within its credit, by day that waits for it, oldest first."""
        supplier = self._ledger.record(FALLBACK_SUPPLIER)
        headroom, found = max(0, supplier.free + supplier.credit_limit), {}
        for day, shortfall in sorted(self.days.items()):
            found[day] = min(headroom, shortfall.units - shortfall.set_aside)
            headroom -= found[day]
        return {day: units for day, units in found.items() if units}

    def put_aside(self, day: int, units: int) -> None:
        """Money for a day's claims goes to the clearing house."""
        self.days[day].set_aside += units
        self._ledger.share({FALLBACK_SUPPLIER: -units, CLEARING_HOUSE: units})

    def due(self, day: int, ids: Iterable[int]) -> dict[int, int]:
        """What members are to be paid of what is set aside."""
        shortfall, found = self.days[day], {}
        for id_ in ids:
            claim = shortfall.claims.get(id_)
            if claim:
                found[id_] = shortfall.part_set_aside(claim) - claim.paid
        return {id_: units for id_, units in found.items() if units}

    def pay(self, day: int, id_: int, units: int) -> None:
        """Pay a part of a claim from what is set aside."""
        self.days[day].claims[id_].paid += units
        self.days[day].paid += units
        self._ledger.share({CLEARING_HOUSE: -units, id_: units})

    def reopen(self, day: int) -> tuple[int, int]:
        """The day is settled again: what nothing was set aside for, and what the supplier has back."""
        shortfall = self._reopened[day] = self.days.pop(day)
        claims, returned = shortfall.units - shortfall.set_aside, shortfall.set_aside - shortfall.paid
        self._ledger.share({CLEARING_HOUSE: -returned, FALLBACK_SUPPLIER: returned})
        return claims, returned

    def restore(self, day: int, id_: int) -> Restored:
        """Pay what is left of a claim at the supplier's expense, and forget it; nothing without one."""
        shortfall = self._reopened.get(day)
        claim = shortfall.claims.pop(id_, None) if shortfall else None
        if shortfall is None or claim is None:
            return Restored(Money(0), Money(0), Money(0))
        part, record = shortfall.part_set_aside(claim), self._ledger.record(id_)
        made_good, units = Money(part - claim.paid), Money(claim.units - part)
        missing = -record.credit_limit - record.free - made_good
        self._ledger.share({FALLBACK_SUPPLIER: -made_good - units, id_: made_good + units}, is_paid_now=units > 0)
        return Restored(made_good, units, Money(max(0, min(missing, units))))
