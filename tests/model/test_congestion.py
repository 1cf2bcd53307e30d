"""Trades for the network (rule 21): what orders across a border trade, and what that costs the grid operator."""

from itertools import permutations
from random import Random

import pytest

from dem.model.markets.congestion import Order, Pair, Request, highest_spread, in_order, meet
from dem.model.orders import Side
from dem.model.rules import ImbalancePricing, MarketRules, Tariff
from dem.model.units import Money, PriceRange, Tick, UnitsPerWh, Wh

PRICES = PriceRange(UnitsPerWh(-1_000))
TICK = PRICES.tick
AMPLE = 10**12


def wanted(energy: int = 10**6, spread: int = 4_095, budget: int = AMPLE) -> Request:
    return Request(1, 0, True, frozenset({7}), frozenset({9}), Wh(energy), spread, Money(budget), 0)


def orders_of(*orders: tuple[Side, int, int]) -> list[Order]:
    """Side, tick and Wh of members 1, 2, 3 ..., who come in this order."""
    return [Order(n, side, Tick(tick), Wh(energy), n) for n, (side, tick, energy) in enumerate(orders, 1)]


def drawn(random: Random, ticks: tuple[tuple[int, int], tuple[int, int]]) -> list[Order]:
    """Up to six orders a side. ticks: between which bids and asks lie."""
    return orders_of(
        *(
            (side, random.randint(*ticks[side]), random.randint(1, 9))
            for side in Side
            for _ in range(random.randint(0, 6))
        )
    )


def left_over(orders: list[Order], pairs: list[Pair]) -> tuple[list[Order], list[Order]]:
    """What pairs leave of bids and asks."""
    taken = {order.id: 0 for order in orders}
    for pair in pairs:
        taken[pair.buyer] += pair.energy
        taken[pair.seller] += pair.energy
    assert all(0 <= taken[order.id] <= order.energy for order in orders)
    return in_order(order._replace(energy=Wh(order.energy - taken[order.id])) for order in orders)


def test_the_worked_example() -> None:
    prices = PriceRange()
    pairs, paid = meet(wanted(), orders_of((Side.BID, 60, 2_000), (Side.ASK, 90, 2_000)), prices)
    assert pairs == [Pair(1, 2, 2_000, 60, 90)]
    assert (pairs[0].paid(prices), pairs[0].received(prices), paid) == (12_000_000, 18_000_000, 6_000_000)


def test_a_zone_says_on_which_side_its_members_are() -> None:
    request = wanted()
    assert [request.side_of(zone) for zone in (7, 0, 8, 9)] == [Side.BID, Side.ASK, Side.ASK, None]


@pytest.mark.parametrize("seed", range(200))
def test_money_and_energy_balance_and_nothing_more_is_left_to_trade(seed: int) -> None:
    random = Random(f"meet/{seed}")
    budget = random.choice((1, random.randint(1, 500 * TICK), AMPLE))
    request = wanted(random.randint(1, 40), random.randint(0, 60), budget)
    orders = drawn(random, ((0, 60), (20, 99)))
    pairs, paid = meet(request, orders, PRICES)
    assert paid == sum(pair.received(PRICES) - pair.paid(PRICES) for pair in pairs)
    assert 0 <= paid <= request.budget
    limits = {order.id: order.tick for order in orders}
    assert all((limits[pair.buyer], limits[pair.seller]) == (pair.bid, pair.ask) for pair in pairs)
    bids, asks = left_over(orders, pairs)
    left = request.energy - sum(pair.energy for pair in pairs)
    assert left >= 0
    if left and bids and asks:
        apart = asks[0].tick - bids[0].tick
        assert apart > request.spread or apart * TICK > request.budget - paid


@pytest.mark.parametrize("seed", range(50))
def test_where_no_orders_cross_nobody_could_move_as_much_for_less(seed: int) -> None:
    """Other orders in place of those taken cost the grid operator as much or more."""
    random = Random(f"least/{seed}")
    orders = drawn(random, ((0, 40), (40, 99)))
    request = wanted(random.randint(1, 30))
    pairs, paid = meet(request, orders, PRICES)
    volume = sum(pair.energy for pair in pairs)
    bids, asks = ([own for own in orders if own.side == side] for side in Side)
    costs = {received - spent for spent in sums(bids, volume) for received in sums(asks, volume)}
    assert paid == TICK * min(costs, default=0)


def sums(orders: list[Order], volume: int) -> set[int]:
    """Ticks x Wh that so much costs, if orders are taken one after the other, in any sequence."""
    found = set()
    for sequence in permutations(orders):
        left, cost = volume, 0
        for order in sequence:
            energy = min(left, order.energy)
            left, cost = left - energy, cost + energy * order.tick
        found.add(cost)
    return found


def test_where_orders_cross_other_pairs_would_cost_the_grid_operator_less() -> None:
    """The best meet all the same: the rule does not look for the cheapest pairs."""
    orders = orders_of((Side.BID, 100, 1), (Side.BID, 40, 1), (Side.ASK, 10, 1), (Side.ASK, 90, 1))
    pairs, paid = meet(wanted(), orders, PRICES)
    assert [(pair.bid, pair.ask) for pair in pairs] == [(100, 10), (40, 90)]
    assert paid == 50 * TICK


@pytest.mark.parametrize(
    ("pricing", "most"), [(ImbalancePricing.TARIFF, 250), (ImbalancePricing.SINGLE, 0), (ImbalancePricing.TWO_PRICE, 0)]
)
def test_the_highest_spread_is_what_paper_loses(pricing: ImbalancePricing, most: int) -> None:
    rules = MarketRules(10, 20, 13, 30_000, 5_000, 60_000, 0, 0, 1, 1, pricing)
    assert highest_spread(rules, Tariff(UnitsPerWh(30_000), UnitsPerWh(5_000))) == most
