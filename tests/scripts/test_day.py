"""`ape run day`: its tables, recomputed here from the scenario's and its own CSV files."""

import json
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest
from support.commands.hamlet import FIRST_DAY, POOR, Hamlet, read_table
from support.commands.recompute import Auction, Order, Rules, auction, by_key, settle, wrong_fills
from support.commands.shell import EMBEDDED, PROJECT, run

PERIOD_SECONDS = 3600
PERIODS = 24
FIRST_PERIOD = int(FIRST_DAY.timestamp()) // PERIOD_SECONDS
RULES = Rules(platform_fee=200, network_fee=1000, deviation_rate=200, tolerance_fixed=20, tolerance_share=1000)
FOR_PEOPLE = ("_kwh", "_per_kwh", "_local")
"""Columns with these endings repeat others for people and stand in any table."""


@pytest.fixture(scope="module")
def tables(day: Path) -> dict[str, list[dict[str, str]]]:
    """Every table by its name."""
    return {path.stem: read_table(path) for path in day.glob("*.csv")}


@pytest.fixture(scope="module")
def books(tables) -> dict[int, list[tuple[Order, int]]]:
    """Accepted orders with their fills, by period."""
    filled = {row["order"]: int(row["filled_wh"]) for row in tables["fills"]}
    found = defaultdict(list)
    for row in tables["orders"]:
        order = Order(row["participant"], row["side"], int(row["limit_ticks"]), int(row["energy_wh"]))
        if row["status"] == "accepted":
            found[int(row["period"])].append((order, filled[row["order"]]))
    return found


@pytest.fixture(scope="module")
def auctions(books) -> dict[int, Auction]:
    """The definition's outcome of every book."""
    periods = range(FIRST_PERIOD, FIRST_PERIOD + PERIODS)
    return {period: auction([order for order, _ in books.get(period, [])]) for period in periods}


def documented() -> dict[str, list[str]]:
    """Columns of every table by the description of the outputs."""
    text = (PROJECT / "docs" / "guide" / "outputs.md").read_text(encoding="utf-8")
    found = {}
    for name, section in re.findall(r"^\*\*(\w+)\.csv\*\*(.*?)(?=^\*\*|^## )", text, re.MULTILINE | re.DOTALL):
        cells = re.findall(r"^\|([^|]*)\|", section, re.MULTILINE)
        found[name] = [column for cell in cells for column in re.findall(r"`(\w+)`", cell)]
    return found


