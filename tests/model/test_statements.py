"""What every member paid, line by line: it sums to what its account moved by, in every community."""

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.commands.hamlet import DEBTORS, MIXED, POOR, Hamlet
from support.model.bills import BILL, played

from dem.community.scenario import load_scenario
from dem.errors import InputError
from dem.report import write_members
from dem.report.members import MOST_PAGES
from dem.results.reader import Results, ResultsError, read_results
from dem.results.statements import (
    NOT_DRAWN,
    NOT_FED_IN,
    PURCHASE,
    SUPPLY,
    SURPLUS,
    Statement,
    StatementError,
    Statements,
)

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
COMMUNITIES: Mapping[str, Mapping[str, Any]] = {
    "one consumer": {"consumers": 1, "plants": 0},
    "one prosumer": {"consumers": 0, "plants": 1},
    "one of each": {"consumers": 1, "plants": 1},
    "two prosumers, two days": {"consumers": 0, "plants": 2, "days": 2},
    "every market": {"markets": MIXED, "days": 2},
    "bills that are not paid": {"more": (POOR, *DEBTORS), "days": 2},
    "a supplier that is short": {"consumers": 0, "plants": 2, "more": DEBTORS, "days": 3, "credit": "0.01"},
    "an island": {"islanded": True},
}


def check(results: Results) -> Mapping[str, Statement]:
    statements = Statements(results)
    assert len(statements) == len(results.accounts) - 2  # the fund's and the clearing house's are nobody's
    for name in statements:
        own = statements[name]
        assert own.movement_units == own.account_units, name
        if len(own.rows):
            assert own.bill_units == sum(
                int(own.rows[f"{part}_units"].sum()) for part in ("trade", "imbalance", "fees", "deviation", "penalty")
            )
        if own.split is not None:
            assert sum(line.energy_wh for line in own.energy) == own.drawn_wh - own.fed_in_wh, name
            assert own.tariff_units - own.split.saved == own.bill_units, name
    return statements


@pytest.mark.parametrize("name", ["rural-sunday", "rural-weekday", "rural-markets", "rural-island"])
def test_what_members_of_shipped_scenarios_paid_is_what_left_their_accounts(name: str, tmp_path: Path) -> None:
    statements = check(played(SCENARIOS / name, tmp_path))
    if name == "rural-markets":
        causes = {line.what for own in statements.values() for line in own.payments}
        assert {"premium", "reward", "network fees", "platform fees", "penalties of the upper market"} <= causes


@pytest.mark.parametrize("name", COMMUNITIES)
def test_what_members_paid_is_what_left_their_accounts(name: str, tmp_path: Path) -> None:
    folder = Hamlet(**COMMUNITIES[name]).write(tmp_path / "hamlet")
    results = played(folder, tmp_path / "out")
    statements = check(results)
    if name == "every market":
        assert any(line.what == "commission" for line in statements["agency"].payments)
    if name == "bills that are not paid":
        assert statements["debtor-0"].unpaid_units > 0
    if name == "a supplier that is short":
        assert any(line.what == "taken back" for own in statements.values() for line in own.payments)
    pages = write_members(tmp_path / "out", results)
    assert sorted(page.stem for page in pages) == sorted(statements)
    for page in pages:
        HTMLParser().feed(page.read_text(encoding="utf-8"))


def test_ordinary_supply_is_told_apart_from_contracts_that_were_not_kept(tmp_path: Path) -> None:
    statements = check(played(Hamlet().write(tmp_path / "hamlet"), tmp_path / "out"))
    found = {line.what for own in statements.values() for line in own.energy}
    assert {SUPPLY, SURPLUS, NOT_DRAWN, NOT_FED_IN} <= found
    for own in statements.values():
        for period, row in own.rows.iterrows():
            contracted, off = int(row["contracted_wh"]), int(row["imbalance_wh"])
            broken = int(row[f"{NOT_DRAWN} wh"]) + int(row[f"{NOT_FED_IN} wh"])
            assert broken * contracted <= 0, period
            assert abs(broken) <= abs(contracted)
            assert int(row[f"{SUPPLY} wh"]) + int(row[f"{SURPLUS} wh"]) + broken == off


