"""Several suppliers by the model: the worked example, what sums to what, and a supplier that sets a price."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.errors import InputError
from dem.lab.suppliers import Supply, exchange_price, grid_energies, supplied
from dem.model.rules import ImbalancePricing, Tariff
from dem.model.units import UnitsPerWh

TARIFF = ImbalancePricing.TARIFF


def tariff(buy: int, sell: int) -> Tariff:
    return Tariff(UnitsPerWh(buy), UnitsPerWh(sell))


MARKET = tariff(28_000, 8_000)
"""Of the market's own supplier."""

energies = st.integers(-100_000, 100_000)
tariffs = st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)).map(lambda two: tariff(max(two), min(two)))


@st.composite
def days(draw: st.DrawFn) -> Supply:
    members, suppliers, slots = (draw(st.integers(1, most)) for most in (6, 4, 3))
    imbalance = np.array([[draw(energies) for _ in range(slots)] for _ in range(members)], np.int64)
    choices = [draw(st.integers(0, suppliers - 1)) for _ in range(members)]
    return supplied(TARIFF, imbalance, choices, [[draw(tariffs) for _ in range(slots)] for _ in range(suppliers)])


def test_the_worked_example() -> None:
    """Supplier 1 lacks 6,000 Wh, supplier 2 has 4,000 over: 1 imports 2,000 and takes the rest in the middle."""
    day = supplied(TARIFF, np.array([[6_000], [-4_000]]), [1, 2], [[MARKET]] * 3)
    assert day.from_grid.T.tolist() == [[0, 2_000, 0]]
    assert day.exchanged.T.tolist() == [[0, 4_000, -4_000]]
    assert day.prices.tolist() == [18_000]
    assert day.paid == [0, 72_000_000, -72_000_000]
    assert day.received == [0, 168_000_000 - 72_000_000, 72_000_000 - 32_000_000]


@pytest.mark.parametrize("pricing", [own for own in ImbalancePricing if own is not TARIFF])
def test_it_is_refused_with_any_pricing_but_the_tariff(pricing: ImbalancePricing) -> None:
    with pytest.raises(InputError, match=r"imbalance pricing with a choice of supplier.*must be tariff"):
        supplied(pricing, np.array([[1]]), [0], [[MARKET]])


@pytest.mark.parametrize(
    ("choices", "own", "why"),
    [
        ([0], [[MARKET]], "choices of supplier: 1 must be one for each of 2 members"),
        ([0, 1], [[MARKET]], "supplier of member 1"),
        ([0, -1], [[MARKET]], "supplier of member 1"),
        ([0, 0], [[MARKET, MARKET]], "tariffs of supplier 0: 2 must be one for each of 1 slots"),
    ],
)
def test_a_bad_choice_or_tariff_is_named(choices: list[int], own: list[list[Tariff]], why: str) -> None:
    with pytest.raises(InputError, match=why):
        supplied(TARIFF, np.array([[1], [-1]]), choices, own)


@given(days())
def test_energy_and_money_add_up(day: Supply) -> None:
    assert (day.from_grid + day.exchanged == day.imbalances).all()
    assert not day.exchanged.sum(axis=0).any()
    assert sum(day.paid) == 0
    assert sum(day.received) == sum(day.due)


@given(st.lists(energies, min_size=1, max_size=8))
def test_each_has_its_part_of_the_grid_and_nobody_more_than_it_lacks(imbalances: list[int]) -> None:
    parts, area = grid_energies(imbalances), sum(imbalances)
    assert sum(parts) == area
    for part, own in zip(parts, imbalances, strict=True):
        assert part * area >= 0
        assert abs(part) <= max(0, own if area > 0 else -own)


def test_only_who_chose_another_supplier_pays_another_bill() -> None:
    dear = tariff(30_000, 5_000)
    day = supplied(TARIFF, np.array([[10], [10], [-10]]), [0, 1, 1], [[MARKET], [dear]])
    assert day.moved == [0, 10 * 2_000, 10 * 3_000]


@given(days())
def test_with_one_supplier_nothing_moves_and_nothing_is_exchanged(day: Supply) -> None:
    members, slots = day.imbalances.shape
    alone = supplied(TARIFF, day.imbalances, [0] * members, [[MARKET] * slots])
    assert not any(alone.moved)
    assert not alone.exchanged.any()


def test_an_estimate_is_not_paid_for_below_zero() -> None:
    """Rule 12.3 holds with every supplier."""
    negative = tariff(-5, -10)
    day = supplied(TARIFF, np.array([[10], [10]]), [1, 1], [[MARKET], [negative]], np.array([[True], [False]]))
    assert day.due == [0, -50]


@given(tariffs, tariffs, tariffs)
def test_no_supplier_sets_a_price_beyond_the_tariffs_of_the_market(own: Tariff, one: Tariff, other: Tariff) -> None:
    assert own.sell <= exchange_price([0, 5, -5], [own, one, other]) <= own.buy


def test_who_exchanges_nothing_has_no_say_in_the_price() -> None:
    idle = tariff(60_000, 27_000)
    assert exchange_price([0, 5, -5, 0], [MARKET, MARKET, MARKET, idle]) == 18_000
