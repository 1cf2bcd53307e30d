"""Published results on double auctions in which the truth is best; docs/science.md has a row each.

They are compared with `dem.model.markets.auction`, which the contracts equal.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from dem.lab.truthful import Lot, at_a_given_price, huang, mcafee, muda, trade_reduction
from dem.model.markets.auction import Clearing, OrderBook, clear_day, fills_of_day
from dem.model.orders import Side

BIDS = [Lot(owner, price, 5) for owner, price in enumerate((670, 660, 650, 640, 630, 600))]
ASKS = [
    Lot(owner, price, 5 * units)
    for owner, (price, units) in enumerate(((100, 1), (200, 1), (300, 2), (400, 2), (610, 1)), 6)
]
"""pymarket's example, in ticks of a hundredth and fifths of a unit."""
MOST = 5 * 2_150
"""What its traders can gain, ticks x fifths."""


def cleared(bids: Sequence[Lot], asks: Sequence[Lot]) -> tuple[OrderBook, Clearing]:
    """The same orders in DEM's auction, and what it makes of them."""
    rows = [
        (number, 0, 0, side, lot.price, lot.energy)
        for number, (side, lot) in enumerate([(Side.BID, lot) for lot in bids] + [(Side.ASK, lot) for lot in asks], 1)
    ]
    orders = OrderBook(*np.array(rows, np.int64).T)
    return orders, clear_day(orders, 1)[0]


def test_huangs_auction_gives_traders_two_fifths_as_published() -> None:
    """pymarket's documentation: buyers pay 6, sellers get 4, 41.9 % of the welfare to traders, 8.00 to the market."""
    found = huang(BIDS, ASKS)
    assert (found.buyers_pay, found.sellers_get, sum(found.bought)) == (600, 400, 20)
    assert found.bought == [4, 4, 4, 4, 4, 0]
    assert found.sold == [5, 5, 10, 0, 0]
    assert found.kept() == 5 * 800
    assert (found.gain(BIDS, ASKS) - found.kept()) / MOST == pytest.approx(0.41860, abs=1e-5)


def halves() -> tuple[tuple[list[Lot], list[Lot]], tuple[list[Lot], list[Lot]]]:
    """As the documentation's seed draws them."""
    left = {1, 3, 4, 7, 8, 9}
    return (
        ([lot for lot in BIDS if lot.owner in left], [lot for lot in ASKS if lot.owner in left]),
        ([lot for lot in BIDS if lot.owner not in left], [lot for lot in ASKS if lot.owner not in left]),
    )


def test_muda_gains_what_pymarket_says() -> None:
    """pymarket's documentation: prices 4.65 and 6.30, 79.1 % of the welfare, of it fees of 2.3, 4.6 and 1.85."""
    left, right = halves()
    found = muda(left, right, (465, 630))
    assert sum(one.gain(*half) for one, half in zip(found, (left, right), strict=True)) / MOST == pytest.approx(
        0.79070, abs=1e-5
    )
    fees = {owner: fee for one in found for owner, fee in one.fees.items() if fee}
    assert fees == {7: 5 * 230, 8: 5 * 460, 0: 5 * 185}


def test_pymarkets_price_of_a_half_is_none_at_which_it_clears() -> None:
    """At 4.65 sellers of the left half would sell 5 units, and buyers take 3. Ours is 3.50, with the same gain."""
    left, right = halves()
    assert [cleared(*half)[1].price for half in (left, right)] == [350, 630]
    found = muda(left, right, (350, 630))
    assert sum(one.gain(*half) for one, half in zip(found, (left, right), strict=True)) == 5 * 1_700
    assert found[1].fees[0] == 5 * 300


