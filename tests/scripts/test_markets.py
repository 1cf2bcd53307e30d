"""`ape run day` on a scenario that mixes all markets, recomputed from its record; `ape run compare` on small ones."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from support.commands.hamlet import MIXED, Hamlet, read_table
from support.commands.node import Cut, anvil, wire_to
from support.commands.shell import EMBEDDED, Command, run, without_pictures

SIGKILL = -9
STEPS = {"addMarket", "appoint", "publish", "choose", "conclude", "commit", "report", "pay"}
"""Functions that only the further markets need."""
MARKETS = {"call auction", "intraday", "bilateral", "pool", "wholesale"}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run with every market."""
    folder = tmp_path_factory.mktemp("mixed")
    scenario = Hamlet(markets=MIXED).write(folder / "hamlet")
    result = run("day", scenario, "--out", folder / "out", *EMBEDDED)
    assert result.code == 0, result
    return folder / "out"


def test_every_market_trades(mixed):
    assert {row["market"] for row in read_table(mixed / "trades.csv")} == MARKETS


def test_every_message_is_taken(mixed):
    assert "refused" not in json.loads((mixed / "run.json").read_text(encoding="utf-8"))


def test_the_record_alone_says_the_same(mixed):
    result = run("reconcile", mixed, *EMBEDDED)
    assert result.code == 0, result
    assert "BROKEN" not in result.out


def test_trades_of_every_market_balance_in_every_period(mixed):
    sums = defaultdict(lambda: [0, 0])
    for row in read_table(mixed / "trades.csv"):
        own = sums[row["market"], row["period"]]
        own[0] += int(row["bought_wh"]) - int(row["sold_wh"])
        own[1] += int(row["amount_units"])
    assert all(own == [0, 0] for own in sums.values())


def test_the_contract_that_goes_on_keeps_its_collateral(mixed):
    record = json.loads((mixed / "balances.json").read_text(encoding="utf-8"))
    assert sum(locked for _, locked, _, _ in record["accounts"].values()) > 0


def test_rewards_come_from_the_fund_and_are_written_down(mixed):
    payments = read_table(mixed / "payments.csv")
    assert {row["cause"] for row in payments} <= {"premium", "reward", "commission"}
    assert sum(int(row["amount_units"]) for row in payments) > 0


def test_set_ups_are_compared_and_not_played_twice(tmp_path):
    """Under what a scenario describes, and markets that need no description."""
    scenario = Hamlet(consumers=2, plants=3, markets=("call_auction",), described=("bilateral",)).write(
        tmp_path / "hamlet"
    )
    out = tmp_path / "out"
    result = run("compare", scenario, "--out", out, *EMBEDDED)
    assert result.code == 0, result
    assert {path.name for path in out.iterdir()} == {
        "fallback-only",
        "bilateral-only",
        "call-auction",
        "order-book",
        "random-matching",
        "nobody-trades",
        "compare.html",
    }
    fallback = read_table(out / "fallback-only" / "trades.csv")
    assert fallback == []
    before = (out / "call-auction" / "run.json").stat().st_mtime_ns
    assert run("compare", scenario, "--out", out, *EMBEDDED).code == 0
    assert (out / "call-auction" / "run.json").stat().st_mtime_ns == before


def test_a_run_that_is_killed_in_each_of_the_further_steps_ends_like_one_that_is_not(tmp_path):
    """Without intraday trade, of which a participant's orders of a session are not resumed one by one."""
    scenario = Hamlet(markets=[name for name in MIXED if name != "intraday"]).write(tmp_path / "hamlet")
    with anvil() as node, wire_to(node) as (wire, url):
        network = "--network", f"ethereum:local:{url}"
        undisturbed = run("day", scenario, "--out", tmp_path / "whole", *network, prepare=without_pictures)
        assert undisturbed.code == 0, undisturbed
        changes = [change for change in dict.fromkeys(wire.changes) if change.partition(".")[2] in STEPS]
    assert len(changes) >= len(STEPS) - 1, changes
    with anvil() as node, wire_to(node) as (wire, url):
        network = "--network", f"ethereum:local:{url}"
        for number, change in enumerate(changes):
            with Command("day", scenario, "--out", tmp_path / "killed", *network) as driver:
                wire.arm(Cut(change, 0, heard=number % 2 == 0), driver.process.kill)
                assert driver.result().code == SIGKILL, (change, driver.result())
        last = run("day", scenario, "--out", tmp_path / "killed", *network, prepare=without_pictures)
        assert last.code == 0, last
    for table in (tmp_path / "whole").glob("*.csv"):
        assert (tmp_path / "killed" / table.name).read_bytes() == table.read_bytes(), table.name


def test_a_run_that_is_killed_in_an_intraday_session_goes_on(tmp_path):
    scenario = Hamlet(consumers=3, plants=3, markets=("call_auction", "intraday")).write(tmp_path / "hamlet")
    with anvil() as node, wire_to(node) as (wire, url):
        network = "--network", f"ethereum:local:{url}"
        for change in ("ContinuousMarket.fundSigned", "ContinuousMarket.placeSigned", "ContinuousMarket.cancelSigned"):
            with Command("day", scenario, "--out", tmp_path / "out", *network) as driver:
                wire.arm(Cut(change, wire.changes.count(change), heard=True), driver.process.kill)
                assert driver.result().code == SIGKILL, (change, driver.result())
        last = run("day", scenario, "--out", tmp_path / "out", *network, prepare=without_pictures)
        assert last.code == 0, last
        assert "BROKEN" not in last.out
