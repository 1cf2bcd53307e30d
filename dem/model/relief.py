"""Relief of the network (rule 10.9): what members offer to draw or feed in less than expected, and what it is paid.

The bit-exact model of GridRelief.sol. The grid operator is the only buyer, and its offer says what it pays at most.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.limits import WHOLE, Limits
from dem.model.markets.auction import Column
from dem.model.rules import SHARE_SCALE, MarketRules
from dem.model.strips import LANE_BITS, LANES


class Offer(NamedTuple):
    """What a member would do without, 1/10,000 of its connection, and for how much, units/Wh.

    Of the grid operator: what it pays at most, in a direction whose share is not 0.
    """

    drawn: int
    drawn_price: int
    fed_in: int
    fed_in_price: int

    def share(self, is_fed_in: bool) -> int:
        """Of the connection, in one direction."""
        return self.fed_in if is_fed_in else self.drawn

    def price(self, is_fed_in: bool) -> int:
        """For each Wh of it."""
        return self.fed_in_price if is_fed_in else self.drawn_price


NO_OFFER = Offer(0, 0, 0, 0)


class Offers(NamedTuple):
    """Of a day. members: what each offers, by name. ceiling: what the grid operator pays at most."""

    members: Mapping[str, Offer]
    ceiling: Offer


class Bought(NamedTuple):
    """Relief of one period. energy: Wh bought. most: Wh that the meter may still show. price: units/Wh."""

    energy: int
    most: int
    price: int

    def delivered(self, metered: int, is_fed_in: bool) -> int:
        """Wh of it that a meter shows; metered: net, Wh."""
        flowed = -metered if is_fed_in else metered
        return max(0, self.energy - max(0, flowed - self.most))


NOTHING = Bought(0, 0, 0)


class Relief(NamedTuple):
    """What is bought of a member in a strip, in the order of the Solidity struct; see `pack_relief`."""

    strip: int
    is_fed_in: bool
    energies: int
    mosts: int
    prices: int


class ReliefPayment(NamedTuple):
    """Of a member's day. delivered, missing: Wh. units: for what was delivered. charge: for what was not."""

    delivered: int
    missing: int
    units: int
    charge: int


Slots = Mapping[tuple[int, bool], Bought]
"""What is bought of a member's day by slot and direction: whether it is to feed in less."""


def offered_down(offer: Offer, capacity: int, is_fed_in: bool) -> int:
    """What a member offers in a period, Wh; capacity: of its connection. Rounded down: the member gains."""
    return capacity * offer.share(is_fed_in) // SHARE_SCALE


def pack_relief(slots: Slots) -> list[Relief]:
    """As it is bought: strips ascending, of a strip what is drawn first."""
    places = sorted({(slot // LANES, is_fed_in) for (slot, is_fed_in), own in slots.items() if own.energy})
    found = []
    for strip, is_fed_in in places:
        lanes = [slots.get((strip * LANES + k, is_fed_in), NOTHING) for k in range(LANES)]
        words = (sum(part << k * LANE_BITS for k, part in enumerate(parts)) for parts in zip(*lanes, strict=True))
        found.append(Relief(strip, is_fed_in, *words))
    return found


def unpack_relief(reliefs: Sequence[Relief]) -> dict[tuple[int, bool], Bought]:
    """By slot and direction."""
    mask = (1 << LANE_BITS) - 1
    found = {}
    for relief in reliefs:
        for k in range(LANES):
            own = Bought(*(word >> k * LANE_BITS & mask for word in relief[2:]))
            if own.energy:
                found[relief.strip * LANES + k, relief.is_fed_in] = own
    return found


def relieved(limits: Limits, slots: Slots) -> Limits:
    """What is left of a member's limits with what it has sold."""
    imports, exports, shares = limits.imports.copy(), limits.exports.copy(), list(limits.shares)
    for (slot, is_fed_in), own in slots.items():
        share, (column, side) = shares[slot], (exports, "exports") if is_fed_in else (imports, "imports")
        column[slot] = min(column[slot], own.most)
        # That the slot is limited is told by a share below the whole.
        shares[slot] = share._replace(**{side: min(getattr(share, side), WHOLE - 1)})
    return limits._replace(imports=imports, exports=exports, shares=shares)


def relief_payment(rules: MarketRules, slots: Slots, metered: Column, unread: NDArray[np.bool_]) -> ReliefPayment:
    """What is due for a final day. metered: net energies by slot, Wh; where nobody has read it nothing is delivered."""
    delivered = missing = units = 0
    for (slot, is_fed_in), own in slots.items():
        kept = 0 if unread[slot] else own.delivered(int(metered[slot]), is_fed_in)
        delivered += kept
        missing += own.energy - kept
        units += kept * own.price
    return ReliefPayment(delivered, missing, units, missing * rules.deviation_rate)