def test_every_table_is_written_with_exactly_the_columns_described(day):
    described = documented()
    del described["cuts"], described["relief"]  # an island's, and a network's
    assert {path.stem for path in day.glob("*.csv")} == described.keys()
    for name, columns in described.items():
        written = (day / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        exact = [column for column in written if not column.endswith(FOR_PEOPLE)]
        assert sorted(exact) == sorted(column for column in columns if not column.endswith(FOR_PEOPLE)), name
        assert set(columns) <= set(written), name


def test_the_hamlet_trades_rations_and_refuses(tables, books, auctions):
    """Without these the other tests would prove little."""
    partly = [1 for orders in books.values() for order, energy in orders if 0 < energy < order.energy]
    assert sum(found.volume > 0 for found in auctions.values()) > 8
    assert len(partly) > 8
    assert {row["status"] for row in tables["orders"]} == {"accepted", "rejected"}
    assert {int(row["imbalance_wh"]) > 0 for row in tables["area"]} == {True, False}
    assert any(int(row["deviation_units"]) for row in tables["settlement"])
    assert any(int(row["arrears_units"]) for row in tables["accounts"])


def test_prices_and_volumes_are_those_of_the_definition(tables, auctions):
    assert [int(row["period"]) for row in tables["clearing"]] == sorted(auctions)
    for row in tables["clearing"]:
        found = auctions[int(row["period"])]
        assert int(row["volume_wh"]) == found.volume
        assert row["price_ticks"] == (str(found.price) if found.volume else "")
        if found.volume:
            assert found.lowest <= int(row["price_ticks"]) <= found.highest


def test_fills_keep_the_priority_of_price_and_share_the_margin(books, auctions):
    for period, orders in books.items():
        assert not wrong_fills([order for order, _ in orders], [energy for _, energy in orders], auctions[period])
        bought, sold = (sum(filled for order, filled in orders if order.side == side) for side in ("bid", "ask"))
        assert bought == sold == auctions[period].volume


def test_amounts_are_filled_energy_at_the_uniform_price(tables):
    prices = {row["period"]: int(row["price_ticks"] or 0) for row in tables["clearing"]}
    orders = {row["order"]: row for row in tables["orders"]}
    for row in tables["fills"]:
        order = orders[row["order"]]
        sign = 1 if order["side"] == "bid" else -1
        assert int(row["amount_units"]) == sign * int(row["filled_wh"]) * prices[order["period"]] * 100


def test_orders_that_their_owner_cannot_pay_are_rejected_with_the_reason(tables):
    rejected = [row for row in tables["orders"] if row["status"] == "rejected"]
    assert {row["participant"] for row in rejected} == {POOR[0]}
    assert all(row["reason"].startswith("InsufficientFunds(") for row in rejected)
    assert all(row["reason"] == "" for row in tables["orders"] if row["status"] != "rejected")


def test_the_schedule_is_what_the_fills_add_up_to(tables, books):
    contracted = defaultdict(int)
    for period, orders in books.items():
        for order, filled in orders:
            contracted[order.participant, str(period)] += filled if order.side == "bid" else -filled
    for row in tables["schedule"]:
        assert int(row["contracted_wh"]) == contracted.pop((row["participant"], row["period"]), 0)
    assert not any(contracted.values())


def test_readings_are_the_scenarios_meters(scenario, tables):
    net = defaultdict(int)
    for sign, name in ((1, "load"), (-1, "pv")):
        for row in read_table(scenario / f"{name}.csv"):
            period = int(datetime.fromisoformat(row.pop("start")).timestamp()) // PERIOD_SECONDS
            for participant, energy in row.items():
                net[participant, period] += sign * int(energy)
    day = range(FIRST_PERIOD, FIRST_PERIOD + PERIODS)
    assert {(row["participant"], int(row["period"])): int(row["metered_wh"]) for row in tables["readings"]} == {
        (participant, period): energy for (participant, period), energy in net.items() if period in day
    }
    assert {row["status"] for row in tables["readings"]} == {"measured"}


def test_tariffs_follow_the_wholesale_price(scenario, tables):
    wholesale = {
        int(datetime.fromisoformat(row["start"]).timestamp()) // PERIOD_SECONDS: round(
            float(row["price_per_mwh"]) * 100
        )
        for row in read_table(scenario / "prices.csv")
    }
    assert len(tables["tariffs"]) == PERIODS
    for row in tables["tariffs"]:
        price = wholesale[int(row["period"])]
        assert int(row["buy_units_per_wh"]) == price + 25_000
        assert int(row["sell_units_per_wh"]) == price - 400


def test_settlement_follows_the_formulas(tables, books):
    prices = {row["period"]: int(row["price_ticks"]) if row["price_ticks"] else None for row in tables["clearing"]}
    tariffs = {
        row["period"]: (int(row["buy_units_per_wh"]), int(row["sell_units_per_wh"])) for row in tables["tariffs"]
    }
    readings = by_key(tables["readings"], "period")
    for (period,), rows in by_key(tables["settlement"], "period").items():
        metered = {row["participant"]: int(row["metered_wh"]) for row in readings[period,]}
        traded = {
            name: tuple(
                sum(filled for order, filled in books.get(int(period), []) if (order.participant, order.side) == key)
                for key in ((name, "bid"), (name, "ask"))
            )
            for name in metered
        }
        dues = settle(RULES, prices[period], tariffs[period], traded, metered)
        assert {row["participant"] for row in rows} == dues.keys()
        for row in rows:
            due, (bought, sold) = dues[row["participant"]], traded[row["participant"]]
            assert int(row["contracted_wh"]) == bought - sold
            assert int(row["metered_wh"]) == metered[row["participant"]]
            assert int(row["imbalance_wh"]) == metered[row["participant"]] - bought + sold
            assert int(row["trade_units"]) == due.trade
            assert int(row["imbalance_units"]) == due.imbalance
            assert int(row["fees_units"]) == due.fees
            assert int(row["deviation_units"]) == due.deviation


