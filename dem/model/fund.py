"""What the balancing fund pays for a day that is final: premiums for energy sold back, rewards for what was kept.

Premiums have at most what the fund has from final days, rewards a share of what the day brought beyond its premiums;
each is divided in proportion to the claims and rounded down, the fund keeps the rest. No Wh is rewarded with more than
both sides of a trade pay in fees: of a trade with somebody who delivers nothing one side at most is rewarded.
"""

from collections.abc import Mapping
from typing import NamedTuple

from dem.model.rules import SHARE_SCALE, MarketRules
from dem.model.units import Money


class Payout(NamedTuple):
    """What a day's claims come to, money units; `claimed` is what premiums would be with money enough."""

    claimed: Money
    premiums: Money
    rewards: Money
    paid: dict[int, tuple[int, int]]
    """Premium and reward of each participant that receives anything."""


def pay_claims(rules: MarketRules, income: int, available: int, claims: Mapping[int, tuple[int, int]]) -> Payout:
    """Divide what the fund has among a day's claims.

    income: of the fund from the day; available: what it has from final days, money units.
    claims: helpful and kept energy by participant, Wh.
    """
    helpful, kept = (sum(claim[n] for claim in claims.values()) for n in (0, 1))
    available = max(0, available)
    claimed = helpful * rules.premium_rate
    premiums = min(claimed, available)
    rewards = 0
    if kept and income > premiums:
        share = (income - premiums) * rules.reward_share // SHARE_SCALE
        rewards = min(share, available - premiums, 2 * rules.fees * kept)
    paid = {
        id_: (_part(premiums, own_helpful, helpful), _part(rewards, own_kept, kept))
        for id_, (own_helpful, own_kept) in claims.items()
    }
    received = {id_: both for id_, both in sorted(paid.items()) if any(both)}
    return Payout(Money(claimed), Money(premiums), Money(rewards), received)


def _part(pot: int, claim: int, everybody: int) -> int:
    """A participant's part of a pot, rounded down; what is lost stays with the fund."""
    return pot * claim // everybody if claim else 0
