"""Days by the reference model alone end with the tables that the contracts end with, byte for byte, and say so."""

import json
import os
import shutil
from pathlib import Path

import pytest
from support import PROJECT
from support.commands.hamlet import DEBTOR, DEBTORS, EXTREME, MIXED, POOR, Hamlet, read_table, write_table
from support.commands.node import anvil
from support.commands.own import OwnHamlet, short_days
from support.commands.shell import run, without_pictures

from dem.community.scenario import load_scenario
from dem.offchain.run import write_days

SHIPPED = PROJECT / "scenarios"
YEARS, DAYS_OF_YEAR = {"rural-year": 365, "homes-year": 335}, 2
"""Of a year the first days: all of them follow the same steps."""
EVERY_SCENARIO = "DEM_EVERY_SCENARIO"
"""Set by `make test-long`: those that take half a minute and more on a chain are played then, too."""
SLOW = {"rural-markets", "rural-year", "town", "town-evening", "homes-year"}
PLAYED = {path.parent.name for path in SHIPPED.glob("*/scenario.toml")} - (
    set() if os.environ.get(EVERY_SCENARIO) else SLOW
)
_SECONDS = 1_800.0
"""The longest of them on a busy machine."""


def tables(folder: Path) -> dict[str, bytes]:
    """The tables of a run by name."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def assert_same(scenario: Path, folder: Path) -> None:
    """A scenario on a chain and without."""
    with anvil() as url:
        network = "--network", f"ethereum:local:{url}"
        words = "day", scenario, "--out", folder / "chain", *network
        result = run(*words, timeout=_SECONDS, prepare=without_pictures)
    assert result.code == 0, result
    checks = write_days(load_scenario(scenario), folder / "model")
    assert [check for check in checks if not check.ok] == []
    on_chain, without = tables(folder / "chain"), tables(folder / "model")
    assert on_chain.keys() == without.keys()
    assert [name for name in on_chain if on_chain[name] != without[name]] == []


LEARNERS = [
    (f"learner-{number}", "consumer", "", 900, 0, 50, 0, strategy)
    for number, strategy in enumerate(("zip", "adaptive_aggressive", "erev_roth", "inattentive"))
]
HAMLETS = {
    "every market, three days": Hamlet(markets=MIXED, days=3),
    "some cannot pay, three days": Hamlet(more=(POOR, DEBTOR), days=3),
    "days that are short, three": Hamlet(consumers=0, plants=2, more=DEBTORS, days=3, credit="0.01"),
    "members who learn, seven days": Hamlet(more=LEARNERS, days=7),
    "trades in escrow and coins, two days": Hamlet(
        markets=("call_auction", "escrow"), described=("bilateral",), days=2, has_coins=True
    ),
    "an island, two days": Hamlet(days=2, islanded=True),
    "prices from -500 to 5,000 EUR/MWh, every market": Hamlet(markets=MIXED, wholesale=EXTREME, deposit=900),
}


@pytest.mark.parametrize("hamlet", HAMLETS.values(), ids=HAMLETS)
def test_a_hamlets_tables_are_the_contracts(hamlet: Hamlet, tmp_path: Path) -> None:
    assert_same(hamlet.write(tmp_path / "hamlet"), tmp_path)


def test_own_orders_and_forecasts_readings_and_members_are_the_contracts(tmp_path: Path) -> None:
    assert_same(OwnHamlet().write(tmp_path / "hamlet"), tmp_path)
    rows = read_table(tmp_path / "model" / "readings.csv")
    status = {name: {row["status"] for row in rows if row["participant"] == name} for name in ("home-2", "home-3")}
    assert status == {"home-2": {"estimated", "measured"}, "home-3": {"corrected", "measured"}}


def test_days_of_eight_hours_are_the_contracts(tmp_path: Path) -> None:
    assert_same(short_days(tmp_path / "hamlet"), tmp_path)


@pytest.mark.parametrize("name", sorted(PLAYED))
def test_a_shipped_scenarios_tables_are_the_contracts(name: str, tmp_path: Path) -> None:
    for folder in (name, "data"):
        shutil.copytree(SHIPPED / folder, tmp_path / "scenarios" / folder)
    config = tmp_path / "scenarios" / name / "scenario.toml"
    if name in YEARS:
        text, days = config.read_text(encoding="utf-8"), f"days = {YEARS[name]}\n"
        assert days in text
        config.write_text(text.replace(days, f"days = {DAYS_OF_YEAR}\n"), encoding="utf-8")
    assert_same(config.parent, tmp_path)


def limited(tmp_path: Path, changed: str = "") -> Path:
    """A copy of the scenario with a dispatcher, whose [grid] says more."""
    for folder in ("rural-sunday-limits", "data"):
        shutil.copytree(SHIPPED / folder, tmp_path / "scenarios" / folder)
    config = tmp_path / "scenarios" / "rural-sunday-limits" / "scenario.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("dispatcher = true", f"dispatcher = true\n{changed}\n#", 1), encoding="utf-8")
    return config.parent


def test_orders_beyond_a_limit_are_refused_and_who_ignores_one_is_charged(tmp_path: Path) -> None:
    sold = '{members = ["pv-1", "pv-2"], direction = "feed-in", share = 500, price = 0.01}'
    scenario = limited(tmp_path, f'ignored_by = ["pv-1"]\nrelief = {{pays = 0.02, offers = [{sold}]}}')
    columns = ("participant", "start", "side", "price", "energy_wh")
    # At one its plant may feed in less than 3 kWh of its 5.75.
    orders = [(name, "2016-05-08T13:00:00+02:00", "ask", "0.05", wh) for name, wh in (("pv-3", 5_700), ("pv-5", 100))]
    write_table(scenario / "orders.csv", columns, orders)
    config = scenario / "scenario.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace('participants.csv"\n', 'participants.csv"\norders = "orders.csv"\n', 1), encoding="utf-8"
    )
    assert_same(scenario, tmp_path)
    rows = read_table(tmp_path / "model" / "orders.csv")
    assert [row["participant"] for row in rows if "ExceedsLimit" in row["reason"]] == ["pv-3"]
    payments = read_table(tmp_path / "model" / "payments.csv")
    charged = {row["participant"]: int(row["amount_units"]) for row in payments if row["cause"] == "beyond limits"}
    assert charged["pv-1"] == -charged["fund"] < 0
    delivered = {row["participant"]: int(row["delivered_wh"]) for row in read_table(tmp_path / "model" / "relief.csv")}
    assert delivered["pv-1"] == 0 < delivered["pv-2"]
    assert [row["participant"] for row in payments if row["cause"] == "relief not delivered"] == ["pv-1", "fund"]
    result = run("grid", "recheck", tmp_path / "chain")
    assert result.code == 0, result


@pytest.mark.parametrize(
    ("table", "old", "new", "check"),
    [
        (
            "events.jsonl",
            '"zone": 1, "strip": 8',
            '"zone": 1, "strip": 7',
            "published limits follow from the forecasts",
        ),
        ("events.jsonl", '"zones": [1, 1', '"zones": [1, 2', "members are in their zones"),
        ("events.jsonl", '"exports": 1742', '"exports": 1743', "standing limits are safe by themselves"),
        ("events.jsonl", '"isFedIn": true, "energies": 1', '"isFedIn": true, "energies": 2', "relief is bought"),
        ("events.jsonl", '{"bytes": "f3d3', '{"bytes": "f3d4', "limits are of the network in this folder"),
    ],
)
def test_an_auditor_finds_what_a_dispatcher_did_otherwise(
    table: str, old: str, new: str, check: str, dispatched: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(dispatched, folder)
    text = (folder / table).read_text(encoding="utf-8")
    assert old in text
    (folder / table).write_text(text.replace(old, new, 1), encoding="utf-8")
    result = run("grid", "recheck", folder)
    assert result.code == 1, result
    [line] = [line for line in result.out.splitlines() if check in line]
    assert not line.startswith("ok")


@pytest.fixture(scope="module")
def dispatched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the scenario with a dispatcher."""
    out = tmp_path_factory.mktemp("dispatched") / "out"
    with anvil() as url:
        words = "day", SHIPPED / "rural-sunny", "--out", out, "--network", f"ethereum:local:{url}"
        result = run(*words, timeout=_SECONDS, prepare=without_pictures)
    assert result.code == 0, result
    return out


def test_every_output_says_that_there_was_no_chain(tmp_path: Path) -> None:
    scenario, out = Hamlet().write(tmp_path / "hamlet"), tmp_path / "out"
    result = run("day", scenario, "--no-chain", "--out", out)
    assert result.code == 0, result
    assert "without a chain, by the reference model" in " ".join(result.out.split())
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["without_chain"] is True
    assert "Played without a chain" in (out / "report.html").read_text(encoding="utf-8")
    assert not (out / "events.jsonl").exists()
    again = run("report", out)
    assert "without a chain" in again.out


def test_a_run_on_a_chain_is_not_overwritten(day: Path, scenario: Path) -> None:
    before = tables(day)
    result = run("day", scenario, "--no-chain", "--out", day)
    assert result.code == 2
    assert "holds a run on a chain" in result.err
    assert tables(day) == before
