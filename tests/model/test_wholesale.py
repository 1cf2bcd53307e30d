"""The residual against worked numbers and against its definition, order by order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model.books import ask, bid, books
from support.rules import SMALL

from dem.errors import InputError
from dem.model.markets.auction import OrderBook, clear_day, fills_of_day
from dem.model.markets.wholesale import (
    MAX_EXCHANGE,
    PRICE_BIAS,
    Direction,
    Offer,
    clear_residual,
    offers_of,
    report_collateral,
    report_words,
    residual_fills,
)
from dem.model.orders import Side
from dem.model.units import FROM_ZERO

NOTHING = Offer(0, 0, 0, 0)


def residual(orders, offer, margin=0):
    """Outcome and fills of one slot after its auction."""
    book = OrderBook.of(orders)
    filled = fills_of_day(book, clear_day(book, 1))
    outcomes = clear_residual(book, filled, [offer], margin, FROM_ZERO)
    return outcomes[0], residual_fills(book, filled, outcomes).tolist(), filled.tolist()


def test_bids_that_pay_price_and_margin_are_imported():
    orders = [bid(1, 150, 100), bid(2, 111, 50), bid(3, 110, 70)]
    outcome, fills, _ = residual(orders, Offer(11_000, 0, 1_000, 0), margin=1)
    assert (outcome.direction, outcome.price, outcome.volume) == (Direction.IMPORT, 11_001, 150)
    assert fills == [100, 50, 0]


def test_asks_that_take_price_less_margin_are_exported():
    orders = [ask(1, 50, 100), ask(2, 99, 50), ask(3, 100, 70)]
    outcome, fills, _ = residual(orders, Offer(10_000, 0, 1_000, 1_000), margin=1)
    assert (outcome.direction, outcome.price, outcome.volume) == (Direction.EXPORT, 9_999, 150)
    assert fills == [100, 50, 0]


def test_the_capacity_is_shared_at_the_margin_in_proportion():
    orders = [bid(1, 150, 100), bid(2, 120, 50), bid(3, 120, 25)]
    outcome, fills, _ = residual(orders, Offer(10_000, 0, 130, 0))
    assert (outcome.tick, outcome.share, outcome.marginal) == (120, 30, 75)
    assert fills == [100, 20, 10]


def test_what_the_auction_left_of_orders_at_its_price_counts_too():
    """30 Wh of supply for 100 and 50 Wh at the price: 20 and 10 Wh; of 80 and 40 Wh left a half is imported."""
    orders = [bid(1, 120, 100), bid(2, 120, 50), ask(3, 100, 30)]
    outcome, fills, auction = residual(orders, Offer(12_000, 0, 60, 0))
    assert auction == [20, 10, 30]
    assert (outcome.tick, outcome.share, outcome.marginal) == (120, 60, 120)
    assert fills == [40, 20, 0]


def test_a_negative_wholesale_price_pays_the_buyer():
    outcome, fills, _ = residual([bid(1, 0, 10)], Offer(-13_000, 0, 100, 100), margin=300)
    assert (outcome.direction, outcome.price, fills) == (Direction.IMPORT, -12_700, [10])


@pytest.mark.parametrize("offer", [NOTHING, Offer(409_501, 0, 5, 0), Offer(-1, 0, 0, 5), Offer(12_001, 0, 5, 0)])
def test_nothing_is_traded_without_capacity_or_a_limit_that_takes_the_price(offer):
    outcome, fills, _ = residual([bid(1, 120, 10), ask(2, 4_000, 10)], offer)
    assert outcome.direction == Direction.NONE
    assert (outcome.volume, outcome.tick, outcome.share, outcome.marginal, outcome.price) == (0, 0, 0, 0, 0)
    assert fills == [0, 0]


offers = st.builds(
    Offer,
    st.one_of(st.integers(-500, 6_000), st.integers(0, 409_500), st.integers(-PRICE_BIAS, PRICE_BIAS - 1)),
    st.integers(0, 2**20 - 1),
    st.one_of(st.just(0), st.integers(1, 30), st.integers(1, MAX_EXCHANGE)),
    st.one_of(st.just(0), st.integers(1, 30), st.integers(1, MAX_EXCHANGE)),
)


@given(books(), offers, st.one_of(st.just(0), st.integers(0, 300)))
def test_fills_follow_from_the_definition(orders, offer, margin):
    outcome, fills, auction = residual(orders, offer, margin)
    left = [order.energy - filled for order, filled in zip(orders, auction, strict=True)]
    capacity = {Side.BID: offer.imports, Side.ASK: offer.exports}
    for side in Side:
        pays = offer.price + margin if side == Side.BID else offer.price - margin
        eligible = [
            n
            for n, order in enumerate(orders)
            if order.side == side
            and left[n]
            and (FROM_ZERO.price_of(order.tick) >= pays if side == Side.BID else FROM_ZERO.price_of(order.tick) <= pays)
        ]
        served = sum(fills[n] for n in eligible)
        assert served == min(capacity[side], sum(left[n] for n in eligible))
        assert sum(fills[n] for n, order in enumerate(orders) if order.side == side) == served
        for n in eligible:
            assert 0 <= fills[n] <= left[n]
            sign = 1 if side == Side.BID else -1
            # Nobody is served while a better order has something left.
            assert all(
                fills[m] == left[m] for m in eligible if fills[n] and sign * orders[m].tick > sign * orders[n].tick
            )
            if orders[n].tick == outcome.tick and outcome.volume:
                assert abs(fills[n] * outcome.marginal - left[n] * outcome.share) < outcome.marginal


@given(books(), offers, st.randoms())
def test_fills_follow_from_the_set_of_orders_alone(orders, offer, random):
    _, fills, _ = residual(orders, offer)
    shuffled = random.sample(orders, len(orders))
    _, again, _ = residual(shuffled, offer)
    assert dict(zip(orders, fills, strict=True)) == dict(zip(shuffled, again, strict=True))


RULES = replace(SMALL, wholesale_margin=1_500)
bounded = st.builds(
    Offer,
    st.integers(-RULES.max_buy, RULES.max_buy),
    st.just(0),
    st.sampled_from((0, 30, 500, 5_000)),
    st.sampled_from((0, 30, 500, 5_000)),
)


@given(books(), bounded)
def test_what_a_report_locks_is_the_most_that_it_costs_the_desk(orders, offer):
    outcome, *_ = residual(orders, offer, RULES.wholesale_margin)
    paid = {Direction.IMPORT: -outcome.price, Direction.EXPORT: outcome.price, Direction.NONE: 0}[outcome.direction]
    assert outcome.volume * (paid + RULES.fees) <= report_collateral([offer], RULES)


def test_a_report_locks_what_the_dearer_direction_costs():
    low, high = -10_000, 20_000
    imported, exported = 100 * (10_000 - 1_500 + RULES.fees), 60 * (20_000 - 1_500 + RULES.fees)
    assert report_collateral([Offer(low, 0, 100, 60)], RULES) == imported
    assert report_collateral([Offer(high, 0, 100, 60)], RULES) == exported
    assert report_collateral([Offer(low, 0, 100, 60), NOTHING, Offer(high, 0, 100, 60)], RULES) == imported + exported
    # Who imports at a price above the fees pays them out of it.
    assert report_collateral([Offer(high, 0, 100, 0)], RULES) == 0
    assert report_collateral([Offer(0, 0, 100, 60)], replace(RULES, wholesale_margin=0)) == 100 * RULES.fees


def test_a_price_beyond_the_dearest_tariff_is_refused():
    report_collateral([Offer(-RULES.max_buy, 0, 1, 1), Offer(RULES.max_buy + 1, 0, 0, 0)], RULES)
    with pytest.raises(InputError, match="wholesale price"):
        report_collateral([Offer(RULES.max_buy + 1, 0, 1, 0)], RULES)


@given(st.lists(offers, min_size=12, max_size=12))
def test_reports_read_back(day):
    assert offers_of(*report_words(7, day)) == day


@pytest.mark.parametrize(
    "values", [(PRICE_BIAS, 0, 0, 0), (0, 2**20, 0, 0), (0, 0, MAX_EXCHANGE + 1, 0), (0, 0, 0, -1)]
)
def test_offers_out_of_range_are_refused(values):
    with pytest.raises(InputError):
        Offer(*values)


def test_no_orders_no_residual():
    outcomes = clear_residual(OrderBook.of([]), np.zeros(0, np.int64), [Offer(1, 0, 5, 5)], 0, FROM_ZERO)
    assert outcomes[0].volume == 0
