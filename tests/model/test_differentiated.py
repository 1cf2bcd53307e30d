"""Trade with preferences: the worked example, what a solution must be, and the call auction where nobody prefers."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dem.errors import InputError
from dem.lab.differentiated import KWH, Curve, Deal, cost_of, solve, verify
from dem.model.markets.auction import clear
from dem.model.orders import Order, Side
from dem.model.units import FROM_ZERO, MAX_TICK, Tick, Wh

TICK = FROM_ZERO.tick
BUYERS, SELLERS = [Curve(50_000, 1_000, {1: 5_000})], [Curve(10_000, 2_000)] * 2
"""A buyer that counts 5 more for its second seller: units of a thousand, of energy in kWh."""
SOLUTION = [Deal(0, 0, 10_625, 31_250), Deal(0, 1, 8_125, 26_250)]


def sides(extras: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[list[Curve], list[Curve]]]:
    extra = st.dictionaries(st.integers(0, 2), extras)

    def curves(least: int, most: int) -> st.SearchStrategy[list[Curve]]:
        curve = st.builds(Curve, st.integers(least, most), st.integers(500, 5_000), extra)
        return st.lists(curve, min_size=1, max_size=3)

    return st.tuples(curves(15_000, 40_000), curves(5_000, 30_000))


def traded(deals: Sequence[Deal]) -> int:
    return sum(deal.energy for deal in deals)


def test_the_worked_example() -> None:
    """31.25 and 26.25, 10.625 and 8.125, 18.75 in all."""
    verify(BUYERS, SELLERS, SOLUTION, tick=0)
    assert solve(BUYERS, SELLERS) == SOLUTION
    assert traded(SOLUTION) == 18_750


@pytest.mark.parametrize(
    ("deals", "why"),
    [
        (
            [Deal(0, 0, 13_333, 36_667)],
            "buyer 0 and seller 1, without a deal: would gain 21667 units/Wh; must be at most 200",
        ),
        ([*SOLUTION, SOLUTION[0]], "buyer 0 and seller 0: have two deals"),
        (
            [SOLUTION[0], Deal(0, 1, 8_125, 26_351)],
            r"price of buyer 0 and seller 1: is off the buyer's .* 101 units/Wh",
        ),
        (
            [SOLUTION[0], Deal(0, 1, 8_125, 26_149)],
            r"price of buyer 0 and seller 1: is off the buyer's .* 101 units/Wh",
        ),
        ([SOLUTION[0], Deal(0, 1, 8_225, 26_250)], r"is off the seller's last Wh by 200 units/Wh; must be at most 100"),
        ([Deal(1, 0, 1, 1)], r"buyer of a deal: 1 must be 0\.\.0"),
        ([Deal(0, 2, 1, 1)], r"seller of a deal: 2 must be 0\.\.1"),
        ([Deal(0, 0, 0, 1)], "energy of buyer 0 and seller 0 in Wh: 0"),
        ([Deal(0, 0, 1, 1 << 19)], "price of buyer 0 and seller 0 in units/Wh: 524288"),
    ],
)
def test_what_is_no_solution_is_refused_with_the_reason(deals: list[Deal], why: str) -> None:
    with pytest.raises(InputError, match=why):
        verify(BUYERS, SELLERS, deals)


def test_a_price_may_be_off_by_a_tick_and_no_more() -> None:
    verify(BUYERS, SELLERS, [Deal(0, 0, 10_625, 31_350), Deal(0, 1, 8_125, 26_150)])


def test_who_has_no_deal_may_miss_both_ticks_and_no_more() -> None:
    """The buyer would pay seller 1 31,667 for its next Wh."""
    deals = [Deal(0, 0, 13_333, 36_667)]
    verify(BUYERS, [SELLERS[0], Curve(31_467, 2_000)], deals)
    with pytest.raises(InputError, match=r"would gain 201 units/Wh; must be at most 200$"):
        verify(BUYERS, [SELLERS[0], Curve(31_466, 2_000)], deals)


def test_a_flat_curve_is_refused() -> None:
    with pytest.raises(InputError, match="slope of seller 0 in units/Wh per kWh: 0"):
        solve(BUYERS, [Curve(1, 0)])


def test_without_one_of_the_sides_nothing_is_traded() -> None:
    assert solve(BUYERS, []) == solve([], SELLERS) == []


def test_who_prefers_a_neighbour_takes_more_of_it() -> None:
    near, far = solve([Curve(50_000, 1_000, {0: -5_000})], SELLERS)
    assert near.energy > far.energy
    assert near.price > far.price


@given(sides(st.integers(-8_000, 8_000)), st.lists(st.integers(0, 30_000), min_size=9, max_size=9))
@settings(max_examples=40)
def test_a_solver_finds_what_passes_and_nothing_else_is_much_better(both, energies) -> None:
    """Any other deals cost no less, but for two ticks for each Wh of both."""
    deals = solve(*both)
    pairs = [(buyer, seller) for buyer in range(len(both[0])) for seller in range(len(both[1]))]
    others = [Deal(*pair, energy, 0) for pair, energy in zip(pairs, energies, strict=False)]
    slack = 2 * TICK * (traded(deals) + traded(others))
    assert cost_of(*both, others) >= cost_of(*both, deals) - 2 * KWH * slack


@given(sides(st.just(0)))
@settings(max_examples=25)
def test_where_nobody_prefers_it_is_the_call_auctions_price_and_volume(both) -> None:
    """Curves become ladders of orders, a step a tick: the volume within a step of each, prices within two ticks."""
    deals = solve(*both)
    orders = [
        order
        for number, curve in enumerate(both[0] + both[1], 1)
        for order in ladder(number, curve, Side.BID if number <= len(both[0]) else Side.ASK)
    ]
    cleared = clear(orders)
    steps = sum(KWH * TICK // curve.slope + 1 for curve in both[0] + both[1])
    assert abs(cleared.volume - traded(deals)) <= steps
    for deal in deals if cleared.price is not None else []:
        assert abs(FROM_ZERO.price_of(cleared.price) - deal.price) <= 2 * TICK


def ladder(participant: int, curve: Curve, side: Side) -> list[Order]:
    """Orders at every tick at which a curve wants more than at the tick before."""
    sign = 1 if side is Side.ASK else -1
    orders, reached = [], 0
    for tick in range(MAX_TICK + 1)[::sign]:
        upto = max(0, sign * (tick * TICK - curve.price)) * KWH // curve.slope
        if upto > reached:
            orders.append(Order(participant, tick, 0, side, Tick(tick), Wh(upto - reached)))
            reached = upto
    return orders
