"""Late reconciliation (rule 12.7), one member's day settled once more at the prices on record; and true-ups (12.9)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.commitments import DayPrices
from dem.model.imbalance import charged_energy, penalties_passed_on, price_of_estimates
from dem.model.markets.auction import Column
from dem.model.rules import MarketRules
from dem.model.strips import LANES
from dem.model.units import Money

MAX_RUNS = 5
"""Late reconciliations of one member's day, as R1, R2, R3, RF and DF."""
MAX_AGE = 852
"""Days after which a day is not settled any more: 28 months."""


class Difference(NamedTuple):
    """What a member owes more, money units: to the grid operator where the boundary meter counts, else to the fallback
    supplier."""

    to_grid: Money
    to_supplier: Money


def difference(
    rules: MarketRules,
    prices: DayPrices,
    contracted: Column,
    before: Column,
    after: Column,
    estimated: NDArray[np.bool_] | None = None,
) -> Difference:
    """What changes if a member's meter counted other energies, Wh by slot, than what counted before.

    estimated: where that is an estimate; where it changes it is none any more.
    """
    is_estimate = np.zeros_like(before, np.bool_) if estimated is None else estimated
    due_before = _due(rules, prices, contracted, before, is_estimate, is_estimate)
    middle = _due(
        rules,
        prices,
        contracted,
        np.where(prices.at_boundary, after, before),
        is_estimate & ~prices.at_boundary,
        is_estimate,
    )
    due_after = _due(
        rules, prices, contracted, after, is_estimate & False, is_estimate, is_estimate & ~prices.at_boundary
    )
    return Difference(Money(middle - due_before), Money(due_after - middle))


_NOTHING = Difference(Money(0), Money(0))


@dataclass(slots=True)
class TrueUp:
    """A true-up under way.

    strips: estimated strips so far. at_boundary: those of them in which the boundary meter counted. dearest, lowest:
    prices of who was short, and of who was long, units/Wh. taken_back: what it comes to that estimates count for
    nothing.
    """

    strips: int = 0
    at_boundary: int = 0
    dearest: int = 0
    lowest: int = 0
    taken_back: Difference = _NOTHING

    def take_back(self, prices: DayPrices, estimated: NDArray[np.bool_], change: Difference) -> None:
        """The estimates of a day; change: what it makes that they count as nothing."""
        penalties = np.zeros_like(prices.short) if prices.penalties is None else prices.penalties
        dearest = int((prices.short + penalties)[estimated].max())
        lowest = int((prices.long - penalties)[estimated].min())
        self.dearest = max(self.dearest, dearest) if self.strips else dearest
        self.lowest = min(self.lowest, lowest) if self.strips else lowest
        self.strips += int(estimated.sum()) // LANES
        self.at_boundary += int((estimated & prices.at_boundary).sum()) // LANES
        both = zip(self.taken_back, change, strict=True)
        self.taken_back = Difference(*(Money(before + more) for before, more in both))

    def due(self, import_wh: int, export_wh: int) -> Difference:
        """What the member owes for what its registers showed, Wh, what is taken back included."""
        bought = import_wh * (self.dearest if import_wh > 0 else self.lowest)
        due = bought - export_wh * (self.lowest if export_wh > 0 else self.dearest)
        part = abs(due) * self.at_boundary // self.strips
        to_grid = part if due >= 0 else -part
        back = self.taken_back
        return Difference(Money(back.to_grid + to_grid), Money(back.to_supplier + due - to_grid))


def _due(
    rules: MarketRules,
    prices: DayPrices,
    contracted: Column,
    metered: Column,
    estimated: NDArray[np.bool_],
    was_estimated: NDArray[np.bool_],
    either_way: NDArray[np.bool_] | None = None,
) -> int:
    """For a day besides its trades and fees, money units. either_way: where a penalty is due whatever the sign of N."""
    imbalance = metered - contracted
    price = np.where(imbalance > 0, prices.short, prices.long)
    units = imbalance * price_of_estimates(imbalance, price, estimated)
    charged = charged_energy(imbalance, prices.area, contracted, rules, estimated, was_estimated)
    due = units + charged * rules.deviation_rate
    if prices.penalties is not None:
        penalties = penalties_passed_on(imbalance, prices.area, prices.penalties)
        if either_way is not None:
            penalties = np.where(either_way, abs(imbalance) * prices.penalties, penalties)
        # What an estimate has cost stays where nobody knows N: the desk was owed by it.
        due += np.where(estimated & ~prices.at_boundary, 0, penalties)
    return sum(due.tolist())
