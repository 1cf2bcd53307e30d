"""What the balancing fund pays: never more than it has, never more than a day's income for rewards."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dem.model.fund import pay_claims

from .test_settlement import RULES

RATES = replace(RULES, premium_rate=100, reward_share=2_500)


def test_claims_are_paid_in_full_where_there_is_enough():
    payout = pay_claims(RATES, 10_000, 50_000, {6: (30, 0), 7: (10, 300), 8: (0, 100), 9: (0, 0)})
    assert payout[:3] == (4_000, 4_000, 1_500)
    assert payout.paid == {6: (3_000, 0), 7: (1_000, 1_125), 8: (0, 375)}


def test_a_reward_is_at_most_what_both_sides_of_a_trade_pay_in_fees():
    payout = pay_claims(RATES, 10**9, 10**9, {6: (0, 300), 7: (0, 100)})
    assert payout.rewards == 400 * 2 * RULES.fees
    assert payout.paid == {6: (0, 600 * RULES.fees), 7: (0, 200 * RULES.fees)}


def test_premiums_are_scaled_to_what_the_fund_has():
    payout = pay_claims(RATES, 10, 1_000, {6: (30, 0), 7: (10, 300)})
    assert payout[:3] == (4_000, 1_000, 0)
    assert payout.paid == {6: (750, 0), 7: (250, 0)}


def test_nothing_is_paid_without_money_or_claims():
    assert pay_claims(RATES, 10_000, -5, {6: (1, 1)})[1:] == (0, 0, {})
    assert pay_claims(RATES, 10_000, 10_000, {})[1:] == (0, 0, {})


claims = st.dictionaries(st.integers(6, 30), st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)))


@given(st.integers(0, 10**12), st.integers(-(10**6), 10**12), claims, st.integers(0, 10**5), st.integers(0, 10_000))
def test_the_fund_never_pays_more_than_it_has(income, available, claims, rate, share):
    payout = pay_claims(replace(RULES, premium_rate=rate, reward_share=share), income, available, claims)
    premiums, rewards = (sum(paid[n] for paid in payout.paid.values()) for n in (0, 1))
    assert premiums <= payout.premiums <= payout.claimed
    assert rewards <= payout.rewards <= max(0, income - payout.premiums)
    assert payout.premiums + payout.rewards <= max(0, available)