def test_levies_and_vat_are_on_the_bill_and_on_no_account(tmp_path: Path) -> None:
    plain = Hamlet(days=2).write(tmp_path / "plain")
    taxed = Hamlet(days=2).write(tmp_path / "taxed")
    with (taxed / "scenario.toml").open("a", encoding="utf-8") as file:
        file.write(BILL)
    before, after = (check(played(folder, tmp_path / f"out-{folder.name}")) for folder in (plain, taxed))
    for name, own in after.items():
        assert own.account_units == before[name].account_units
        if not len(own.rows):
            assert own.taxes == ()
            continue
        tax, metering, vat = own.taxes
        assert tax.units == 2_050 * own.drawn_wh
        assert metering.units == 2 * 5_000_000
        purchases = sum(line.units for line in own.energy if line.kind == PURCHASE)
        fees = sum(line.units for line in own.charges if line.what.startswith("fees"))
        assert vat.units == (purchases + fees + tax.units + metering.units) * 19 // 100
        assert own.taxed_units == own.movement_units + own.unpaid_units + sum(line.units for line in own.taxes)
    page = write_members(tmp_path / "out-taxed", read_results(tmp_path / "out-taxed"), ["home-1"])[0]
    text = page.read_text(encoding="utf-8")
    assert "VAT on purchases, fees and levies: 19 %" in text
    assert "posted on no account of the market" in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vat = 101", "bill.vat: .* must be 0 to 100 percent"),
        ("vat = 19.001", "bill.vat: .* at most two decimals"),
        ('vat = "19"', "bill.vat: '19' must be a number, in percent"),
        ('levies = [{ name = "", per_kwh = 1 }]', "bill.levies.0.name: '' "),
        ('levies = [{ name = "x", per_kwh = 0.000001 }]', "bill.levies.0.per_kwh: .* whole number of units/Wh"),
        ('levies = [{ name = "x", per_day = -1 }]', "bill.levies.0.per_day: .* plain decimal number"),
        ('levies = [{ name = "x", per_week = 1 }]', "bill.levies.0.per_week: "),
    ],
)
def test_bad_lines_of_a_bill(text: str, why: str, tmp_path: Path) -> None:
    folder = Hamlet().write(tmp_path)
    with (folder / "scenario.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[bill]\n{text}\n")
    with pytest.raises(InputError, match=why):
        load_scenario(folder)


@pytest.mark.parametrize(
    "bill", ["[]", '{"vat_per_10000": "x"}', '{"levies": [{"name": "x"}]}', '{"vat_per_10000": 1e9}']
)
def test_bad_lines_of_a_bill_in_the_tables(bill: str, tmp_path: Path) -> None:
    played(Hamlet(consumers=1, plants=0).write(tmp_path / "hamlet"), tmp_path / "out")
    run = tmp_path / "out" / "run.json"
    run.write_text(run.read_text(encoding="utf-8").replace("{", f'{{\n  "bill": {bill},', 1), encoding="utf-8")
    with pytest.raises(ResultsError, match="bill must say vat_per_10000 and levies"):
        read_results(tmp_path / "out")


def test_names_that_are_no_file_names_are_pages_by_number(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    played(Hamlet(consumers=1, plants=0).write(tmp_path / "hamlet"), folder)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del run["checksums"]
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    for table in folder.glob("*.csv"):
        table.write_text(table.read_text(encoding="utf-8").replace("home-1", "../<b>home"), encoding="utf-8")
    pages = write_members(folder, read_results(folder))
    assert {page.parent for page in pages} == {folder / "members"}
    page = next(page for page in pages if page.name.startswith("member "))
    assert "../&lt;b&gt;home" in page.read_text(encoding="utf-8")
    assert "<b>home" not in page.read_text(encoding="utf-8")


def test_of_many_members_those_get_a_page_who_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = played(Hamlet().write(tmp_path / "hamlet"), tmp_path / "out")
    assert MOST_PAGES >= 100
    monkeypatch.setattr("dem.report.members.MOST_PAGES", 3)
    assert write_members(tmp_path / "out", results) == []
    assert [page.name for page in write_members(tmp_path / "out", results, ["home-2"])] == ["home-2.html"]
    with pytest.raises(StatementError, match="'nobody' has no account in this run"):
        write_members(tmp_path / "out", results, ["nobody"])
