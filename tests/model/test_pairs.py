"""Orders that meet two by two: worked examples, and what holds for every book."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model.books import books

from dem.model.markets.auction import OrderBook, clear, fills, welfare
from dem.model.markets.pairs import (
    Limit,
    Pair,
    amount_of,
    by_lot,
    from_the_best,
    lot_of,
    lottery,
    meet,
    pairs_of_day,
    price_time,
    rounds,
)
from dem.model.orders import Order, Side
from dem.model.units import FROM_ZERO, PriceRange
from dem.replay.lots import Lots, pledge_of

BIDS = [Limit(tick, 1, member) for member, tick in enumerate((670, 660, 650, 640, 630, 600))]
OFFERED = ((100, 1), (200, 1), (300, 2), (400, 2), (610, 1))
ASKS = [Limit(tick, energy, member) for member, (tick, energy) in enumerate(OFFERED, 6)]
SEATS = ["0x" + f"{n:040x}" for n in (1, 2, 3)]


def twice_the_prices(pairs):
    limits = {one.place: one.tick for one in (*BIDS, *ASKS)}
    return [limits[pair.bid] + limits[pair.ask] for pair in pairs]


def test_the_best_meet_first():
    """The walk of a discrete book (Ilić et al. 2012), of which the dearest ask gets nothing."""
    pairs = from_the_best(BIDS, ASKS)
    assert pairs == [Pair(0, 6, 1), Pair(1, 7, 1), Pair(2, 8, 1), Pair(3, 8, 1), Pair(4, 9, 1), Pair(5, 9, 1)]
    assert twice_the_prices(pairs) == [2 * price for price in (385, 430, 475, 470, 515, 500)]


def test_meetings_in_a_given_order_trade_as_published():
    """The worked example of pymarket's P2P mechanism; bids and asks by their place."""
    meetings = ((6, 3), (10, 5), (7, 2), (9, 4), (8, 0), (9, 5), (8, 1))
    pairs = meet(BIDS, ASKS, ((bid, ask - 6) for ask, bid in meetings))
    assert twice_the_prices(pairs) == [2 * price for price in (370, 425, 515, 485, 500, 480)]
    limits = {one.place: one.tick for one in (*BIDS, *ASKS)}
    assert sum(pair.energy * (limits[pair.bid] - limits[pair.ask]) for pair in pairs) == 2_150


@pytest.mark.parametrize(("bids", "asks"), [(3, 5), (5, 3), (4, 4), (1, 7), (0, 3), (3, 0), (0, 0)])
def test_every_bid_meets_every_ask_once_and_none_twice_in_a_round(bids, asks):
    met = list(rounds(bids, asks))
    assert sorted(met) == [(bid, ask) for bid in range(bids) for ask in range(asks)]
    size = min(bids, asks)
    if bids == asks:
        for turn in range(bids):
            one_round = met[turn * size : (turn + 1) * size]
            assert len({bid for bid, _ in one_round}) == len({ask for _, ask in one_round}) == size


def test_of_equal_limits_who_came_earlier_trades_first():
    book = OrderBook.of(
        [Order(7, 0, 0, Side.BID, 500, 10), Order(8, 0, 0, Side.BID, 500, 10), Order(9, 0, 0, Side.ASK, 100, 10)]
    )
    [pairs] = pairs_of_day(book, 1, price_time(book, {7: 3, 8: 1, 9: 2}))
    assert pairs == [Pair(1, 2, 10)]


def test_half_a_unit_is_the_buyers():
    one = np.array([1], np.int64)
    assert amount_of(one, one * 3, one * 2, PriceRange(tick=1)).tolist() == [2]
    assert amount_of(one, one * 3, one * 2, PriceRange(lowest=-4, tick=1)).tolist() == [-2]


def orders_of(drawn):
    return OrderBook.of(drawn), list(drawn)


def gains(orders, pairs):
    return sum(pair.energy * (orders[pair.bid].tick - orders[pair.ask].tick) for pair in pairs)


def check_pairs(orders, pairs):
    """Within limits and energies, and no two unfilled orders cross."""
    left = [order.energy for order in orders]
    for pair in pairs:
        bid, ask = orders[pair.bid], orders[pair.ask]
        assert (bid.side, ask.side) == (Side.BID, Side.ASK)
        assert bid.tick >= ask.tick
        assert pair.energy > 0
        left[pair.bid] -= pair.energy
        left[pair.ask] -= pair.energy
    assert min(left, default=0) >= 0
    unmet = [order for order, rest in zip(orders, left, strict=True) if rest]
    assert max((order.tick for order in unmet if order.side == Side.BID), default=-1) < min(
        (order.tick for order in unmet if order.side == Side.ASK), default=1 << 12
    )
    most = Counter((pair.bid, pair.ask) for pair in pairs)
    assert max(most.values(), default=1) == 1


@given(books())
@settings(max_examples=60)
def test_an_order_book_trades_the_auctions_volume_and_gains(drawn):
    book, orders = orders_of(drawn)
    [pairs] = pairs_of_day(book, 1, price_time(book, dict.fromkeys(range(1 << 10), 1)))
    check_pairs(orders, pairs)
    cleared = clear(orders)
    assert sum(pair.energy for pair in pairs) == cleared.volume
    assert gains(orders, pairs) * FROM_ZERO.tick == welfare(orders, fills(orders, cleared), FROM_ZERO)


@given(books(), st.binary(min_size=32, max_size=32))
@settings(max_examples=60)
def test_by_lot_no_less_is_traded_and_no_more_is_gained(drawn, lot):
    book, orders = orders_of(drawn)
    [pairs] = pairs_of_day(book, 1, lottery(lot))
    check_pairs(orders, pairs)
    cleared = clear(orders)
    assert sum(pair.energy for pair in pairs) >= cleared.volume
    assert gains(orders, pairs) * FROM_ZERO.tick <= welfare(orders, fills(orders, cleared), FROM_ZERO)


def test_every_order_of_the_meetings_is_as_likely():
    """Of two bids and one ask, by many seeds: each bid is served in half of them, within four standard deviations."""
    bids, asks = [Limit(500, 1, 0), Limit(500, 1, 1)], [Limit(100, 1, 2)]
    served = Counter(by_lot(bids, asks, n.to_bytes(32))[0].bid for n in range(2_000))
    assert abs(Fraction(served[0], 2_000) - Fraction(1, 2)) < Fraction(4 * 1, 2 * 44)


def test_the_lot_follows_from_the_secrets_in_any_order():
    secrets = [bytes([n]) * 32 for n in range(3)]
    assert lot_of(1, secrets) == lot_of(1, secrets[::-1])
    assert len({lot_of(1, secrets), lot_of(2, secrets), lot_of(1, secrets[:2]), lot_of(1, [])}) == 4


def test_a_secret_that_is_not_what_was_pledged_is_a_difference():
    lots, secret = Lots(), bytes(32)
    lots.pledge({"day": 1, "seat": SEATS[0], "hash": pledge_of(1, SEATS[0], secret)})
    assert lots.open({"day": 1, "seat": SEATS[0], "secret": secret}) == []
    assert lots.open({"day": 1, "seat": SEATS[1], "secret": secret})
