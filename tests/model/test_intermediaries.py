"""Mandates, commissions and pools, and the followers of their events."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rules import SMALL

from dem.errors import InputError
from dem.model.collateral import order_collateral
from dem.model.ledger import Posting
from dem.model.markets.auction import OrderBook, clear_day, fills_of_day
from dem.model.markets.intermediaries import (
    NO_MANDATE,
    Intermediaries,
    Mandated,
    Payment,
    Versions,
    brokered_energy,
    own_part,
    part_down,
)
from dem.model.orders import BROKERED_LAYER, Order, Side, lines_of
from dem.model.positions import auction_trades
from dem.replay.book import Book
from dem.replay.intermediaries import IntermediariesReplay
from dem.replay.pools import PoolReplay

PERIODS = 6
RULES = replace(SMALL, commission_cap=300)
ORDERS = [
    Order(6, BROKERED_LAYER, 0, Side.BID, 150, 400),
    Order(6, 0, 0, Side.BID, 150, 100),
    Order(7, BROKERED_LAYER, 0, Side.ASK, 100, 300),
    Order(8, 0, 0, Side.ASK, 100, 100),
]


@given(st.integers(0, 2**40 - 1), st.integers(0, 10_000))
def test_the_two_parts_of_a_connection_are_the_whole(capacity, share):
    assert part_down(capacity, share) + own_part(capacity, share) == capacity
    assert 0 <= capacity * share - part_down(capacity, share) * 10_000 < 10_000


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=12))
def test_a_version_applies_until_the_next_and_what_has_begun_stays(steps):
    versions, opened, chosen = Versions(), 0, {}
    for value, (waits, ahead) in enumerate(steps):
        opened += waits
        first = opened + 1 + ahead
        versions.add(value, first, opened + 1)
        chosen = {day: v for day, v in chosen.items() if day <= opened} | {first: value}
    for day in range(opened + 8):
        begun = [first for first in chosen if first <= day]
        assert versions.on(day, -1) == (chosen[max(begun)] if begun else -1)


def test_a_version_cannot_begin_before_what_it_replaces():
    with pytest.raises(InputError, match="first day"):
        Versions().add(1, 4, 5)


@pytest.mark.parametrize("mandated", [Mandated(9, 0), Mandated(9, 10_001), Mandated(0, 1)])
def test_the_share_goes_with_the_choice(mandated):
    with pytest.raises(InputError, match="share"):
        Intermediaries().choose(6, mandated, 2, 2)


def test_payments_follow_the_mandate_and_the_commission_of_the_day():
    model = Intermediaries()
    model.choose(6, Mandated(9, 5_000), 2, 2)
    model.choose(6, NO_MANDATE, 4, 4)
    model.publish(9, 200, 3, 3)
    model.publish(9, 900, 5, 5)
    assert model.payments(1, RULES, {6: 10}) == []
    # Nothing is asked for yet, and what is locked is released.
    assert model.payments(2, RULES, {6: 10}) == [Payment(6, 9, 10, 0, 3_000)]
    assert model.payments(3, RULES, {6: 10, 7: 5}) == [Payment(6, 9, 10, 2_000, 3_000)]
    assert model.payments(4, RULES, {6: 10}) == []
    assert model.commission_of(9, 5, RULES) == 300, "the cap of the day"


def test_only_brokered_orders_count():
    book = OrderBook.of(ORDERS)
    clearings = clear_day(book, PERIODS)
    fills = fills_of_day(book, clearings)
    # 500 Wh wanted, 400 Wh offered: the marginal bids share, layer 0 first.
    assert fills.tolist() == [320, 80, 300, 100]
    assert brokered_energy(book, fills) == {6: 320, 7: 300}
    trades = auction_trades(book, fills, clearings, RULES.prices)
    assert trades.payment.tolist() == [320 * 15_000, 80 * 15_000, -300 * 15_000, -100 * 15_000]
    assert trades.bought.sum() == trades.sold.sum() == 400


def test_collateral_covers_the_commission():
    bid, ask = ORDERS[0], ORDERS[2]
    assert order_collateral(bid, RULES, True) - order_collateral(bid, RULES) == 400 * 300
    assert order_collateral(ask, RULES, True) - order_collateral(ask, RULES) == 300 * 300


def sheet(id_, orders, sequence=1):
    words = lines_of(orders, 3, PERIODS)
    return {
        "id": id_,
        "day": 3,
        "sequence": sequence,
        "firstLine": min(words),
        "lines": [word.to_bytes(32, "big") for word in words.values()],
    }


@pytest.fixture
def pool():
    followed = PoolReplay(PERIODS, lambda day: RULES)
    for order in ORDERS:
        followed.apply("SheetAccepted", sheet(order.participant, [order]))
    return followed


CLEARED = {"day": 3, "slot": 0, "price": 150, "volume": 400, "rationed": 1, "share": 400, "marginal": 500}


def test_a_pool_is_followed(pool):
    assert not pool.apply("Cleared", CLEARED).differences
    [difference] = pool.apply("Cleared", CLEARED | {"volume": 399}).differences
    assert "chain (150, 399, 1, 400, 500), model (150, 400, 1, 400, 500)" in difference
    assert pool.brokered(3) == {6: 320, 7: 300}
    assert pool.trades(3).payment.sum() == 0
    locked = dict.fromkeys((6, 7, 8), 0)
    for order in ORDERS:
        locked[order.participant] += order_collateral(order, RULES, order.layer >= BROKERED_LAYER)
    assert pool.release(3) == locked
    pool.forget(3)
    assert pool.release(3) == {}
    assert pool.trades(3).payment.size == 0


def test_a_sheet_that_cancels_releases(pool):
    order = ORDERS[0]
    empty = sheet(6, [order], 2) | {"lines": [(3 << 240).to_bytes(32, "big")]}
    moved = pool.apply("SheetAccepted", empty)
    assert moved.locks == [(6, -order_collateral(order, RULES, True))]


@pytest.fixture
def commissions(pool):
    """Member 6 owes member 9 a commission on what it has brokered in the pool."""
    replay = IntermediariesReplay(
        PERIODS, lambda market, day: pool.owed(day) if market == "pool" else {}, lambda d: RULES
    )
    replay.apply("MandateGiven", {"client": 6, "intermediary": 9, "share": 10_000, "firstDay": 3, "replacedFrom": 2})
    replay.apply("CommissionPublished", {"intermediary": 9, "perWh": 100, "firstDay": 3, "replacedFrom": 3})
    return replay


PAID = {"client": 6, "intermediary": 9, "day": 3, "market": "pool", "energy": 320, "amount": 32_000}
SECURED = 320 * RULES.commission_cap


def test_commissions_are_followed(pool, commissions):
    assert commissions.due("pool", 3) == [], "the day is not booked"
    assert pool.keep(3, 6) == SECURED
    assert commissions.due("pool", 3) == [Payment(6, 9, 320, 32_000, SECURED)]
    assert commissions.due("market", 3) == []
    assert commissions.postings(PAID) == [Posting(6, -32_000, SECURED), Posting(9, 32_000)]
    assert commissions.apply("CommissionPaid", PAID) == []
    [difference] = commissions.apply("CommissionPaid", PAID | {"amount": 1})
    assert "chain (9, 320, 1), model (9, 320, 32000)" in difference
    pool.collect(3, 6)
    assert commissions.due("pool", 3) == []
    [difference] = commissions.apply("CommissionPaid", PAID)
    assert "model None" in difference


def test_what_secures_a_commission_outlives_its_day(pool, commissions):
    pool.keep(3, 6)
    assert pool.keep(3, 8) == 0, "it has traded itself"
    pool.forget(3)
    assert pool.kept() == {(6, 3): SECURED}
    assert commissions.due("pool", 3)
    pool.collect(11, 6)  # another day than the one in this place
    assert pool.kept() == {(6, 3): SECURED}


def test_the_day_a_ring_later_releases_what_nobody_collected(pool, commissions):
    pool.keep(3, 6)
    for order in ORDERS:
        own = sheet(order.participant, [order])
        words = [
            (int.from_bytes(word, "big") & (1 << 240) - 1 | 11 << 240).to_bytes(32, "big") for word in own["lines"]
        ]
        pool.apply("SheetAccepted", own | {"day": 11, "lines": words})
    assert pool.keep(11, 6) == 0, "as much is kept as is released"
    assert pool.kept() == {(6, 11): SECURED}
    assert commissions.due("pool", 3) == []


def test_books_of_both_hands_do_not_mix():
    book = Book(3, PERIODS)
    for order in ORDERS:
        book.accept(sheet(order.participant, [order]))
    assert book.layers == {6: 1, 8: 1}
    assert book.brokered_layers == {6: 1, 7: 1}
    assert sorted(zip(book.standing.participant.tolist(), book.standing.layer.tolist(), strict=True)) == [
        (6, 0),
        (6, BROKERED_LAYER),
        (7, BROKERED_LAYER),
        (8, 0),
    ]
    assert np.array_equal(np.sort(book.fills), [80, 100, 300, 320])