def test_mudas_first_example() -> None:
    """Segal-Halevi, Hassidim and Aumann 2018, example 1: at 50 from outside 4 units, fees 0, 20 and 10."""
    bids = [Lot(0, price, 1) for price in (100, 90, 80, 60, 40, 20)]
    asks = [Lot(1, price, 1) for price in (10, 20, 40, 60, 70)] + [Lot(2, price, 1) for price in (15, 25, 35, 45, 65)]
    found = at_a_given_price(bids, asks, 50)
    assert sum(found.bought) == sum(found.sold) == 4
    assert found.fees == {0: 0, 1: 20, 2: 10}
    assert (found.gain(bids, asks), found.kept()) == (260, 30)
    orders, auction = cleared(bids, asks)
    assert (auction.volume, auction.price) == (5, 37)
    signs = np.where(orders.side == Side.BID, 1, -1)
    assert int((signs * orders.tick * fills_of_day(orders, [auction])).sum()) == 265


@pytest.mark.parametrize(
    ("traders", "published"), [(5, (0.950, 0.782)), (20, (0.995, 0.985)), (50, (0.999, 0.998))], ids=str
)
def test_what_truth_costs_falls_with_the_square_of_traders(traders: int, published: tuple[float, float]) -> None:
    """McAfee 1992, and the trade reduction: shares of the gain of DEM's auction, values and costs drawn evenly."""
    draws = np.random.default_rng(traders)
    most, gains = 0, [0, 0]
    for _ in range(4_000):
        values = sorted(draws.integers(0, 4_000, traders).tolist(), reverse=True)
        costs = sorted(draws.integers(0, 4_000, traders).tolist())
        most += sum(max(0, value - cost) for value, cost in zip(values, costs, strict=True))
        for place, rule in enumerate((mcafee, trade_reduction)):
            pairs, buyers_pay, sellers_get = rule(values, costs)
            gains[place] += sum(values[:pairs]) - sum(costs[:pairs])
            assert buyers_pay >= sellers_get
    assert [gain / most for gain in gains] == pytest.approx(published, abs=0.01)


def test_nobody_gains_by_a_lie_at_a_given_price() -> None:
    """Whoever says otherwise than it is worth to it never gains more, fees included."""
    draws = np.random.default_rng(1)
    for _ in range(200):
        bids, asks = ([Lot(2 * i + side, int(draws.integers(0, 30)), 2) for i in range(3)] for side in (0, 1))
        honest, lies = bids[0], [Lot(0, price, 2) for price in range(30)]
        gains = []
        for told in (honest, *lies):
            found = at_a_given_price([told, *bids[1:]], asks, 15)
            gains.append((honest.price - 15) * found.bought[0] - found.fees.get(0, 0))
        assert gains[0] == max(gains)


def test_zero_intelligence_needs_rounds_in_a_call_auction() -> None:
    """Gode and Sunder's ZI-C, Smith's values: a third of the gain at once, nearly all of it in 20 auctions."""
    draws, values = np.random.default_rng(1), [325 - 25 * i for i in range(11)]
    most, found = sum(value - cost for value, cost in zip(values, values[::-1], strict=True) if value > cost), []
    for _ in range(200):
        worth, rounds = [list(values), list(values)], []
        for _ in range(20):
            bids = [Lot(0, int(draws.integers(0, value + 1)), 1) for value in worth[0]]
            asks = [Lot(0, int(draws.integers(cost, 401)), 1) for cost in worth[1]]
            pairs = cleared(bids, asks)[1].volume if bids else 0
            sides = zip(worth, (bids, asks), (-1, 1), strict=True)
            in_order = [sorted(zip((sign * lot.price for lot in of), own, strict=True)) for own, of, sign in sides]
            traded, worth = ([[one for _, one in own[part]] for own in in_order] for part in _split(pairs))
            rounds.append(sum(traded[0]) - sum(traded[1]))
        found.append((rounds[0] / most, sum(rounds) / most))
    once, in_all = np.array(found).mean(axis=0)
    assert 0.26 < once < 0.37
    assert 0.93 < in_all < 0.97


def _split(count: int) -> tuple[slice, slice]:
    """The first so many, and the rest."""
    return slice(count), slice(count, None)
