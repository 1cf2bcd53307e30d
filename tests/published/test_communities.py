"""Published results on communities; docs/science.md has a row each."""

from functools import cache

import numpy as np
import pytest
from support import PROJECT

from dem.community.forecast import forecast_load
from dem.community.scenario import Kind, Scenario, load_scenario
from dem.lab.sharing import LocalPrice, bill_sharing, mid_market_rate, shared_bills, supply_demand_ratio
from dem.lab.study.playing import play_stretch
from dem.model.rules import Tariff

TARIFF = Tariff(28_000, 8_000)
SHORT, LONG = [3_000, 7_000, -1_000, -5_000], [1_000, 5_000, -3_000, -7_000]


@cache
def scenario(name: str) -> Scenario:
    return load_scenario(PROJECT / "scenarios" / name)


@pytest.mark.parametrize(
    ("price", "residuals", "bills"),
    [
        (mid_market_rate, SHORT, [66_000_000, 154_000_000, -18_000_000, -90_000_000]),
        (supply_demand_ratio, SHORT, [53_760_000, 125_440_000, -11_200_000, -56_000_000]),
        (bill_sharing, SHORT, [33_600_000, 78_400_000, 0, 0]),
        (mid_market_rate, LONG, [18_000_000, 90_000_000, -42_000_000, -98_000_000]),
    ],
)
def test_sharing_by_hand(price: LocalPrice, residuals: list[int], bills: list[int]) -> None:
    assert shared_bills(residuals, TARIFF, price) == bills


@pytest.mark.parametrize("price", [mid_market_rate, supply_demand_ratio, bill_sharing])
def test_all_bills_are_the_bill_of_the_area(price: LocalPrice) -> None:
    draws = np.random.default_rng(1)
    for _ in range(200):
        residuals = draws.integers(-900, 900, size=7).tolist()
        net = sum(residuals)
        assert sum(shared_bills(residuals, TARIFF, price)) == net * (TARIFF.buy if net > 0 else TARIFF.sell)


@pytest.mark.parametrize(
    ("price", "consumers", "prosumers"),
    [(mid_market_rate, 53.55, 53.55), (supply_demand_ratio, 107.07, 0.04), (bill_sharing, 91.14, 15.96)],
)
def test_the_mid_market_rate_halves_the_gain(price: LocalPrice, consumers: float, prosumers: float) -> None:
    """Long and others 2017, Liu and others 2017: between consumers and plants, on the Sunday of the demo, EUR."""
    village, gains = scenario("rural-sunday"), {Kind.CONSUMER: 0, Kind.PROSUMER: 0}
    members, metered = village.of_kind(*gains), village.metered(1)
    for slot, tariff in enumerate(village.tariffs(1)):
        net = [metered[member.name][slot] for member in members]
        for member, wh, bill in zip(members, net, shared_bills(net, tariff, price), strict=True):
            gains[member.kind] += wh * (tariff.buy if wh > 0 else tariff.sell) - bill
    found = [gains[kind] / 10**8 for kind in (Kind.CONSUMER, Kind.PROSUMER)]
    assert found == pytest.approx([consumers, prosumers], abs=0.005)


def test_forecast_errors_fall_with_the_size_of_the_group() -> None:
    """Da Silva, Ilić and Karnouskos 2014, direction: load of the town on its Sunday, errors as shares of load."""
    town = scenario("town")
    past, load = town.history(1), town.profiles.load(1)
    expected = forecast_load(past.load, past.lead)
    homes = {member.name for member in town.of_kind(Kind.CONSUMER, Kind.PROSUMER)}
    rows = np.random.default_rng(1).permutation([i for i, name in enumerate(town.profiles.names) if name in homes])
    errors = []
    for size in (1, 10, 100, 1_506):
        groups = rows[: len(rows) // size * size].reshape(-1, size)
        wrong, whole = (values[groups].sum(axis=1) for values in (expected - load, load))
        errors.append(float((abs(wrong).sum(axis=1) / whole.sum(axis=1)).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.4
    assert errors == pytest.approx([0.54, 0.21, 0.078, 0.037], abs=0.03)


@pytest.mark.parametrize("design", ["order_book", "random_matching"])
def test_bidders_who_learn_lower_the_price_and_raise_the_volume(design: str) -> None:
    """Mengelkamp and others 2017, direction, in both of their designs: Erev-Roth beside zero intelligence.

    The village from May on, the last 12 of 36 days. studies/mengelkamp.toml has all of it.
    """
    changes, found = {"markets": {"call_auction": False, design: True}}, []
    year = load_scenario(PROJECT / "scenarios" / "rural-year", changes)
    for strategy in ("zero_intelligence", "erev_roth"):
        late = play_stretch(year.trading_by(strategy).cut(120, 36))[-12:]
        traded = sum(record["traded_wh"] for record in late)
        found.append((traded, sum(record["traded_units"] for record in late) / traded))
    (volume, price), (learnt_volume, learnt_price) = found
    assert learnt_volume > 1.02 * volume
    assert learnt_price < 0.97 * price
