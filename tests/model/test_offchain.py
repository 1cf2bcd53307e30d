"""Days without a chain: money, refusals, what is short, and the bills if nobody trades."""

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands.hamlet import DEBTOR, DEBTORS, MIXED, POOR, Hamlet

from dem.community.crowd import Crowd
from dem.community.flexibility import Household
from dem.community.scenario import Scenario, load_scenario
from dem.errors import InputError
from dem.model.ledger import CLEARING_HOUSE, FALLBACK_SUPPLIER
from dem.model.mechanisms import SETUPS
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.run import paid_without_trade, setting_of, write_days
from dem.offchain.trading import Trading
from dem.replay.record import EVENTS
from dem.results.changes import figures, sentences
from dem.results.compare import NOBODY_TRADES, compare
from dem.results.reader import read_results
from dem.results.summary import summarise
from dem.results.writer import RejectedOrder

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


@cache
def village(name: str) -> Scenario:
    return load_scenario(SCENARIOS / name)


def without_strategy(scenario: Scenario) -> Scenario:
    """Everybody's strategy is to stay out."""
    members = {member.name: replace(member, strategy="none") for member in scenario.participants}
    return replace(scenario, _members=members)


def played(scenario: Scenario) -> tuple[ModelMarket, list[RejectedOrder], list[Any]]:
    """The market after all days, what it refused, and the settled days."""
    trading, rejected, settled = Trading(ModelMarket(scenario)), [], []
    for day in play(trading):
        rejected += trading.rejected(day)
        settled.append(trading.market.settlement(day))
    return trading.market, rejected, settled


def forget_checksums(folder: Path) -> None:
    """As an older version has written it."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del run["checksums"]
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_money_is_kept_and_everything_released(tmp_path: Path) -> None:
    market, _, _ = played(load_scenario(Hamlet(more=(POOR, DEBTOR), days=3).write(tmp_path)))
    assert market.ledger.supply() == sum(market.transfers.deposited.values())
    assert {record.locked for record in market.ledger.accounts.values()} == {0}
    assert market.ledger.record(CLEARING_HOUSE).free == 0
    assert market.days.numbers == []


def test_orders_that_cannot_be_paid_for_are_refused_in_the_contracts_words(tmp_path: Path) -> None:
    scenario = load_scenario(Hamlet(more=(POOR,)).write(tmp_path))
    market, rejected, _ = played(scenario)
    assert {order.participant for order in rejected} == {POOR[0]}
    poor = market.ids[str(POOR[0])]
    for order in rejected:
        assert order.reason.startswith(f"InsufficientFunds(id={poor}, needed=")
        assert order.reason.endswith(f"available={scenario.participant('poor').deposit})")


def test_who_is_in_arrears_orders_nothing_more(tmp_path: Path) -> None:
    debtor = (*DEBTOR[:-1], "")
    scenario = load_scenario(Hamlet(more=(debtor,), days=3).write(tmp_path))
    reasons = {order.reason.partition("(")[0] for order in played(scenario)[1]}
    assert "InArrears" in reasons


def test_what_a_day_is_short_of_is_shared(tmp_path: Path) -> None:
    """The supplier's credit is too small for what debtors do not pay."""
    scenario = load_scenario(Hamlet(consumers=0, plants=2, more=DEBTORS, days=3, credit="0.01").write(tmp_path))
    trading = Trading(ModelMarket(scenario))
    for _ in play(trading):
        assert trading.market.ledger.record(FALLBACK_SUPPLIER).free >= -1_000_000
    taken = sum(payment.amount for payment in trading.market.payments if payment.what == "taken back")
    assert taken < 0
    assert taken == -sum(shortfall.units for shortfall in trading.market.shortfalls.days.values())
    assert trading.market.ledger.supply() == sum(trading.market.transfers.deposited.values())


@pytest.mark.parametrize("name", ["rural-sunday", "rural-island"])
def test_if_nobody_trades_everybody_pays_what_the_strategy_none_pays(name: str) -> None:
    scenario = village(name)
    market, _, [settled] = played(without_strategy(scenario))
    bills = {market.names[id_]: sum(bill) for id_, bill in settled.bills.items()}
    assert paid_without_trade(scenario)(1) == bills
    assert sum(bills.values()) == settled.fallback() + settled.fund()


def test_batteries_do_what_they_do_without_a_market_if_nobody_trades() -> None:
    scenario = village("rural-markets")
    quiet = Crowd(scenario.without_trade(), 1)
    assert quiet.prices == quiet._fallback
    assert all(isinstance(home, Household) and home.worth == home.fallback for home in quiet._households.values())
    assert scenario.without_trade().rules(1) == scenario.rules(1)
    alone = sum(paid_without_trade(scenario)(1).values())
    _, _, [settled] = played(scenario.without_trade())
    assert alone == sum(sum(bill) for bill in settled.bills.values())


