"""Limits of the network (rule 10): shares of connections by zone and strip, and what energy beyond them costs.

What a member's meter showed beyond its limits counts as if it had not flowed, period by period, and costs the deviation
rate beyond the tolerance. The balancing fund has both, not the grid operator: who sets limits does not live on them.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.imbalance import charged_energy, penalties_passed_on
from dem.model.markets.auction import Column
from dem.model.rules import SHARE_SCALE, MarketRules
from dem.model.strips import LANE_BITS, LANES

if TYPE_CHECKING:
    from dem.model.commitments import DayPrices

WHOLE = SHARE_SCALE
"""Of a connection: all of it."""
_BITS = 20
_MASK = (1 << _BITS) - 1


class Share(NamedTuple):
    """What may be drawn and fed in in a period, 1/10,000 of the connection."""

    imports: int = WHOLE
    exports: int = WHOLE


class ZoneLimit(NamedTuple):
    """What a zone leaves its members in a strip, in the order of the Solidity struct; shares: see `pack_shares`."""

    zone: int
    strip: int
    shares: int


class Publication(NamedTuple):
    """Limits of a day, published before its auction opened or lowered after its gate: the Solidity struct."""

    is_late: bool
    limits: tuple[ZoneLimit, ...]


def pack_shares(shares: Sequence[Share]) -> int:
    """The word of six periods."""
    return sum((share.imports << _BITS | share.exports) << k * LANE_BITS for k, share in enumerate(shares))


def unpack_shares(word: int) -> list[Share]:
    """The shares of six periods."""
    lanes = (word >> k * LANE_BITS for k in range(LANES))
    return [Share(lane >> _BITS & _MASK, lane & _MASK) for lane in lanes]


class Limits(NamedTuple):
    """Most that a member may draw and feed in by slot, Wh, rounded down: the network gains less than 1 Wh.

    shares: they come from; where one is the whole nothing is limited, be it more than the connection. capacities: the
    connection's, Wh per period.
    """

    imports: Column
    exports: Column
    shares: Sequence[Share]
    capacities: tuple[int, int]

    def clip(self, net: Column) -> Column:
        """What of net energies is within them."""
        within: Column = np.clip(net, -self.exports, self.imports)
        return within

    def hold(self, net: Column) -> Column:
        """What flows of net energies where limits are kept; without one all of it, be it beyond the connection."""
        drawn, fed_in = self.limited
        held: Column = np.where(drawn, np.minimum(net, self.imports), net)
        return np.where(fed_in, np.maximum(held, -self.exports), held)

    @property
    def limited(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Slots in which what is drawn is limited, and those of what is fed in."""
        drawn, fed_in = (np.array([share[n] < WHOLE for share in self.shares], np.bool_) for n in (0, 1))
        return drawn, fed_in


def limits_down(imports: int, exports: int, shares: Sequence[Share]) -> Limits:
    """Of a connection, Wh per period; shares: by slot."""
    return Limits(
        np.array([imports * share.imports // WHOLE for share in shares], np.int64),
        np.array([exports * share.exports // WHOLE for share in shares], np.int64),
        shares,
        (imports, exports),
    )


def shares_of(zone: int, standing: Share, publications: Iterable[Publication], periods: int) -> list[Share]:
    """What a zone leaves its members by slot after the publications of a day; zone 0 is none, and has no limits."""
    published = list(publications)
    is_published = any(not publication.is_late for publication in published)
    found = [Share() if zone == 0 or is_published else standing] * periods
    for publication in published:
        for limit in publication.limits:
            if limit.zone == zone != 0:
                found[limit.strip * LANES : (limit.strip + 1) * LANES] = unpack_shares(limit.shares)
    return found


class Cost(NamedTuple):
    """energy: Wh; units: money units."""

    energy: int
    units: int


def excess_charge(
    rules: MarketRules,
    prices: "DayPrices",
    contracted: Column,
    metered: Column,
    unread: NDArray[np.bool_],
    limits: Limits,
) -> Cost:
    """What a member owes the balancing fund for energy beyond its limits on a final day; energies in Wh by slot.

    Each period of it counts as if it had not flowed. unread: where nobody has read the meter, or a true-up has settled
    what it showed. There it counts as if the connection had fed in all that it carries.
    """
    imbalance, (_, capacity) = metered - contracted, limits.capacities
    drawn_is_limited, fed_in_is_limited = limits.limited
    fed_in = np.where(unread, capacity, -metered) - limits.exports
    fed_in = np.where(fed_in_is_limited, np.maximum(0, fed_in), 0)
    drawn = np.where(drawn_is_limited & ~unread, np.maximum(0, metered - limits.imports), 0)
    # At prices below zero who feeds in has paid for it.
    without = _payments(prices, imbalance + fed_in - drawn) - _payments(prices, imbalance)
    lost = np.maximum(0, np.where(unread, fed_in * prices.long, without))
    beyond = sum(
        int(
            np.maximum(0, energy - np.maximum(rules.tolerance_fixed, most * rules.tolerance_share // SHARE_SCALE)).sum()
        )
        for energy, most in ((fed_in, limits.exports), (drawn, limits.imports))
    )
    return Cost(int((fed_in + drawn).sum()), sum(lost.tolist()) + beyond * rules.deviation_rate)


def made_good(
    rules: MarketRules,
    prices: "DayPrices",
    contracted: Column,
    metered: Column,
    estimated: NDArray[np.bool_],
    at_gate: Limits,
    at_end: Limits,
) -> Cost:
    """What the grid operator owes a member for limits that it lowered after the gate: deviation charge and penalty.

    Nothing as long as any of the day is an estimate, of which all is charged.
    """
    # What is contracted beyond both was never within limits.
    taken = np.where(
        [before != after for before, after in zip(at_gate.shares, at_end.shares, strict=True)],
        at_gate.clip(contracted) - at_end.clip(contracted),
        0,
    )
    if estimated.any() or not taken.any():
        return Cost(0, 0)
    before, after = (_charges(rules, prices, own, metered) for own in (contracted, contracted - taken))
    return Cost(int(abs(taken).sum()), max(0, before - after))


def _payments(prices: "DayPrices", imbalance: Column) -> Column:
    """Due for imbalances by slot, money units."""
    units: Column = imbalance * np.where(imbalance > 0, prices.short, prices.long)
    return units


def _charges(rules: MarketRules, prices: "DayPrices", contracted: Column, metered: Column) -> int:
    """Deviation charge and penalty of a day that was read, money units."""
    imbalance = metered - contracted
    charges = charged_energy(imbalance, prices.area, contracted, rules) * rules.deviation_rate
    if prices.penalties is not None:
        charges = charges + penalties_passed_on(imbalance, prices.area, prices.penalties)
    return sum(charges.tolist())
