"""Relief that a dispatcher buys before it sets limits: no more than is needed, of the cheapest, at one price."""

from pathlib import Path

import numpy as np
import pytest

from dem.community.scenario import load_scenario
from dem.grid.limits import Dispatcher
from dem.grid.network import Integers
from dem.grid.programme import in_rows
from dem.grid.relief import Relieved, relieve
from dem.grid.violations import violations
from dem.model.relief import Bought, Offer, Offers, pack_relief, unpack_relief

SCENARIOS = Path(__file__).parents[2] / "scenarios"
WHOLE, CEILING = 10_000, 5_000


@pytest.fixture(scope="module")
def sunny() -> tuple[Dispatcher, Integers]:
    """The dispatcher of a village with twice the sun, and what it expects of the day."""
    scenario = load_scenario(SCENARIOS / "rural-sunny")
    dispatch = scenario.dispatch
    assert dispatch is not None
    return dispatch.dispatcher, in_rows(dispatch.connections.names, scenario.public_forecast(1), 96)


def bought(sunny: tuple[Dispatcher, Integers], **asks: tuple[int, int]) -> Relieved:
    """asks: share and price of members, whose names have a hyphen."""
    offers = {name.replace("_", "-"): Offer(0, 0, share, price) for name, (share, price) in asks.items()}
    return relieve(*sunny, Offers(offers, Offer(WHOLE, CEILING, WHOLE, CEILING)))


def test_as_much_is_bought_as_brings_everything_within_its_limits(sunny):
    dispatcher, net = sunny
    plants = {f"pv_{n}": (WHOLE, 100 * n) for n in range(1, 9)}
    found = bought(sunny, **plants)
    assert [*violations(dispatcher.network, dispatcher.flow(net))]
    assert [*violations(dispatcher.network, dispatcher.flow(found.net))] == []
    rows = {name: row for row, name in enumerate(dispatcher.connections.names)}
    for slot in {slot for slots in found.bought.values() for slot, _ in slots}:
        # A Wh less of any would be too little.
        seller = next(name for name, slots in found.bought.items() if (slot, True) in slots)
        less = found.net[:, [slot]].copy()
        less[rows[seller]] -= 1
        assert [*violations(dispatcher.network, dispatcher.flow(less))], slot


def test_the_cheapest_are_taken_and_have_the_price_of_the_dearest(sunny):
    found = bought(sunny, pv_1=(WHOLE, 300), pv_2=(2_000, 100), pv_3=(WHOLE, 4_000))
    assert "pv-3" in found.bought, "the others are not enough at noon"
    for slot in {slot for slots in found.bought.values() for slot, _ in slots}:
        prices = {name: slots[slot, True].price for name, slots in found.bought.items() if (slot, True) in slots}
        dearest = 4_000 if "pv-3" in prices else 300 if "pv-1" in prices else 100
        assert set(prices.values()) == {dearest}
        assert "pv-2" in prices, "the cheapest sells whenever anybody does"


def test_equally_dear_ones_sell_the_same_part_of_what_they_offer(sunny):
    _, net = sunny
    found = bought(sunny, pv_1=(WHOLE, 300), pv_2=(WHOLE, 300))
    names = sunny[0].connections.names
    for (slot, _), first in found.bought["pv-1"].items():
        second = found.bought["pv-2"].get((slot, True), Bought(0, 0, 0))
        parts = [own.energy / -net[names.index(name), slot] for name, own in (("pv-1", first), ("pv-2", second))]
        assert abs(parts[0] - parts[1]) < 0.01


def test_what_is_not_enough_is_bought_and_the_rest_is_limited(sunny):
    dispatcher, net = sunny
    found = bought(sunny, pv_3=(1_000, 100))
    limits = dispatcher.limits(found.net)
    flow = dispatcher.flow(limits.held(found.net))
    assert [*violations(dispatcher.network, flow)] == []
    whole, rest = (int(abs(own - dispatcher.limits(own).held(own)).sum()) for own in (net, found.net))
    sold = sum(own.energy for own in found.bought["pv-3"].values())
    assert 0 < sold <= 1.01 * (whole - rest), "limits take less, by what was bought"


def test_nobody_is_bought_of_who_asks_too_much_or_has_nothing_to_leave_out(sunny):
    assert bought(sunny, pv_1=(WHOLE, CEILING + 1), home_01=(WHOLE, 0)).bought == {}
    assert relieve(*sunny, Offers({"pv-1": Offer(WHOLE, 0, WHOLE, 0)}, Offer(WHOLE, CEILING, 0, 0))).bought == {}


def test_words_of_a_day_are_what_was_bought():
    slots = {(0, True): Bought(5, 7, 9), (5, True): Bought(1, 0, 2**32 - 1), (13, False): Bought(2**37, 1, 1)}
    assert unpack_relief(pack_relief(slots)) == slots
    assert [(word.strip, word.is_fed_in) for word in pack_relief(slots)] == [(0, True), (2, False)]
    assert np.all([word.energies < 1 << 240 for word in pack_relief(slots)])
