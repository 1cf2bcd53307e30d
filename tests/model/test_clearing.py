"""The auction against its definitions, against brute force and against published examples."""

from dataclasses import astuple, replace
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model.books import ask, bid, books

from dem.errors import InputError
from dem.model.markets.auction import Clearing, OrderBook, clear, clear_day, fills, fills_of_day, pro_rata, welfare
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.units import FROM_ZERO, MAX_TICK


def demand(orders, t):
    """D(>=t), Wh."""
    return sum(o.energy for o in orders if o.side == Side.BID and o.tick >= t)


def supply(orders, t):
    """A(<=t), Wh."""
    return sum(o.energy for o in orders if o.side == Side.ASK and o.tick <= t)


def traded(orders, filled, side):
    return sum(f for o, f in zip(orders, filled, strict=True) if o.side == side)


# The rules word for word, an order and a tick at a time


def plain_clearing(orders):
    ticks = range(MAX_TICK + 1)
    lo = next(t for t in ticks if supply(orders, t) >= demand(orders, t + 1))
    hi = next(t for t in reversed(ticks) if demand(orders, t) >= supply(orders, t - 1))
    price = (lo + hi) // 2
    volume = min(demand(orders, price), supply(orders, price))
    if volume == 0:
        return Clearing(lo, None, 0, None, 0, 0)
    for side, better, all_ in (
        (Side.BID, demand(orders, price + 1), demand(orders, price)),
        (Side.ASK, supply(orders, price - 1), supply(orders, price)),
    ):
        if all_ > volume:
            return Clearing(lo, price, volume, side, volume - better, all_ - better)
    return Clearing(lo, price, volume, None, 0, 0)


def plain_fills(orders, clearing):
    filled, walked = {}, 0
    for order in sorted(orders, key=lambda o: (o.participant, o.layer)):
        if clearing.price is None or (order.tick - clearing.price) * (1 if order.side == Side.BID else -1) < 0:
            filled[order] = 0
        elif (order.side, order.tick) == (clearing.rationed, clearing.price):
            filled[order] = pro_rata(walked, order.energy, clearing.share, clearing.marginal)
            walked += order.energy
        else:
            filled[order] = order.energy
    return [filled[order] for order in orders]


def assert_day_follows_the_rules(orders, periods):
    book = OrderBook.of(orders)
    clearings = clear_day(book, periods)
    filled = dict(zip(orders, fills_of_day(book, clearings).tolist(), strict=True))
    for slot, clearing in enumerate(clearings):
        own = [o for o in orders if o.slot == slot]
        assert clearing == plain_clearing(own)
        assert [filled[o] for o in own] == plain_fills(own, clearing)


@settings(max_examples=60)
@given(books(max_size=40, max_energy=MAX_ENERGY, slots=3))
def test_a_day_follows_the_rules(orders):
    assert_day_follows_the_rules(orders, periods=4)


