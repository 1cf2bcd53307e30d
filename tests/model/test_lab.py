"""What is measured of rules: days of the auction alone, and what dishonest ways bring."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.commands.hamlet import MIXED, Hamlet

from dem.community.scenario import Scenario, load_scenario
from dem.lab.auction_day import AuctionDay, with_orders, with_rules, without
from dem.lab.exploits import ATTACKS, DESK, exploitability, not_trading, paper_trades, withholding
from dem.lab.learning import traded_when_learnt
from dem.model.orders import Side
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.trading import Trading

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


@cache
def village(name: str) -> Scenario:
    return load_scenario(SCENARIOS / name)


@cache
def sunday(pricing: str) -> AuctionDay:
    scenario = village("rural-sunday").trading_by("truthful")
    rules = scenario.config.rules[0].model_copy(update={"imbalance_pricing": pricing})
    return AuctionDay(with_rules(scenario, rules), 1)


def test_a_day_costs_what_a_run_says() -> None:
    scenario = village("rural-sunday")
    market = ModelMarket(scenario)
    for number in play(Trading(market)):
        settled = market.settlement(number)
        day = AuctionDay(scenario, number)
        costs = dict(zip(day.members.tolist(), day.outcome().by_slot.sum(axis=1).tolist(), strict=True))
        assert {id_: costs[id_] for id_ in settled.bills} == {id_: sum(bill) for id_, bill in settled.bills.items()}
        assert (costs[day.paper[0]], costs[day.paper[1]]) == (0, 0)


def test_orders_are_added_and_taken_away() -> None:
    day = sunday("single")
    slots, energies = np.arange(day.slots), np.arange(day.slots)
    more = with_orders(day.orders, day.paper[0], Side.BID, slots, np.full(day.slots, 50), energies)
    assert len(more.slot) == len(day.orders.slot) + day.slots - 1
    assert without(more, day.paper[0]).energy.tolist() == day.orders.energy.tolist()


def test_paper_trades_pay_under_a_single_price_and_not_at_the_tariff() -> None:
    assert max(gain.units for gain in paper_trades(sunday("single"))) > 4 * 10**8
    assert max(gain.units for gain in paper_trades(sunday("tariff"))) < 0


def test_who_gains_by_staying_away() -> None:
    """farm-08, as docs/guide/scenarios.md says."""
    best = max(not_trading(sunday("single")), key=lambda gain: gain.units)
    assert best.who == ("farm-08",)
    assert best.units == pytest.approx(4.48e8, abs=0.01e8)


def test_readings_are_kept_back_only_where_that_pays() -> None:
    assert all(gain.units >= 0 for gain in withholding(sunday("tariff")))


def test_every_kind_of_attack_is_tried(tmp_path: Path) -> None:
    """On a hamlet in which everything is possible; the report is sorted, its shares are of what is paid."""
    scenario = load_scenario(Hamlet(consumers=3, plants=3, markets=MIXED).write(tmp_path / "hamlet"))
    found = exploitability(scenario.config.rules[0], scenario, [1])
    assert {one.attack for one in found} == {*ATTACKS, DESK}
    assert [one.units for one in found] == sorted((one.units for one in found), reverse=True)
    for one in found:
        assert one.percent == pytest.approx(100 * one.units / abs(one.community))


def test_what_rules_do_not_know_is_not_tried(tmp_path: Path) -> None:
    scenario = load_scenario(Hamlet(consumers=3, plants=2).write(tmp_path / "hamlet"))
    kinds = {one.attack for one in exploitability(scenario.config.rules[0], scenario, [1])}
    assert kinds == set(ATTACKS) - {"premium farming"}


def test_learning_bidders_trade_where_imbalances_cost_the_tariffs(tmp_path: Path) -> None:
    """And stop where they are free of fees."""
    scenario = load_scenario(Hamlet(consumers=3, plants=3).write(tmp_path / "hamlet")).trading_by("quantile")
    traded = {}
    for pricing in ("single", "tariff"):
        day = AuctionDay(scenario.ruled_by(imbalance_pricing=pricing), 1)
        learnt, honest = traded_when_learnt([day])
        traded[pricing] = learnt / honest
    assert traded["single"] < 0.5 < 0.8 < traded["tariff"] <= 1


def test_a_perfect_forecast_is_what_happens() -> None:
    scenario = village("rural-sunday").foreseen(100)
    day = AuctionDay(scenario, 1)
    rows = [day.row(id_) for id_ in day.community]
    assert (day.expected[rows] == day.metered[rows]).all()
    past = scenario.past_net(1)
    assert all((past[day.names[id_]] == day.metered[day.row(id_)]).all() for id_ in day.community)