def test_the_summary_has_both_measures(tmp_path: Path) -> None:
    write_days(village("rural-sunday"), tmp_path)
    summary = summarise(read_results(tmp_path))
    alone = paid_without_trade(village("rural-sunday"))(1)
    assert summary.gained_units == sum(alone.values()) - summary.community.paid_units
    assert summary.gained_units == sum(group.gained_units or 0 for group in summary.groups)
    assert {p.participant: p.gained_units for p in summary.participants} == {
        p.participant: alone[p.participant] - p.bill.paid_units for p in summary.participants
    }
    # At the tariffs nobody who does not trade shares anything: what trade saves is all that is saved.
    assert summary.gained_units == summary.saved_units
    assert summary.saved_units + summary.fees_units + summary.fund_units == summary.sharing_value_units
    rows = dict(summary.rows())
    assert rows["Played"] == "without a chain"
    assert rows["Saved against nobody trading / the tariffs alone"] == "70.13 / 70.13 EUR"


def test_a_folder_that_says_nothing_of_nobody_trading_is_read(tmp_path: Path) -> None:
    write_days(village("rural-sunday"), tmp_path)
    for table in ("without_trade.csv", "payments.csv"):
        (tmp_path / table).unlink()
    forget_checksums(tmp_path)
    summary = summarise(read_results(tmp_path))
    assert (summary.gained_units, summary.returned_units) == (None, 0)
    assert dict(summary.rows())["Saved against the tariffs alone"] == "70.13 EUR"


def test_premiums_and_rewards_are_told_apart_from_bills(tmp_path: Path) -> None:
    write_days(load_scenario(Hamlet(markets=MIXED).write(tmp_path / "hamlet")), tmp_path / "out")
    summary = summarise(read_results(tmp_path / "out"))
    paid = [row for row in read(tmp_path / "out" / "payments.csv") if row["cause"] in ("premium", "reward")]
    assert summary.returned_units == sum(int(row["amount_units"]) for row in paid) > 0


def test_the_bills_of_nobody_trading_are_written_by_day(tmp_path: Path) -> None:
    scenario = load_scenario(Hamlet(days=2).write(tmp_path / "hamlet"))
    write_days(scenario, tmp_path / "out")
    paid, setting = paid_without_trade(scenario), setting_of(scenario)
    assert read(tmp_path / "out" / "without_trade.csv") == [
        {"participant": name, "first_period": str(setting.periods(day).start), "paid_units": str(units)}
        for day in scenario.days
        for name, units in paid(day).items()
    ]


def test_a_run_on_a_chain_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / EVENTS).touch()
    with pytest.raises(InputError, match="holds a run on a chain"):
        write_days(village("rural-sunday"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [EVENTS]


def test_a_day_is_the_same_again() -> None:
    first, second = (played(village("rural-markets"))[2][0] for _ in range(2))
    for grid in ("trade", "imbalance_units", "fees", "deviation", "penalty"):
        assert np.array_equal(getattr(first, grid), getattr(second, grid))


def test_the_comparison_has_what_nobody_trading_costs(tmp_path: Path) -> None:
    scenario = village("rural-sunday")
    played_as = {
        "fallback only": scenario.with_markets(SETUPS["fallback only"]),
        NOBODY_TRADES: scenario.without_trade(),
        "call auction": scenario,
    }
    for name, own in played_as.items():
        write_days(own, tmp_path / name)
    comparison = compare({name: read_results(tmp_path / name) for name in played_as})
    assert all(check.ok for check in comparison.checks)
    alone = sum(paid_without_trade(scenario)(1).values())
    assert comparison.nobody is not None
    assert comparison.nobody.community.paid_units == alone
    rows = dict(figures(comparison))
    # At the tariffs, which are the default, nobody who does not trade shares anything.
    assert rows["Saved against nobody trading"] == ["0.00", "0.00", "70.13"]
    assert rows["Saved against the tariffs"] == ["0.00", "0.00", "70.13"]
    assert rows["  of it fees"] == ["0.00", "0.00", "7.51"]
    assert rows["  of it to the balancing fund"] == ["113.58", "113.58", "35.94"]
    assert rows["  of it for energy, to others"] == ["139.24"] * 3
    assert rows["Played"] == ["without a chain"] * 3
    [said] = [text for text in sentences(comparison) if text.startswith("If nobody trades")]
    assert "they pay 252.82 EUR" in said
    assert "70.13 EUR less: 7.51 EUR more in fees, 77.64 EUR less to the balancing fund" in said
