import pytest
from support.once import once
from support.refusals import refused
from support.village import BALANCING_FUND, RULES, Member, Village, events
from web3.contract import Contract

from .conftest import PAYING_DAY

INCOME = (500 - 100) * RULES.deviation_rate
"""The seller's deviation charge."""
KEPT = {"buyer": 1_000, "seller": 500}
POT = INCOME // 2


@once
def idle_days_paid(village: Village, fund: Contract, earned: None) -> None:
    for day in (1, 2):
        village.relay(fund, "pay", day, 1)


def test_rewards_who_keeps_to_what_it_contracted(
    village: Village, fund: Contract, buyer: Member, seller: Member, idle_days_paid: None
) -> None:
    before = {member.id: village.free(member) for member in (buyer, seller)}
    receipt = village.relay(fund, "pay", PAYING_DAY, 100)
    assert events(receipt, fund, "DayOpened") == [
        {"day": PAYING_DAY, "income": INCOME, "claimed": 0, "premiums": 0, "rewards": POT}
    ]
    rewards = {buyer.id: POT * KEPT["buyer"] // 1_500, seller.id: POT * KEPT["seller"] // 1_500}
    assert {event["id"]: event["reward"] for event in events(receipt, fund, "Rewarded")} == rewards
    assert events(receipt, fund, "DayPaid") == [{"day": PAYING_DAY}]
    assert {id_: village.free(id_) - free for id_, free in before.items()} == rewards
    # What is lost by rounding down stays with the fund.
    assert village.free(BALANCING_FUND) == INCOME - sum(rewards.values())


def test_pays_in_as_many_steps_as_the_caller_likes(
    village: Village, fund: Contract, buyer: Member, seller: Member, idle_days_paid: None
) -> None:
    paid = []
    for step in range(8):
        assert fund.functions.nextMember().call() == step + 1
        paid += [event["id"] for event in events(village.relay(fund, "pay", PAYING_DAY, 1), fund, "Rewarded")]
    assert paid == [buyer.id, seller.id]
    assert fund.functions.nextDay().call() == PAYING_DAY + 1


def test_a_day_without_claims_is_done_at_once(village: Village, fund: Contract, earned: None) -> None:
    receipt = village.relay(fund, "pay", 1, 1)
    assert events(receipt, fund, "DayPaid") == [{"day": 1}]
    assert events(receipt, fund, "Rewarded") == []


def test_reverts_when_no_members_are_given(village: Village, fund: Contract, earned: None) -> None:
    with refused("NoMembersToPay"):
        village.relay(fund, "pay", 1, 0)


def test_reverts_before_the_day_is_final(village: Village, fund: Contract, earned: None) -> None:
    with refused("NotFinal", day=PAYING_DAY + 1, lastFinal=PAYING_DAY):
        village.relay(fund, "pay", PAYING_DAY + 1, 1)


@pytest.mark.parametrize("day", [0, 1, 2])
def test_reverts_when_the_day_is_paid(village: Village, fund: Contract, idle_days_paid: None, day: int) -> None:
    with refused("ClaimsPaid", day=day):
        village.relay(fund, "pay", day, 1)


def test_reverts_when_a_day_before_waits(village: Village, fund: Contract, earned: None) -> None:
    with refused("PaidOutOfOrder", day=PAYING_DAY, expected=1):
        village.relay(fund, "pay", PAYING_DAY, 1)