def test_energy_and_money_of_every_period_balance(tables):
    tariffs = {
        row["period"]: (int(row["buy_units_per_wh"]), int(row["sell_units_per_wh"])) for row in tables["tariffs"]
    }
    settled = by_key(tables["settlement"], "period")
    assert len(tables["area"]) == len(settled) == PERIODS
    for area in tables["area"]:
        total = {
            column: sum(int(row[column]) for row in settled[area["period"],])
            for column in settled[area["period"],][0]
            if column not in ("participant", "period")
        }
        imported, (buy, sell) = int(area["imbalance_wh"]), tariffs[area["period"]]
        assert total["trade_units"] == 0
        assert total["contracted_wh"] == 0
        assert imported == total["imbalance_wh"] == total["metered_wh"] == int(area["fallback_wh"])
        assert int(area["fallback_units"]) == imported * (buy if imported > 0 else sell)
        paid = total["imbalance_units"] + total["deviation_units"]
        assert paid == int(area["fallback_units"]) + int(area["fund_units"])


def test_accounts_close_with_what_was_brought_and_what_was_settled(tables):
    """Nobody but the fallback supplier lends: it is short of the arrears of those who could not pay."""
    postings = defaultdict(int)
    for row in tables["settlement"]:
        amounts = ("trade_units", "imbalance_units", "fees_units", "deviation_units")
        postings[row["participant"]] -= sum(int(row[column]) for column in amounts)
    traded = sum(int(row["filled_wh"]) for row in tables["fills"])
    postings["operator"] += traded * RULES.platform_fee
    postings["grid"] += traded * RULES.network_fee
    postings["supplier"] += sum(int(row["fallback_units"]) for row in tables["area"])
    postings["fund"] += sum(int(row["fund_units"]) for row in tables["area"])
    arrears = {row["account"]: int(row["arrears_units"]) for row in tables["accounts"]}
    for row in tables["accounts"]:
        brought = int(row["opening_units"]) + int(row["deposited_units"]) - int(row["withdrawn_units"])
        carried = sum(arrears.values()) if row["account"] == "supplier" else -arrears[row["account"]]
        assert int(row["closing_units"]) == brought + postings.pop(row["account"], 0) - carried, row
    assert not postings


def test_deposits_are_the_scenarios(scenario, tables):
    wanted = {
        row["participant"]: round(float(row["deposit"]) * 10**8) for row in read_table(scenario / "participants.csv")
    }
    deposited = {row["account"]: int(row["deposited_units"]) for row in tables["accounts"]}
    assert deposited == {"fund": 0, "clearing_house": 0, **wanted}


def test_the_run_and_its_invariants_are_recorded(day):
    record = json.loads((day / "run.json").read_text(encoding="utf-8"))
    assert (record["scenario"], record["first_period"], record["days"]) == ("hamlet", FIRST_PERIOD, 1)
    assert len(record["invariants"]) > 5
    assert all(check["ok"] for check in record["invariants"])


def without(column: int):
    """A table's lines with one column less."""

    def change(lines: list[str]) -> list[str]:
        return [",".join(cell for i, cell in enumerate(line.split(",")) if i != column) for line in lines]

    return change


def with_cell(line: int, column: int, text: str):
    """A table's lines with another text in one cell; lines count from 1, columns from 0."""

    def change(lines: list[str]) -> list[str]:
        cells = lines[line - 1].split(",")
        cells[column] = text
        return [*lines[: line - 1], ",".join(cells), *lines[line:]]

    return change


def replaced(old: str, new: str):
    """A file's lines with one text for another."""

    def change(lines: list[str]) -> list[str]:
        assert any(old in line for line in lines)
        return [line.replace(old, new) for line in lines]

    return change


