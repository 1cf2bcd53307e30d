"""Strategies that learn: the rules of the papers, and what a day teaches."""

from copy import deepcopy
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.community.adaptive import (
    AdaptiveAggressive,
    Aggressiveness,
    ErevRoth,
    Lessons,
    Margins,
    Targets,
    Zip,
    drawn_choice,
    reinforced,
)
from dem.community.strategies import Bands, Ended, OrderColumns

ONE = np.array([True])


def ended(prices: list[int], side: list[int], ticks: list[int], filled: list[int], day: int = 1) -> Ended:
    """A day in a band from 100 to 200 ticks, with an order of 1,000 Wh in each slot."""
    slots = np.arange(len(prices))
    energy = np.full(len(prices), 1_000)
    orders = OrderColumns(np.full(len(prices), 6), 0 * slots, slots, np.array(side), np.array(ticks), energy)
    return Ended(
        day=day,
        name="home",
        seed=1,
        prices=np.array(prices),
        traded=0 * slots,
        bands=Bands(np.full(len(prices), 100), np.full(len(prices), 200)),
        orders=orders,
        filled=np.array(filled),
        contracted=0 * slots,
        metered=0 * slots,
        paid=-30 * 1_000 * 100,
        alone=0,
        tick=100,
        memory=np.ones(11),
    )


@given(st.booleans(), st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(-1, 1), st.floats(-8, 2))
def test_a_target_and_its_aggressiveness_are_each_others_inverse(
    is_buyer: bool, worth: float, expected: float, aggressiveness: float, steepness: float
) -> None:
    targets = Targets.of(np.array([is_buyer]), np.array([worth]), np.array([expected]), 1.0)
    price = targets.at(np.array([aggressiveness]), np.array([steepness]))
    again = targets.at(targets.aggressiveness(price, np.array([steepness])), np.array([steepness]))
    assert again == pytest.approx(price, abs=1e-6)
    passive, surest = (0.0, worth) if is_buyer else (1.0, worth)
    assert min(passive, surest) - 1e-9 <= price[0] <= max(passive, surest) + 1e-9


def test_nobody_aims_beyond_its_worth_and_the_neutral_aim_at_what_is_expected() -> None:
    buyer = Targets.of(ONE, np.array([0.8]), np.array([0.5]), 1.0)
    seller = Targets.of(~ONE, np.array([0.2]), np.array([0.5]), 1.0)
    for steepness in (-8.0, 0.0, 2.0):
        bids, asks = (
            [float(targets.at(np.array([r]), np.array([steepness]))[0]) for r in (-1.0, 0.0, 1.0)]
            for targets in (buyer, seller)
        )
        assert bids == pytest.approx([0, 0.5, 0.8])
        assert asks == pytest.approx([1, 0.5, 0.2])


def test_prices_that_vary_little_make_steep_and_the_newest_count_most() -> None:
    calm = Aggressiveness.drawn(Random(1), 1)
    for price in (0.4, 0.6, 0.5, 0.5, 0.5, 0.5):
        calm.see(np.array([price]))
    assert calm.expected[0] == pytest.approx(0.5, abs=0.02)
    wild = Aggressiveness.drawn(Random(1), 1)
    for price in (0.5, 0.5, 0.4, 0.7, 0.2, 0.9):
        wild.see(np.array([price]))
    assert calm.steepness[0] > wild.steepness[0]


def test_who_was_left_over_becomes_more_aggressive_and_who_traded_less() -> None:
    strategy = AdaptiveAggressive()
    first = strategy.begin("home", 1, 3)
    # A bid that got nothing above the price it had bid, one that could have paid less, and a slot without any price.
    after = strategy.learn(deepcopy(first), ended([170, 130, -1], [0, 0, 0], [150, 150, 150], [0, 1_000, 0]))
    assert after.value[0] > 0 > after.value[1]
    assert after.value[2] > 0


def test_zip_asks_for_more_after_a_good_price_and_for_less_if_left_over() -> None:
    strategy = Zip()
    first = Margins(np.full(4, 0.3), np.zeros(4), 0.5, 0.0)
    after = strategy.learn(
        deepcopy(first), ended([150, 110, -1, 150], [1, 1, 1, 0], [130, 130, 130, 170], [1, 0, 0, 1])
    )
    assert after.value[0] > 0.3 > after.value[1]
    assert after.value[2] < 0.3 < after.value[3]


def test_reinforcement_by_hand() -> None:
    """Recency .1, experimentation .2, three choices: the second brings 1."""
    after = reinforced(np.array([1.0, 2.0, 3.0]), 1, 1.0, 0.1, 0.2)
    assert after.tolist() == pytest.approx([0.9 + 0.1, 1.8 + 0.8, 2.7 + 0.3])


def test_choices_are_drawn_in_proportion() -> None:
    draws = Random(3)
    drawn = [drawn_choice(np.array([1.0, 0.0, 3.0]), draws) for _ in range(4_000)]
    assert drawn.count(1) == 0
    assert drawn.count(2) / 4_000 == pytest.approx(0.75, abs=0.03)


def test_erev_roth_is_rewarded_by_the_share_of_the_band_that_it_saved() -> None:
    strategy = ErevRoth()
    day = ended([150], [0], [150], [1_000])
    after = strategy.learn(np.ones(11), day)
    choice = int(after.argmax())
    assert after[choice] == pytest.approx(0.9 + 0.8 * 0.3)
    assert after.sum() == pytest.approx(11 * 0.9 + 0.8 * 0.3 + 10 * 0.2 / 10)


def test_slots_without_a_band_teach_nothing() -> None:
    day = ended([150], [0], [150], [1_000])
    empty = Ended(
        **{name: getattr(day, name) for name in Ended.__slots__} | {"bands": Bands(*np.array([[200], [100]]))}
    )
    lessons = Lessons.of(empty)
    assert not lessons.ordered.any()
    assert not lessons.has_price.any()
