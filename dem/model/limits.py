"""Limits of the network (rule 10): shares of connections by zone and strip, and what energy beyond them costs.

What a member's meter showed beyond its limits counts as if it had not flowed, and costs the deviation rate beyond the
tolerance. The balancing fund has both, not the grid operator: who sets limits does not live on them.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.imbalance import charged_energy, penalties_passed_on, price_of_estimates
from dem.model.markets.auction import Column
from dem.model.rules import SHARE_SCALE, MarketRules
from dem.model.strips import LANE_BITS, LANES
from dem.model.units import Tick

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
    """Most that a member may draw and feed in by slot, Wh, rounded down: the network gains less than 1 Wh."""

    imports: Column
    exports: Column

    def clip(self, net: Column) -> Column:
        """What of net energies is within them."""
        within: Column = np.clip(net, -self.exports, self.imports)
        return within


def limits_down(imports: int, exports: int, shares: Sequence[Share]) -> Limits:
    """Of a connection, Wh per period; shares: by slot."""
    return Limits(
        np.array([imports * share.imports // WHOLE for share in shares], np.int64),
        np.array([exports * share.exports // WHOLE for share in shares], np.int64),
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
    estimated: NDArray[np.bool_],
    limits: Limits,
) -> Cost:
    """What a member owes the balancing fund for energy beyond its limits on a final day; energies in Wh by slot."""
    held = limits.clip(metered)
    excess = abs(metered - held)
    limit = np.where(metered > held, limits.imports, limits.exports)
    tolerance = np.maximum(rules.tolerance_fixed, limit * rules.tolerance_share // SHARE_SCALE)
    beyond = np.maximum(0, excess - tolerance).sum()
    with_it, without = (_bill(rules, prices, contracted, net, estimated) for net in (metered, held))
    # At prices below zero who feeds in has paid for it.
    lost = max(0, sum(without) - sum(with_it))
    return Cost(int(excess.sum()), lost + int(beyond) * rules.deviation_rate)


def made_good(
    rules: MarketRules,
    prices: "DayPrices",
    ticks: Sequence[Tick | None],
    contracted: Column,
    metered: Column,
    estimated: NDArray[np.bool_],
    at_gate: Limits,
    at_end: Limits,
) -> Cost:
    """What the grid operator owes a member for limits that it lowered after the gate.

    ticks: price of the day's auction by slot, None where it had none.
    """
    taken = at_gate.clip(contracted) - at_end.clip(contracted)
    middle = (prices.short + prices.long) // 2
    is_traded = np.array([tick is not None for tick in ticks], np.bool_)
    price = np.where(is_traded, rules.prices.price_of(np.array([tick or 0 for tick in ticks], np.int64)), middle)
    worse = np.where(taken < 0, np.maximum(0, prices.short - price), np.maximum(0, price - prices.long))
    held = at_end.clip(metered)
    _, before = _bill(rules, prices, contracted, held, estimated)
    _, after = _bill(rules, prices, contracted - taken, held, estimated)
    return Cost(int(abs(taken).sum()), sum((abs(taken) * worse).tolist()) + before - after)


def _bill(
    rules: MarketRules, prices: "DayPrices", contracted: Column, metered: Column, estimated: NDArray[np.bool_]
) -> tuple[int, int]:
    """For a day besides its trades and fees, money units: the imbalance; deviation charge and penalty."""
    imbalance = metered - contracted
    price = np.where(imbalance > 0, prices.short, prices.long)
    units = imbalance * price_of_estimates(imbalance, price, estimated)
    charges = charged_energy(imbalance, prices.area, contracted, rules, estimated) * rules.deviation_rate
    if prices.penalties is not None:
        charges = charges + penalties_passed_on(imbalance, prices.area, prices.penalties)
    return sum(units.tolist()), sum(charges.tolist())