@pytest.mark.parametrize(
    ("file", "change", "named"),
    [
        ("scenario.toml", replaced("seed = 7", "seed ="), ["is not TOML", "line 4"]),
        ("scenario.toml", replaced("seed = 7", "seed = 7\ncolour = 1"), ["colour", "1"]),
        ("scenario.toml", replaced("periods_per_day = 24", "periods_per_day = 25"), ["calendar.periods_per_day", "25"]),
        ("scenario.toml", replaced("platform_fee = 0.002", "platform_fee = 0.002001"), ["rules.0.platform_fee"]),
        ("scenario.toml", replaced("zero_intelligence", "cunning"), ["'cunning'", "is no strategy"]),
        ("scenario.toml", replaced("load.csv", "absent.csv"), ["absent.csv", "No such file"]),
        ("scenario.toml", replaced("max_buy = 0.4", "max_buy = 0.28"), ["prices.csv, line", "max_buy"]),
        ("participants.csv", without(3), ["participants.csv, line 1", "lacks the column import_capacity_wh"]),
        ("participants.csv", with_cell(5, 1, "baker"), ["participants.csv, line 5, column kind", "'baker'"]),
        ("participants.csv", with_cell(6, 0, "home-1"), ["line 6, column participant", "'home-1'", "is there twice"]),
        ("participants.csv", with_cell(5, 5, "-3"), ["participants.csv, line 5, column deposit", "'-3'"]),
        ("participants.csv", lambda lines: lines[:2] + lines[3:], ["participants.csv", "operator", "is missing"]),
        ("load.csv", with_cell(9, 2, "12h"), ["load.csv, line 9, column home-1", "'12h'", "must be a number"]),
        ("load.csv", with_cell(9, 2, "-1"), ["load.csv, line 9, column home-1", "'-1'"]),
        ("load.csv", with_cell(9, 2, "99999"), ["home-1", "99999", "beyond the connection"]),
        ("load.csv", with_cell(1, 2, "nobody"), ["load.csv, line 1, column", "'nobody'"]),
        ("load.csv", lambda lines: lines[:8] + lines[9:], ["load.csv, line 9, column start", "must follow"]),
        ("load.csv", lambda lines: lines[:-1], ["load.csv", "must cover 2016-05-08"]),
        ("load.csv", lambda lines: [*lines[:8], "2016", *lines[9:]], ["load.csv, line 9", "1 values for"]),
        ("pv.csv", lambda lines: [], ["pv.csv, line 1", "lacks the column start"]),
        ("pv.csv", lambda lines: ["\0\1\2"], ["pv.csv, line 1", "lacks the column start"]),
        ("prices.csv", with_cell(3, 1, "nan"), ["prices.csv, line 3, column price_per_mwh", "'nan'"]),
        ("prices.csv", with_cell(3, 0, "2016-05-08T00:00"), ["prices.csv, line 3, column start", "offset"]),
    ],
)
def test_a_faulty_scenario_is_refused_before_anything_runs(file, change, named, tmp_path):
    folder = Hamlet().write(tmp_path / "hamlet")
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    (folder / file).write_text("".join(f"{line}\n" for line in change(lines)), encoding="utf-8")
    result = run("day", folder, "--out", tmp_path / "out", *EMBEDDED)
    assert result.code == 2, result
    assert "Traceback" not in result.err + result.out
    assert all(words in result.err for words in named), result.err
    assert not (tmp_path / "out").exists()


def test_a_scenario_of_bytes_is_refused(tmp_path):
    (Hamlet().write(tmp_path) / "scenario.toml").write_bytes(bytes(range(256)))
    result = run("day", tmp_path, "--out", tmp_path / "out", *EMBEDDED)
    assert result.code == 2
    assert f"{tmp_path / 'scenario.toml'}: is not UTF-8 (byte 128): save it as UTF-8" in result.err


@pytest.mark.parametrize("name", ["absent", "scenario.toml"])
def test_a_path_that_is_no_scenario_folder_is_refused(name, tmp_path):
    Hamlet().write(tmp_path)
    result = run("day", tmp_path / name, "--out", tmp_path / "out", *EMBEDDED)
    assert result.code == 2
    assert result.err.startswith(f"error: {tmp_path / name / 'scenario.toml'}: ")
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()
