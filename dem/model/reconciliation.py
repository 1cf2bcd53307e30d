"""Late reconciliation (rule 12.7): one member's day settled once more, at the prices on record."""

from typing import NamedTuple

import numpy as np

from dem.model.commitments import DayPrices
from dem.model.imbalance import charged_energy, penalties_passed_on
from dem.model.markets.auction import Column
from dem.model.rules import MarketRules
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


def difference(rules: MarketRules, prices: DayPrices, contracted: Column, before: Column, after: Column) -> Difference:
    """What changes if a member's meter counted other energies, Wh by slot, than what counted before."""
    middle = _due(rules, prices, contracted, np.where(prices.at_boundary, after, before))
    to_grid = middle - _due(rules, prices, contracted, before)
    return Difference(Money(to_grid), Money(_due(rules, prices, contracted, after) - middle))


def _due(rules: MarketRules, prices: DayPrices, contracted: Column, metered: Column) -> int:
    """For a day besides its trades and fees, money units."""
    imbalance = metered - contracted
    units = imbalance * np.where(imbalance > 0, prices.short, prices.long)
    deviation = charged_energy(imbalance, prices.area, contracted, rules) * rules.deviation_rate
    due = units + deviation
    if prices.penalties is not None:
        due += penalties_passed_on(imbalance, prices.area, prices.penalties)
    return sum(due.tolist())
