"""Escrowed trades (rule 16): energy that follows the seller's meter, and money that two of three keys release.

The bit-exact model of EscrowTrades.sol.
"""

from dataclasses import dataclass

import numpy as np

from dem.model.ledger import Posting
from dem.model.markets.auction import Column
from dem.model.rules import MarketRules
from dem.model.units import Money, UnitsPerWh, Wh

MAX_TRADES = 8
"""Of a member on a day."""


@dataclass(frozen=True, slots=True)
class EscrowedTrade:
    """What two members have agreed on: `energy` Wh in each of some periods of a day, at `price` units/Wh.

    slots: these periods, a bit each.
    """

    buyer: int
    seller: int
    day: int
    slots: int
    energy: Wh
    price: UnitsPerWh

    @property
    def total(self) -> Wh:
        """Energy of all its periods."""
        return Wh(self.energy * self.slots.bit_count())

    @property
    def escrow(self) -> Money:
        """What it costs: what the buyer puts in escrow."""
        return Money(self.total * self.price)

    def covers(self, rules: MarketRules) -> tuple[Money, Money]:
        """What the settlement of the day may charge buyer and seller besides.

        The buyer fees, and what the supplier wants for energy that is not taken; the seller fees. It has nothing to
        replace, because only what it feeds in is contracted.
        """
        return Money(self.total * rules.extra), Money(self.total * rules.fees)

    def locks(self, rules: MarketRules) -> tuple[Money, Money]:
        """What buyer and seller lock: the buyer the escrow besides."""
        buyers, sellers = self.covers(rules)
        return Money(self.escrow + buyers), sellers

    def promised(self, periods_per_day: int) -> Column:
        """Energy by slot, Wh."""
        return np.array([self.energy if self.slots >> slot & 1 else 0 for slot in range(periods_per_day)], np.int64)

    def delivered(self, metered: Column) -> Column:
        """Energy by slot, Wh. metered: the seller's net consumption by slot, Wh."""
        return np.minimum(np.maximum(0, -metered), self.promised(len(metered)))

    def by_readings(self, delivered: int) -> Money:
        """What the seller gets of the escrow where nobody has released it. delivered: Wh of all periods."""
        return Money(delivered * self.price)

    def postings(self, to_seller: Money) -> list[Posting]:
        """What is posted once it is known what the seller gets: the rest of the escrow is the buyer's again."""
        return [Posting(self.buyer, Money(-to_seller), self.escrow), Posting(self.seller, to_seller)]
