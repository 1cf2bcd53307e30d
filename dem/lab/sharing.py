"""Sharing after the fact: what members of a pool pay for what they used together, without having ordered anything.

A slot's residuals are what members drew or fed in at the meter. What the two sides have in common is shared pro rata at
a local price, the rest is at the tariffs. The local price is that of the mid-market rate (Long and others 2017), of the
supply-demand ratio (Liu and others 2017) or none at all (bill sharing). Sums are exact: all bills together are the
bill of the area. Prices are rounded down, in favour of who draws.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dem.model.markets.auction import Column
from dem.model.rules import Tariff


class Pool(NamedTuple):
    """A slot: what was drawn and fed in by all, Wh, and the tariffs of the area, units/Wh."""

    drawn: int
    fed: int
    tariff: Tariff

    @property
    def local(self) -> int:
        """What both sides have in common."""
        return min(self.drawn, self.fed)


LocalPrice = Callable[[Pool], int]


def mid_market_rate(pool: Pool) -> int:
    """The middle of the tariffs, units/Wh."""
    return (pool.tariff.buy + pool.tariff.sell) // 2


def supply_demand_ratio(pool: Pool) -> int:
    """From what the supplier takes, without any supply, to what it pays, where there is as much as is drawn."""
    buy, sell = pool.tariff.buy, pool.tariff.sell
    if pool.fed >= pool.drawn or not pool.fed:
        return sell
    return sell * buy * pool.drawn // ((buy - sell) * pool.fed + sell * pool.drawn)


def bill_sharing(_pool: Pool) -> int:
    """Nothing: the bill of the area is shared by what was drawn."""
    return 0


def shared_bills(residuals: Sequence[int], tariff: Tariff, price: LocalPrice) -> list[int]:
    """What each member pays for a slot, money units, negative if it receives; residuals: Wh, drawn positive."""
    net = np.array(residuals, np.int64)
    pool = Pool(int(net[net > 0].sum()), int(-net[net < 0].sum()), tariff)
    local = price(pool) * pool.local
    bills = np.zeros(len(net), object)
    # Each side shares what it pays or gets in all, so that nothing is lost in rounding.
    for sign, whole, supplier in ((1, pool.drawn, tariff.buy), (-1, pool.fed, tariff.sell)):
        of_side = sign * net > 0
        bills[of_side] = _parts(sign * (local + (whole - pool.local) * supplier), net[of_side])
    return [int(bill) for bill in bills]


def _parts(total: int, weights: Column) -> list[int]:
    """A total in proportion to weights of one sign: running sums rounded down, so the parts sum to it."""
    sums = [0, *np.cumsum(abs(weights)).tolist()]
    whole = sums[-1]
    if not whole:
        return []
    ends = [total * reached // whole for reached in sums]
    return [after - before for before, after in pairwise(ends)]