@pytest.mark.parametrize("max_energy", [4_000, MAX_ENERGY])
def test_a_crowded_day_follows_the_rules(max_energy):
    """With the largest energies, share times marginal energy does not fit an int64."""
    random = Random(max_energy)
    orders = [
        Order(n // 6, n % 2, n % 3, random.choice(list(Side)), random.randrange(7, 10), random.randint(1, max_energy))
        for n in random.sample(range(6, 1_200), 1_100)
    ]
    assert_day_follows_the_rules(orders, periods=3)
    products = [clearing.share * clearing.marginal for clearing in clear_day(OrderBook.of(orders), 3)]
    assert (max(products) >= 1 << 63) == (max_energy == MAX_ENERGY)


@given(books(), st.integers(1, 95))
def test_one_period_is_cleared_alike_in_any_slot(orders, slot):
    moved = [replace(o, slot=slot) for o in orders]
    clearing = clear(moved)
    assert clearing == clear(orders)
    assert fills(moved, clearing) == fills(orders, clearing)


def test_results_are_plain_integers():
    """They are multiplied by prices and written as JSON; numpy's would overflow or be refused."""
    orders = [bid(1, 9, 5), bid(2, 7, 10), ask(3, 2, 12)]
    clearing = clear(orders)
    assert {type(value) for value in (*astuple(clearing), *fills(orders, clearing))} == {int, Side}


# Invariants


@given(books())
def test_volume_is_the_largest_that_any_price_reaches(orders):
    steps = {0, MAX_TICK} | {min(o.tick + 1, MAX_TICK) for o in orders} | {o.tick for o in orders}
    assert clear(orders).volume == max(min(demand(orders, t), supply(orders, t)) for t in steps)


@given(books())
def test_fills_of_each_side_sum_to_the_volume(orders):
    clearing = clear(orders)
    filled = fills(orders, clearing)
    assert traded(orders, filled, Side.BID) == clearing.volume
    assert traded(orders, filled, Side.ASK) == clearing.volume
    assert (clearing.price is None) == (clearing.volume == 0)


@given(books())
def test_better_than_the_price_is_filled_in_full_and_worse_not_at_all(orders):
    clearing = clear(orders)
    if clearing.price is None:
        return
    for order, fill in zip(orders, fills(orders, clearing), strict=True):
        sign = 1 if order.side == Side.BID else -1
        gain = sign * (order.tick - clearing.price)
        assert 0 <= fill <= order.energy
        if gain > 0 or (gain == 0 and order.side != clearing.rationed):
            assert fill == order.energy
        if gain < 0:
            assert fill == 0


@given(books())
def test_a_rationed_order_is_within_one_wh_of_its_exact_share(orders):
    clearing = clear(orders)
    share, marginal = clearing.share, clearing.marginal
    at_price = [
        (o.energy, fill)
        for o, fill in zip(orders, fills(orders, clearing), strict=True)
        if clearing.rationed is not None and o.side == clearing.rationed and o.tick == clearing.price
    ]
    assert sum(energy for energy, _ in at_price) == marginal
    assert sum(fill for _, fill in at_price) == share
    assert (share < marginal) == (clearing.rationed is not None)
    for energy, fill in at_price:
        assert abs(fill * marginal - energy * share) < marginal


@given(books(), st.randoms(use_true_random=False))
def test_the_outcome_follows_from_the_set_of_orders_alone(orders, random):
    shuffled = random.sample(orders, len(orders))
    clearing = clear(orders)
    assert clear(shuffled) == clearing
    by_order = dict(zip(orders, fills(orders, clearing), strict=True))
    assert by_order == dict(zip(shuffled, fills(shuffled, clearing), strict=True))


@given(books())
def test_welfare_is_optimal_by_duality(orders):
    """The linear programme max sum(limit * fill) with bids = asks and 0 <= fill <= energy has the
    dual min over p of what all orders would gain at p; equal values prove both optimal.
    """
    clearing = clear(orders)
    price = clearing.pivot if clearing.price is None else clearing.price
    dual = sum(o.energy * max(0, o.tick - price if o.side == Side.BID else price - o.tick) for o in orders)
    assert welfare(orders, fills(orders, clearing), FROM_ZERO) == dual * FROM_ZERO.tick


@settings(max_examples=60)
@given(books(max_size=5, max_energy=4).filter(lambda b: all(o.energy <= 4 for o in b)))
def test_welfare_is_optimal_among_all_fills(orders):
    feasible = (
        filled
        for filled in product(*(range(o.energy + 1) for o in orders))
        if traded(orders, filled, Side.BID) == traded(orders, filled, Side.ASK)
    )
    best = max(welfare(orders, filled, FROM_ZERO) for filled in feasible)
    assert welfare(orders, fills(orders, clear(orders)), FROM_ZERO) == best


@given(books())
def test_a_pivot_passes_the_check_of_the_chain_and_gives_the_price_in_one_pass(orders):
    """lo is verified by two comparisons; hi is lo, or the next occupied tick if lo balances."""
    clearing = clear(orders)
    lo = clearing.pivot
    assert lo == 0 or supply(orders, lo - 1) < demand(orders, lo)
    assert supply(orders, lo) >= demand(orders, lo + 1)
    hi = lo
    if supply(orders, lo) == demand(orders, lo + 1):
        hi = min((o.tick for o in orders if o.tick > lo), default=MAX_TICK)
    assert clearing.price in (None, (lo + hi) // 2)


@given(books(), st.integers(0, MAX_TICK))
def test_only_the_smallest_equilibrium_tick_passes_the_check_of_the_chain(orders, tick):
    passes = (tick == 0 or supply(orders, tick - 1) < demand(orders, tick)) and (
        supply(orders, tick) >= demand(orders, tick + 1)
    )
    assert passes == (tick == clear(orders).pivot)


@given(books())
def test_trading_with_oneself_gains_nothing(orders):
    """What a participant sells to itself it pays itself: adding it moves no money of its own."""
    mine = [replace(o, participant=1, layer=n) for n, o in enumerate(orders)]
    clearing = clear(mine)
    filled = fills(mine, clearing)
    assert traded(mine, filled, Side.BID) == traded(mine, filled, Side.ASK)


# Published examples


@given(books(max_energy=20))
def test_price_lies_midway_between_two_order_statistics(orders):
    """Rustichini, Satterthwaite, Williams, "Convergence to efficiency in a simple market with
    incomplete information", Econometrica 62 (1994), section 2: with m unit bids, every price
    between the m-th and the (m+1)-th lowest of all offers clears, and the k-double auction takes
    (1-k) s_(m) + k s_(m+1). Here each Wh is a unit order, and the tick range bounds the offers.
    """
    offers = sorted(o.tick for o in orders for _ in range(o.energy))
    bids = sum(o.energy for o in orders if o.side == Side.BID)
    s = [0, *offers, MAX_TICK]
    clearing = clear(orders)
    assert clearing.pivot == s[bids]
    if clearing.price is not None:
        assert clearing.price == (s[bids] + s[bids + 1]) // 2


@pytest.mark.parametrize(
    ("value", "cost", "price"),
    [(1_080, 360, 680), (900, 600, 700), (1_200, 0, 600), (900, 603, None), (720, 480, None)],
)
def test_bilateral_equilibrium_of_chatterjee_and_samuelson(value, cost, price):
    """Chatterjee, Samuelson, "Bargaining under incomplete information", Operations Research 31
    (1983): for values uniform on [0, 1] and k = 1/2 the linear equilibrium is to bid 2/3 v + 1/12
    and ask 2/3 c + 1/4, so they trade if and only if v >= c + 1/4, at the middle. One is
    1,200 ticks.
    """
    orders = [bid(1, 2 * value // 3 + 100, 1), ask(2, 2 * cost // 3 + 300, 1)]
    clearing = clear(orders)
    assert clearing.price == price
    assert (clearing.volume == 1) == (value >= cost + 300)


def test_induced_values_of_smith():
    """Smith, "An experimental study of competitive market behavior", Journal of Political Economy
    70 (1962), test 1: eleven buyers and eleven sellers with limits 0.75, 1.00, ... 3.25 have
    their equilibrium at 2.00 with six units. One unit is 1 Wh, one cent a tick.
    """
    limits = range(75, 326, 25)
    orders = [bid(n, limit, 1) for n, limit in enumerate(limits, start=1)]
    orders += [ask(n, limit, 1) for n, limit in enumerate(limits, start=12)]
    clearing = clear(orders)
    assert (clearing.price, clearing.volume) == (200, 6)
    assert clearing.rationed is None
    assert welfare(orders, fills(orders, clearing), FROM_ZERO) == 2 * (25 + 50 + 75 + 100 + 125) * FROM_ZERO.tick


def test_example_of_the_dauction_package():
    """README of github.com/kchristidis/dauction: bids 2 at 6.5 and 2 at 10, asks 2 at 6.5 and 2 at
    11 settle 2 units at 8.25, the average of the candidate prices. A tick is 0.01.
    """
    orders = [bid(1, 650, 2), bid(2, 1_000, 2), ask(3, 650, 2), ask(4, 1_100, 2)]
    clearing = clear(orders)
    assert (clearing.price, clearing.volume) == (825, 2)
    assert fills(orders, clearing) == [0, 2, 2, 0]


# Edges


@pytest.mark.parametrize(
    ("orders", "pivot"),
    [
        ([], 0),
        ([bid(1, 50, 10)], 50),
        ([ask(1, 50, 10)], 0),
        ([bid(1, 0, 10)], 0),
        ([bid(1, MAX_TICK, 10)], MAX_TICK),
        ([bid(1, 49, 10), ask(2, 50, 10)], 49),
        ([bid(1, 10, 10), bid(2, 20, 10), ask(3, 50, 10)], 20),
        ([bid(1, 0, 10), ask(2, MAX_TICK, 10)], 0),
    ],
)
def test_no_price_when_nothing_trades(orders, pivot):
    clearing = clear(orders)
    assert clearing == Clearing(pivot, None, 0, None, 0, 0)
    assert fills(orders, clearing) == [0] * len(orders)


@pytest.mark.parametrize(
    ("low", "high", "price"),
    [
        (50, 50, 50),
        (50, 51, 50),
        (50, 53, 51),
        (0, MAX_TICK, 2047),
        (0, 0, 0),
        (MAX_TICK, MAX_TICK, MAX_TICK),
    ],
)
def test_two_equal_orders_share_the_surplus(low, high, price):
    orders = [bid(1, high, 10), ask(2, low, 10)]
    clearing = clear(orders)
    assert clearing == Clearing(low, price, 10, None, 0, 0)
    assert fills(orders, clearing) == [10, 10]


def test_bids_at_the_lower_of_two_adjacent_ticks_get_nothing():
    """lo = 5 and hi = 6 balance without the bid at 5, which is rationed to a share of zero."""
    orders = [bid(1, 6, 10), bid(2, 5, 7), ask(3, 5, 10)]
    clearing = clear(orders)
    assert clearing == Clearing(5, 5, 10, Side.BID, 0, 7)
    assert fills(orders, clearing) == [10, 0, 10]


def test_bids_at_the_price_are_rationed():
    orders = [bid(1, 9, 5), bid(2, 7, 10), bid(3, 7, 10), ask(4, 2, 12)]
    clearing = clear(orders)
    assert clearing == Clearing(7, 7, 12, Side.BID, 7, 20)
    assert fills(orders, clearing) == [5, 3, 4, 12]


def test_asks_at_the_price_are_rationed_by_participant_then_layer():
    orders = [ask(9, 7, 1, layer=0), ask(3, 7, 1, layer=2), ask(3, 7, 1, layer=1), bid(4, 8, 2)]
    clearing = clear(orders)
    assert clearing == Clearing(7, 7, 2, Side.ASK, 2, 3)
    # The walk is (3, 1), (3, 2), (9, 0) with fills floor(2/3), floor(4/3) - 0, 2 - 1.
    assert fills(orders, clearing) == [1, 1, 0, 2]


def test_price_independent_demand_takes_the_cheapest_supply():
    """Least operating cost: bids at the top tick."""
    orders = [bid(1, MAX_TICK, 15), ask(2, 10, 10), ask(3, 30, 10), ask(4, 90, 10)]
    clearing = clear(orders)
    assert clearing.price == 30
    assert fills(orders, clearing) == [15, 10, 5, 0]


def test_pro_rata_of_equal_orders_telescopes():
    assert [pro_rata(10 * n, 10, 10, 30) for n in range(3)] == [3, 3, 4]


def test_orders_of_two_slots_are_refused():
    with pytest.raises(InputError, match="one slot"):
        clear([bid(1, 5, 5), replace(bid(2, 5, 5), slot=1)])


def test_two_orders_of_one_participant_and_layer_are_refused():
    with pytest.raises(InputError, match="two orders"):
        clear([bid(1, 5, 5), ask(1, 6, 5)])


def test_orders_beyond_the_day_are_refused():
    book = OrderBook.of([replace(bid(1, 5, 5), slot=96)])
    with pytest.raises(InputError, match=r"slot: 96 must be 0\.\.95"):
        clear_day(book, 96)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("participant", 0),
        ("layer", -1),
        ("slot", -1),
        ("side", 2),
        ("side", -1),
        ("tick", -1),
        ("tick", MAX_TICK + 1),
        ("energy", 0),
        ("energy", MAX_ENERGY + 1),
    ],
)
def test_columns_out_of_range_are_refused(column, value):
    book = OrderBook.of([bid(1, 5, 5), ask(2, 5, 5)])
    with pytest.raises(InputError, match=f"{column}: {value} must be"):
        replace(book, **{column: np.array([1, value])})


def test_a_large_book_keeps_every_wh():
    random = Random(2016)
    orders = [
        random.choice((bid, ask))(1 + n // 4, random.randrange(60, 90), random.randrange(1, 2**27), n % 4)
        for n in range(5_000)
    ]
    clearing = clear(orders)
    filled = fills(orders, clearing)
    assert clearing.rationed is not None
    assert traded(orders, filled, Side.BID) == traded(orders, filled, Side.ASK) == clearing.volume
