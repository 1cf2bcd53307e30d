"""Who paid whom: money between groups, per cause.

A uniform-price auction and the imbalance settlement are pools: nobody is matched to anybody. So each period's
receivers are taken to be paid by all payers of that period in proportion.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from dem.results import Results

FALLBACK = "fallback supplier"
FUND = "balancing fund"
OPERATOR = "operator"
GRID = "grid operator"
BOTH_OPERATORS = "operators"

TRADE, IMBALANCE, FEES, DEVIATION = "local energy", "imbalance", "fees", "deviation charges"
CAUSES = (TRADE, IMBALANCE, FEES, DEVIATION)


@dataclass(frozen=True, slots=True)
class Flow:
    payer: str
    receiver: str
    cause: str
    units: float


class _Pool:
    """Payments into and out of one pool in one period, by group."""

    def __init__(self) -> None:
        self.paid: dict[str, int] = defaultdict(int)
        self.received: dict[str, int] = defaultdict(int)

    def add(self, group: str, due: int) -> None:
        if due > 0:
            self.paid[group] += due
        elif due < 0:
            self.received[group] -= due


def money_flows(results: Results) -> tuple[Flow, ...]:
    trade: dict[int, _Pool] = defaultdict(_Pool)
    imbalance: dict[int, _Pool] = defaultdict(_Pool)
    charges: dict[int, int] = defaultdict(int)
    totals: dict[tuple[str, str, str], float] = defaultdict(float)
    fees = fee_shares(results)
    for row in results.settlement:
        group = results.participants[row.participant].kind.replace("_", " ")
        trade[row.period].add(group, row.trade_units)
        imbalance[row.period].add(group, row.imbalance_units)
        charges[row.period] += row.deviation_units
        if row.deviation_units:
            totals[group, FUND, DEVIATION] += row.deviation_units
        for receiver, part in fees.items():
            totals[group, receiver, FEES] += row.fees_units * part
    for area in results.area:
        pool = imbalance[area.period]
        pool.add(FALLBACK, -area.fallback_units)
        pool.add(FUND, charges[area.period] - area.fund_units)
    for cause, pools in ((TRADE, trade), (IMBALANCE, imbalance)):
        for pool in pools.values():
            whole = sum(pool.paid.values())
            for payer, paid in pool.paid.items():
                for receiver, received in pool.received.items():
                    totals[payer, receiver, cause] += paid * received / whole
    return tuple(Flow(*key, units) for key, units in totals.items() if units > 0)


def fee_shares(results: Results) -> Mapping[str, float]:
    """How fees divide between the operators, read off their accounts; one receiver if these do not tell."""
    fees = sum(row.fees_units for row in results.settlement)
    earned = dict.fromkeys((OPERATOR, GRID), 0)
    for account in results.accounts:
        kind = account.kind.replace("_", " ").lower()
        if kind in earned:
            earned[kind] += account.earned_units
    if fees and sum(earned.values()) == fees and min(earned.values()) >= 0:
        return {kind: units / fees for kind, units in earned.items()}
    return {BOTH_OPERATORS: 1.0}
