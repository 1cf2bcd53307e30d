"""`ape run day` on an island: balance at the meters, nothing with the upper grid, and what was cut, to the Wh."""

import json
from collections import Counter
from pathlib import Path

import pytest
from support.commands.hamlet import FIRST_DAY, Hamlet, read_table
from support.commands.shell import EMBEDDED, Result, run


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """Scenario, output folder, and what the run printed."""
    folder = tmp_path_factory.mktemp("island")
    scenario = Hamlet(days=2, islanded=True).write(folder / "hamlet")
    result = run("day", scenario, "--out", folder / "out", *EMBEDDED)
    assert result.code == 0, result
    return scenario, folder / "out", result


def wanted(scenario: Path) -> Counter[tuple[str, int]]:
    """Net energy that meters would have shown with an upper grid, by participant and period of the run."""
    nets: Counter[tuple[str, int]] = Counter()
    for table, sign in (("load.csv", 1), ("pv.csv", -1)):
        rows = [row for row in read_table(scenario / table) if row["start"] >= FIRST_DAY.isoformat()]
        for period, row in enumerate(rows):
            for name, energy in row.items():
                if name != "start":
                    nets[name, period] += sign * int(energy)
    return nets


def test_every_period_is_in_balance_at_the_meters(played):
    _, out, _ = played
    sums: Counter[str] = Counter()
    for row in read_table(out / "readings.csv"):
        sums[row["period"]] += int(row["metered_wh"])
    assert len(sums) == 48
    assert not any(sums.values())


def test_the_fallback_supplier_is_owed_nothing_and_pays_nothing(played):
    _, out, _ = played
    for row in read_table(out / "area.csv"):
        assert [int(row[name]) for name in ("imbalance_wh", "fallback_wh", "fallback_units", "fund_units")] == [0] * 4
    (supplier,) = (row for row in read_table(out / "accounts.csv") if row["account"] == "supplier")
    assert int(supplier["closing_units"]) == int(supplier["opening_units"]) + int(supplier["deposited_units"])


def test_what_was_cut_is_what_the_meters_lack(played):
    scenario, out, _ = played
    nets, first = wanted(scenario), json.loads((out / "run.json").read_text(encoding="utf-8"))["first_period"]
    for row in read_table(out / "readings.csv"):
        nets[row["participant"], int(row["period"]) - first] -= int(row["metered_wh"])
    rows = read_table(out / "cuts.csv")
    cut = {
        (row["participant"], int(row["period"]) - first): int(row["shed_wh"]) - int(row["curtailed_wh"]) for row in rows
    }
    assert cut == {key: energy for key, energy in nets.items() if energy}
    for side in ("shed_wh", "curtailed_wh"):
        assert any(int(row[side]) for row in rows), side
    assert all(0 <= int(row["contracted_wh"]) <= int(row["shed_wh"]) + int(row["curtailed_wh"]) for row in rows)


def test_what_was_traded_and_cut_is_paid_back_at_the_price(played):
    _, out, _ = played
    prices = {row["period"]: row["price_ticks"] for row in read_table(out / "clearing.csv")}
    for row in read_table(out / "settlement.csv"):
        assert row["deviation_units"] == "0"
        if prices[row["period"]]:
            paid = int(row["trade_units"]) + int(row["imbalance_units"])
            assert paid == int(row["metered_wh"]) * int(prices[row["period"]]) * 100


def test_the_summary_and_the_report_say_it(played):
    _, out, result = played
    assert "Shed from 5 consumers" in result.out
    assert "Curtailed at 3 prosumers" in result.out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "What the island cut off" in page
    assert "Cut off by group" in page


def test_the_record_alone_says_the_same(played):
    _, out, _ = played
    result = run("reconcile", out, *EMBEDDED)
    assert result.code == 0, result
