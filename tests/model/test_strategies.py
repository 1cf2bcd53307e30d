"""Strategies: limits within the band, energies within forecast and capacity, private randomness."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.rules import SMALL

from dem.community.catalogue import STRATEGIES, strategy_named
from dem.community.strategies import (
    NoOrders,
    Quantile,
    Situation,
    Strategy,
    Truthful,
    ZeroIntelligence,
)
from dem.errors import InputError
from dem.model.markets.dealing import Band
from dem.model.orders import Order, Side
from dem.model.rules import Tariff
from dem.model.units import UnitsPerWh

RULES = replace(
    SMALL, platform_fee=200, network_fee=1_000, deviation_rate=200, standing_buy=28_000, standing_sell=0, max_buy=35_000
)
TARIFF = Tariff(UnitsPerWh(25_050), UnitsPerWh(1_010))
TRADERS: list[Strategy] = [Truthful(), Quantile(), ZeroIntelligence()]


def situation(*forecast: int, name: str = "home", day: int = 1, tariff: Tariff = TARIFF) -> Situation:
    """Somebody with this forecast."""
    return Situation(
        participant=6,
        name=name,
        day=day,
        seed=1,
        forecast=forecast,
        tariffs=[tariff] * len(forecast),
        rules=RULES,
        import_capacity=1_000,
        export_capacity=2_000,
    )


def test_band_leaves_the_fees_to_both_sides() -> None:
    # asks: 1,010 + 1,200 units/Wh, rounded up; bids: 25,050 - 1,200, rounded down
    assert Band.of(TARIFF, RULES) == Band(floor=23, ceiling=238)


@given(
    st.sampled_from(TRADERS),
    st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=12),
    st.tuples(st.integers(0, 600_000), st.integers(0, 600_000)).map(sorted),
)
def test_no_order_can_lose_against_the_tariff(strategy: Strategy, forecast: list[int], prices: list[int]) -> None:
    tariff = Tariff(UnitsPerWh(prices[1]), UnitsPerWh(prices[0]))
    for order in strategy.orders(situation(*forecast, tariff=tariff)):
        price = order.tick * 100
        if order.side is Side.BID:
            assert price + RULES.fees <= tariff.buy
        else:
            assert price - RULES.fees >= tariff.sell


@given(st.sampled_from(TRADERS), st.lists(st.integers(-5_000, 5_000), max_size=12))
def test_offers_the_forecast_within_capacity(strategy: Strategy, forecast: list[int]) -> None:
    orders = {order.slot: order for order in strategy.orders(situation(*forecast))}
    for slot, net in enumerate(forecast):
        if abs(net) < RULES.min_order_energy:
            assert slot not in orders
        else:
            order = orders[slot]
            assert order.side is (Side.BID if net > 0 else Side.ASK)
            assert order.energy == min(abs(net), 1_000 if net > 0 else 2_000)
            assert (order.participant, order.layer) == (6, 0)


@pytest.mark.parametrize("strategy", TRADERS)
def test_asks_nothing_that_no_tick_can_say(strategy: Strategy) -> None:
    dear = Tariff(UnitsPerWh(500_000), UnitsPerWh(409_500))
    assert strategy.orders(situation(-100, tariff=dear)) == []
    assert [order.tick for order in strategy.orders(situation(100, tariff=dear))] == [4095]


@pytest.mark.parametrize("strategy", TRADERS)
def test_bids_nothing_where_fees_exceed_the_tariff(strategy: Strategy) -> None:
    cheap = Tariff(UnitsPerWh(1_100), UnitsPerWh(0))
    assert strategy.orders(situation(100, tariff=cheap)) == []


def test_none_stays_out() -> None:
    assert NoOrders().orders(situation(100, -100)) == []


def test_truthful_keeps_one_wish_for_all_slots_and_days() -> None:
    today = Truthful().orders(situation(100, 200))
    tomorrow = Truthful().orders(situation(100, 200, day=2))
    assert len({order.tick for order in today + tomorrow}) == 1


@given(st.text(st.characters(codec="ascii"), min_size=1), st.text(min_size=1))
def test_truthful_up_to_half_the_band_never_blocks_a_trade(buyer: str, seller: str) -> None:
    (bid,) = Truthful().orders(situation(100, name=buyer))
    (ask,) = Truthful().orders(situation(-100, name=seller))
    assert bid.tick >= ask.tick


def test_truthful_without_a_wish_says_the_band() -> None:
    strategy = Truthful(max_gain_permille=0)
    assert [order.tick for order in strategy.orders(situation(100, -100))] == [238, 23]


def uncertain(*past: int, tariff: Tariff = TARIFF, steps: int = 4, capacity: int = 1_000) -> list[Order]:
    """Orders of one slot of somebody whose coming day may be like any of these."""
    situated = replace(situation(0, tariff=tariff), past=np.array(past, np.int64)[:, np.newaxis])
    many = replace(situated, rules=replace(RULES, max_layers=16), import_capacity=capacity)
    return Quantile(steps=steps).orders(many)


def test_a_buyer_wants_the_quantile_that_a_price_is_worth() -> None:
    """At 6,000 units/Wh and fees of 1,200 that of .733: of errors from -500 to 500 Wh around 1,000, 1,233 Wh."""
    tariff, step = Tariff(UnitsPerWh(27_000), UnitsPerWh(0)), 1_000 / 17
    orders = uncertain(*range(500, 1_500), tariff=tariff, steps=16, capacity=5_000)
    wanted = sum(order.energy for order in orders if order.tick * 100 >= 6_000)
    assert 1_233 - step - 2 <= wanted <= 1_233


@given(st.lists(st.integers(-900, 900), min_size=1, max_size=12), st.integers(1, 8))
def test_no_wh_is_ordered_worse_than_what_it_is_worth(past: list[int], steps: int) -> None:
    """Each of them is worth the tariffs, weighed by how often of n + 1 times it would be needed."""
    for order in uncertain(*past, steps=steps):
        sign = 1 if order.side is Side.BID else -1
        reached = sum(sign * net >= sign * order_end(past, order, steps) for net in past)
        chance = reached / (len(past) + 1)
        spread = TARIFF.buy - TARIFF.sell
        if order.side is Side.BID:
            assert order.tick * 100 + RULES.fees <= TARIFF.sell + spread * chance + 1e-6
        else:
            assert order.tick * 100 - RULES.fees >= TARIFF.buy - spread * chance - 1e-6


def order_end(past: list[int], order: Order, steps: int) -> int:
    """Where an order ends: net consumption with it and all of its side that are nearer to nothing."""
    nearer = [
        other.energy
        for other in uncertain(*past, steps=steps)
        if other.side is order.side
        and (other.layer <= order.layer if order.side is Side.BID else other.layer >= order.layer)
    ]
    return sum(nearer) if order.side is Side.BID else -sum(nearer)


@given(st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=12))
def test_bids_and_asks_of_one_slot_never_meet_nor_exceed_the_connection(past: list[int]) -> None:
    orders = uncertain(*past)
    bids, asks = ([order for order in orders if order.side is side] for side in Side)
    assert all(bid.tick < ask.tick for bid in bids for ask in asks)
    assert sum(order.energy for order in bids) <= 1_000
    assert sum(order.energy for order in asks) <= 2_000
    assert len({order.layer for order in orders}) == len(orders) <= 4


def test_zero_intelligence_draws_anew_each_day() -> None:
    def ticks(day: int) -> list[int]:
        return [o.tick for o in ZeroIntelligence().orders(situation(*[100] * 96, day=day))]

    assert ticks(1) == ticks(1)
    assert ticks(1) != ticks(2)
    assert len(set(ticks(1))) > 48


@pytest.mark.parametrize("strategy", TRADERS)
def test_limits_depend_on_name_and_seed_alone(strategy: Strategy) -> None:
    def ticks(orders: list[Order]) -> list[int]:
        return [order.tick for order in orders]

    here = situation(*[100] * 12)
    elsewhere = replace(here, participant=99)
    assert ticks(strategy.orders(here)) == ticks(strategy.orders(elsewhere))
    assert ticks(strategy.orders(here)) != ticks(strategy.orders(replace(here, seed=2)))
    assert ticks(strategy.orders(here)) != ticks(strategy.orders(replace(here, name="other")))


def test_random_streams_are_the_same_on_every_machine() -> None:
    orders = ZeroIntelligence().orders(situation(*[100] * 6))
    assert [order.tick for order in orders] == [238, 214, 82, 134, 74, 172]


def test_rejects_forecast_and_tariffs_of_two_lengths() -> None:
    with pytest.raises(InputError, match="home: slots of forecast and tariffs"):
        replace(situation(1, 2), tariffs=[TARIFF])


def test_unknown_strategy_lists_those_known() -> None:
    with pytest.raises(InputError, match="'greedy' is no strategy; known are none, truthful, quantile, zero"):
        strategy_named("greedy", {})
    assert {name: type(strategy_named(name, {})) for name in STRATEGIES} == STRATEGIES


def test_rejects_unknown_and_wrong_parameters() -> None:
    with pytest.raises(ValidationError, match="greed"):
        Truthful.model_validate({"greed": 1})
    with pytest.raises(ValidationError, match="less than or equal to 1000"):
        Truthful(max_gain_permille=1001)
