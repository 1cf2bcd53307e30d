"""Who paid whom: money between groups, per cause.

A uniform-price auction and the imbalance settlement are pools: nobody is matched to anybody. So each period's
receivers are taken to be paid by all payers of that period in proportion.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from dem.results.reader import Results

FALLBACK = "fallback supplier"
FUND = "balancing fund"
OPERATOR = "operator"
GRID = "grid operator"
BOTH_OPERATORS = "operators"

DESK = "wholesale desk"
TRADE, IMBALANCE, FEES, DEVIATION = "local energy", "imbalance", "fees", "deviation charges"
CAUSES = (TRADE, IMBALANCE, FEES, DEVIATION)


@dataclass(frozen=True, slots=True)
class Flow:
    payer: str
    receiver: str
    cause: str
    units: float


def money_flows(results: Results) -> tuple[Flow, ...]:
    """All flows that are not zero."""
    bills, area = results.bills, results.area.set_index("period")
    groups = results.kinds_of(bills).str.replace("_", " ")
    totals: dict[tuple[str, str, str], float] = {}
    fees = fee_shares(results)
    sums = bills.groupby(groups)[["fees_units", "deviation_units", "penalty_units"]].sum()
    penalties, to_desk = int(sums["penalty_units"].sum()), int(area["penalty_units"].sum())
    for group, (fee, deviation, penalty) in zip(sums.index, sums.to_numpy().tolist(), strict=True):
        desks = penalty * to_desk / penalties if penalties else 0.0
        totals[group, FUND, DEVIATION] = deviation + penalty - desks
        totals[group, DESK, DEVIATION] = desks
        for receiver, part in fees.items():
            totals[group, receiver, FEES] = fee * part
    charges = results.balance["deviation_units"].reindex(area.index, fill_value=0)
    charges += results.balance["penalty_units"].reindex(area.index, fill_value=0) - area["penalty_units"]
    outside = pd.DataFrame({FALLBACK: -area["fallback_units"], FUND: charges - area["fund_units"]})
    for cause, column, others in (
        (TRADE, "trade_units", pd.DataFrame(index=area.index)),
        (IMBALANCE, "imbalance_units", outside),
    ):
        paid, received = (_sides(sign * bills[column], bills["period"], groups, sign * others) for sign in (1, -1))
        whole = paid.sum(axis=1)
        shares = paid[whole > 0].div(whole[whole > 0], axis=0)
        matrix = shares.T @ received.reindex(shares.index, fill_value=0)
        for receiver in matrix.columns:
            totals |= {(str(payer), receiver, cause): units for payer, units in matrix[receiver].items()}
    return tuple(Flow(*key, units) for key, units in totals.items() if units > 0)


def _sides(
    due: "pd.Series[int]", periods: "pd.Series[int]", groups: "pd.Series[str]", others: pd.DataFrame
) -> pd.DataFrame:
    """Who is on the positive side of a pool: units by period and group."""
    members = due.clip(lower=0).groupby([periods, groups]).sum().unstack(fill_value=0)
    return members.join(others.clip(lower=0), how="outer").fillna(0)


def fee_shares(results: Results) -> Mapping[str, float]:
    """How fees divide between the operators, read off their accounts; one receiver if these do not tell."""
    fees = int(results.settlement["fees_units"].sum())
    kinds = results.accounts["kind"].astype(str).str.replace("_", " ").str.lower()
    earned = {kind: int(results.accounts["earned_units"][kinds == kind].sum()) for kind in (OPERATOR, GRID)}
    if fees and sum(earned.values()) == fees and min(earned.values()) >= 0:
        return {kind: units / fees for kind, units in earned.items()}
    return {BOTH_OPERATORS: 1.0}
