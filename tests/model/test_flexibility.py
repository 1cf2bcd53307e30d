"""Batteries and loads that can be moved: energy conserved to the Wh, no store and no connection beyond its limits."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dem.community.flexibility import Battery, Day, Household, Prices, Store

SLOTS = 12
SOME = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
"""Households take a while to draw on a busy machine."""


def household(
    expected: list[int],
    actual: list[int] | None = None,
    *,
    battery: Battery | None = None,
    shiftable: int = 0,
    worth: Prices,
    fallback: Prices | None = None,
    import_capacity: int = 10_000,
    export_capacity: int = 10_000,
) -> Household:
    """A home without generation."""
    happens = expected if actual is None else actual
    return Household(
        expected=Day(expected, expected),
        actual=Day(happens, happens),
        import_capacity=import_capacity,
        export_capacity=export_capacity,
        battery=battery,
        shiftable=shiftable,
        worth=worth,
        fallback=fallback or Prices([30_000] * len(expected), [0] * len(expected)),
    )


def flat(*prices: int, spread: int = 0) -> Prices:
    """The same price for buying and selling but for a spread."""
    return Prices(list(prices), [price - spread for price in prices])


energies = st.lists(st.integers(0, 800), min_size=SLOTS, max_size=SLOTS)
nets = st.lists(st.integers(-800, 800), min_size=SLOTS, max_size=SLOTS)
price_lists = st.lists(st.integers(0, 35_000), min_size=SLOTS, max_size=SLOTS)


@st.composite
def prices(draw: st.DrawFn) -> Prices:
    """Selling brings at most what buying costs."""
    buy = draw(price_lists)
    return Prices(buy, [price * draw(st.integers(0, 1000)) // 1000 for price in buy])


@st.composite
def batteries(draw: st.DrawFn) -> Battery:
    capacity = draw(st.integers(1, 5_000))
    return Battery(capacity, draw(st.integers(0, 2_000)), draw(st.integers(1, 1000)), draw(st.integers(0, capacity)))


@st.composite
def households(draw: st.DrawFn) -> Household:
    """Anybody, within the connection before anything moves."""
    expected, actual = (
        Day(load, [a - b for a, b in zip(load, draw(energies), strict=True)])
        for load in (draw(energies), draw(energies))
    )
    nets = [*expected.net, *actual.net]
    return Household(
        expected=expected,
        actual=actual,
        import_capacity=max(0, *nets) + draw(st.integers(0, 500)),
        export_capacity=max(0, *(-net for net in nets)) + draw(st.integers(0, 500)),
        battery=draw(st.none() | batteries()),
        shiftable=draw(st.sampled_from([0, 100, 999, 1000])),
        worth=draw(prices()),
        fallback=draw(prices()),
    )


# what must hold for everybody


@given(households(), nets)
@SOME
def test_delivery_conserves_energy(home: Household, contracted: list[int]) -> None:
    done = home.movements(contracted)
    shown = home.delivered(contracted)
    assert sum(done.shift) == 0
    assert shown == [
        net + shift + charge for net, shift, charge in zip(home.actual.net, done.shift, done.charge, strict=True)
    ]
    gained = done.levels[-1] - done.levels[0]
    assert sum(shown) - sum(home.actual.net) == sum(done.charge) >= gained  # the rest are losses


@given(households(), nets)
@SOME
def test_a_battery_stays_within_what_it_holds_and_can_do(home: Household, contracted: list[int]) -> None:
    done = home.movements(contracted)
    battery = home.battery or Battery(0, 0, 1000, 0)
    assert all(0 <= level <= battery.capacity for level in done.levels)
    assert done.levels[-1] >= done.levels[0]
    for slot, moved in enumerate(done.charge):
        assert abs(moved) <= battery.most
        stored = moved * battery.efficiency // 1000 if moved > 0 else moved
        assert done.levels[slot + 1] - done.levels[slot] == stored


@given(households(), nets)
@SOME
def test_only_the_movable_part_of_a_load_moves(home: Household, contracted: list[int]) -> None:
    done = home.movements(contracted)
    for load, moved in zip(home.actual.load, done.shift, strict=True):
        assert -(load * home.shiftable // 1000) <= moved
        assert load + moved <= max(home.actual.load)


@given(households(), nets)
@SOME
def test_nothing_passes_the_connection(home: Household, contracted: list[int]) -> None:
    planned = [net + moved for net, moved in zip(home.expected.net, home.plan.moves, strict=True)]
    for shown in (home.delivered(contracted), planned):
        assert all(-home.export_capacity <= wh <= home.import_capacity for wh in shown)


@given(households(), nets, nets, st.integers(0, SLOTS))
@SOME
def test_what_was_done_does_not_depend_on_later_contracts(
    home: Household, contracted: list[int], later: list[int], known: int
) -> None:
    other = contracted[:known] + later[known:]
    assert home.delivered(contracted)[:known] == home.delivered(other)[:known]


@given(households(), nets, nets, st.integers(0, SLOTS))
@SOME
def test_what_is_done_does_not_depend_on_what_was_asked_before(
    home: Household, contracted: list[int], later: list[int], known: int
) -> None:
    """A household keeps what it has worked out; asked for the first time it says the same."""
    other = contracted[:known] + later[known:]
    asked = [home.movements(some) for some in (contracted, other[:known], other, contracted)]
    assert asked == [replace(home).movements(some) for some in (contracted, other[:known], other, contracted)]


def test_a_battery_leaves_room_for_a_load_that_later_contracts_move() -> None:
    actual = [0] * 8 + [15, 0, 0, 0]
    fallback = Prices([0, 0, 0, 0, 334, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1] + [0] * 7)
    home = household(
        [0] * SLOTS,
        actual,
        battery=Battery(6, 15, 67, 6),
        shiftable=100,
        worth=flat(*[0] * SLOTS),
        fallback=fallback,
        import_capacity=15,
        export_capacity=6,
    )
    assert home.delivered([0] * SLOTS)[:5] == home.delivered(actual)[:5]


@given(households(), nets, nets, prices(), st.integers(0, SLOTS))
@SOME
def test_a_new_plan_leaves_the_past_alone(
    home: Household, contracted: list[int], revised: list[int], now: Prices, known: int
) -> None:
    plan = home.replan(known, revised, contracted, now)
    assert plan.moves[:known] == [0] * known
    assert len(plan.moves) == len(plan.limits) == SLOTS


@given(energies, nets)
def test_without_a_store_nothing_changes(load: list[int], contracted: list[int]) -> None:
    home = household(load, worth=flat(*[20_000] * SLOTS))
    assert home.delivered(contracted) == load
    assert home.plan.moves == [0] * SLOTS


# what a plan is


def test_a_battery_charges_when_it_is_cheap_and_serves_when_it_is_dear() -> None:
    home = household([100] * 4, battery=Battery(200, 150, 1000, 100), worth=flat(20_000, 10_000, 20_000, 30_000))
    assert sum(home.plan.moves) == 0
    assert home.plan.moves[1] == 150
    assert home.plan.moves[3] < 0


def test_losses_must_be_earned() -> None:
    worth = flat(10_000, 12_000)
    with_losses = household([100] * 2, battery=Battery(200, 100, 800, 0), worth=worth)
    without = household([100] * 2, battery=Battery(200, 100, 1000, 0), worth=worth)
    assert with_losses.plan.moves == [0, 0]
    assert without.plan.moves == [100, -100]


def test_limits_are_where_a_move_is_just_worth_it() -> None:
    home = household([100] * 2, battery=Battery(200, 100, 800, 0), worth=flat(10_000, 20_000))
    # 100 Wh charged give 80 back, worth 20,000 each: 16,000 for each of the 100
    assert home.plan.moves == [100, -80]
    assert home.plan.limits[0] == 16_000
    assert home.plan.limits[1] == 0  # by then it is in the battery, and the day ends


def test_load_moves_from_dear_to_cheap_up_to_the_days_highest() -> None:
    home = household([100, 400, 300, 100], shiftable=500, worth=flat(30_000, 20_000, 10_000, 20_000))
    assert (home.plan.moves[2], sum(home.plan.moves)) == (100, 0)


def test_planning_finds_the_optimum_of_all_possible_moves() -> None:
    """Against every combination of moves, on a store whose step is 1."""
    worth = Prices([9_000, 21_000, 5_000, 30_000], [7_000, 2_000, 4_000, 16_000])
    net, battery = [1, 2, -2, 3], Battery(4, 2, 700, 2)
    home = household(net, battery=battery, worth=worth)

    def cost(moves: tuple[int, ...]) -> int | None:
        level = battery.start
        for moved in moves:
            level += moved * 700 // 1000 if moved > 0 else moved
            if not 0 <= level <= battery.capacity:
                return None
        if level < battery.start:
            return None
        metered = [wh + moved for wh, moved in zip(net, moves, strict=True)]
        return sum(wh * (worth.buy if wh > 0 else worth.sell)[slot] for slot, wh in enumerate(metered))

    best = min(found for moves in product(range(-2, 3), repeat=4) if (found := cost(moves)) is not None)
    assert cost(tuple(home.plan.moves)) == best


# what is done


def test_a_battery_keeps_to_what_was_traded_in_spite_of_the_forecasts_errors() -> None:
    worth = flat(*[10_000] * 6, *[25_000] * 6)
    home = household([100] * 12, [100] * 6 + [70, 130] * 3, battery=Battery(1_000, 300, 1000, 500), worth=worth)
    contracted = [net + moved for net, moved in zip(home.expected.net, home.plan.moves, strict=True)]
    shown = home.delivered(contracted)
    beside = sum(abs(a - b) for a, b in zip(shown, contracted, strict=True))
    assert beside <= 60  # without the battery every one of the last six would miss by 30


def test_what_found_no_buyer_is_kept() -> None:
    """It planned to sell; nobody bought, and the fallback supplier pays nothing."""
    worth = flat(10_000, 30_000)
    home = household([0, 0], battery=Battery(600, 600, 1000, 0), worth=worth, export_capacity=600)
    assert home.plan.moves == [600, -600]
    assert home.delivered([600, 0]) == [600, 0]
    assert home.delivered([600, -600]) == [600, -600]


def test_demand_sold_back_is_consumed_later() -> None:
    """Demand response: what is sold back intraday is not consumed then, but later in the day, to the Wh."""
    load = [300, 300, 300, 300, 300, 600]
    home = household(load, shiftable=400, worth=flat(*[20_000] * 6), fallback=Prices([30_000] * 6, [0] * 6))
    contracted = list(load)
    assert home.delivered(contracted) == load
    short = Prices([29_000, 29_000, 29_000, 10_000, 10_000, 10_000], [28_000, 28_000, 28_000, 9_000, 9_000, 9_000])
    plan = home.replan(1, load, contracted, short)
    assert plan.moves[0] == 0
    assert plan.moves[1:3] == [-120, -120]
    assert sum(plan.moves) == 0
    after = [had + moved for had, moved in zip(contracted, plan.moves, strict=True)]
    assert home.delivered(after) == after


def test_the_worth_of_a_level_is_linear_between_those_planned() -> None:
    store = Store(step=10, low=0, high=20, end=(0, 20), efficiency=1000, most_in=[20], most_out=[20])
    (worth, end) = store.worth([100], flat(1_000))
    assert end.tolist() == [0, 0, 0]
    assert worth.tolist() == [100_000, 90_000, 80_000]
    assert store.gain(0, 5, worth) == 5_000 * 10
    assert store.gain(5, 10, worth) == 10_000 * 10


@pytest.mark.parametrize(("moved", "stored"), [(0, 0), (1, 0), (10, 9), (-10, -10)])
def test_losses_are_rounded_against_the_battery(moved: int, stored: int) -> None:
    store = Store(step=1, low=0, high=20, end=(0, 20), efficiency=900, most_in=[], most_out=[])
    assert store.stored(moved) == stored
