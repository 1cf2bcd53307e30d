"""Bills: what they sum to, how they are numbered and corrected, and how they are drawn."""

import csv
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from support.commands.hamlet import DEBTORS, MIXED, POOR, Hamlet
from support.model.bills import BILL, played

from dem.commands.bill import cli
from dem.community.scenario import load_scenario
from dem.errors import InputError
from dem.gateway.bills.book import FILE, Book
from dem.gateway.bills.drawing import NAMESPACE, as_html, as_pdf, write
from dem.gateway.pages.language import LANGUAGES, language
from dem.model.bills import CENT, Bill, Document
from dem.offchain.run import write_days
from dem.results.bills import DAY, MONTH, billed, bills_of, spans_of
from dem.results.reader import Results, read_results
from dem.results.statements import StatementError, Statements

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
NOW = "2026-06-01T00:00:00+00:00"
COMMUNITIES: dict[str, dict[str, Any]] = {
    "two days": {"days": 2},
    "every market": {"markets": MIXED, "days": 2},
    "bills that are not paid": {"more": (POOR, *DEBTORS), "days": 2},
    "a supplier that is short": {"consumers": 0, "plants": 2, "more": DEBTORS, "days": 3, "credit": "0.01"},
    "an island": {"islanded": True},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a hamlet with levies and VAT."""
    home = tmp_path_factory.mktemp("hamlet")
    scenario = Hamlet(days=2).write(home / "hamlet")
    with (scenario / "scenario.toml").open("a", encoding="utf-8") as file:
        file.write(BILL)
    write_days(load_scenario(scenario), home / "out")
    return home / "out"


def check_sums(results: Results) -> None:
    """Whatever calendar the bills follow, together they are what was posted to the account, to the unit."""
    statements = Statements(results)
    for by in (MONTH, DAY):
        bills = list(bills_of(results, by))
        for name in billed(results):
            own = statements[name]
            # What the grid operator earns from others is in their bills.
            earned = sum(line.units for line in own.payments if line.what == "network fees")
            posted = sum(bill.posted_units for bill in bills if bill.participant == name)
            assert posted == own.account_units + own.unpaid_units - earned, (name, by)
        others = sum(statements[name].account_units for name in statements if name not in billed(results))
        fund = -sum(int(row["earned_units"]) for _, row in results.accounts.iterrows() if row["account"] == "fund")
        unpaid = sum(statements[name].unpaid_units for name in statements)
        network = sum(line.units for own in statements.values() for line in own.payments if line.what == "network fees")
        assert sum(bill.posted_units for bill in bills) + network - unpaid + others + fund == 0
        assert sum(bill.drawn_wh for bill in bills) == sum(own.drawn_wh for own in statements.values())


@pytest.mark.parametrize("name", ["rural-sunday", "rural-weekday", "rural-markets", "rural-island"])
def test_bills_of_shipped_scenarios_are_what_was_posted(name: str, tmp_path: Path) -> None:
    check_sums(played(SCENARIOS / name, tmp_path))


@pytest.mark.parametrize("name", COMMUNITIES)
def test_bills_are_what_was_posted(name: str, tmp_path: Path) -> None:
    check_sums(played(Hamlet(**COMMUNITIES[name]).write(tmp_path / "hamlet"), tmp_path / "out"))


@pytest.mark.parametrize(("start", "hours"), [("2016-03-26", [24, 23, 1]), ("2016-10-29", [24, 24])])
def test_days_follow_the_clock_on_the_wall(start: str, hours: Sequence[int], folder: Path) -> None:
    results = read_results(folder)
    first = int(datetime.fromisoformat(f"{start}T00:00+00:00").timestamp()) // 3_600
    offset = -1 if start == "2016-03-26" else -2
    run = replace(
        results.run, timezone="Europe/Berlin", period_seconds=3_600, periods_per_day=24, first_period=first + offset
    )
    spans = spans_of(replace(results, run=run), DAY)
    assert [len(span.periods) for span in spans] == hours
    assert spans[0].is_whole_days
    assert [len(span.periods) for span in spans_of(replace(results, run=run), MONTH)] == [48]


def issue(folder: Path, bills: Sequence[Bill]) -> tuple[Book, list[Document]]:
    book = Book(folder)
    by = "day" if len(bills[0].span) > len("2016-05") else "month"
    return book, book.issue(bills, "hamlet", by, NOW)


def test_numbers_run_on_and_rests_are_carried(folder: Path, tmp_path: Path) -> None:
    bills = list(bills_of(read_results(folder), DAY))
    book, made = issue(tmp_path, bills)
    assert [one.number for one in made] == [f"hamlet-{n + 1:06d}" for n in range(len(bills))]
    for name in {bill.participant for bill in bills}:
        own = book.of(name)
        assert own[0].rest_before_units == 0
        assert all(after.rest_before_units == before.rest_units for before, after in pairwise(own))
        due = sum(one.due_cents for one in own) * CENT
        assert due + own[-1].rest_units == sum(one.bill.total_units for one in own)
        assert 0 <= own[-1].rest_units < CENT
    assert issue(tmp_path, bills)[1] == []
    assert Book(tmp_path).documents == made


def test_nothing_is_billed_by_month_and_by_day_or_with_the_bills_of_others(folder: Path, tmp_path: Path) -> None:
    results = read_results(folder)
    book, _ = issue(tmp_path, list(bills_of(results, MONTH)))
    before = book.path.read_bytes()
    with pytest.raises(InputError, match="has bills by month, not day"):
        issue(tmp_path, list(bills_of(results, DAY)))
    with pytest.raises(InputError, match="has the bills of hamlet, not town"):
        book.issue([], "town", "month", NOW)
    assert book.path.read_bytes() == before


def test_a_correction_is_a_new_document_that_names_the_old(folder: Path, tmp_path: Path) -> None:
    bill, other, *_ = bills_of(read_results(folder), MONTH)
    [first, _] = issue(tmp_path, [bill, other])[1]
    line = replace(bill.energy[0], units=bill.energy[0].units + 12_345)
    corrected = replace(bill, energy=(line, *bill.energy[1:]))
    book, [second] = issue(tmp_path, [corrected, other])
    assert (second.number, second.corrects, second.before_units) == ("hamlet-000003", first.number, bill.total_units)
    assert second.change_units == 12_345
    assert (first.due_cents + second.due_cents) * CENT + second.rest_units == corrected.total_units
    assert book.document(first.number) == first
    page = as_html(second, language("en"))
    assert f"takes the place of {first.number}" in page
    assert "0.00012345" in page
    assert issue(tmp_path, [corrected])[1] == []


@pytest.mark.parametrize("edit", [("drawn_wh", "1"), ("issued", "0"), ("units", "9")])
def test_a_book_that_was_edited_is_refused(edit: tuple[str, str], folder: Path, tmp_path: Path) -> None:
    issue(tmp_path, list(bills_of(read_results(folder), MONTH)))
    path, (word, digit) = tmp_path / FILE, edit
    lines = path.read_text(encoding="utf-8").splitlines()
    place = lines[1].index(word) + len(word) + 4
    lines[1] = f"{lines[1][:place]}{digit}{lines[1][place + 1 :]}" if lines[1][place] != digit else lines[1] + "x"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    with pytest.raises(InputError, match=r"book\.jsonl, line 2"):
        Book(tmp_path)


def test_a_document_that_is_missing_is_noticed_and_one_that_was_cut_off_was_never_issued(
    folder: Path, tmp_path: Path
) -> None:
    bills = list(bills_of(read_results(folder), MONTH))
    issue(tmp_path, bills)
    path = tmp_path / FILE
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(InputError, match="was changed after it was issued"):
        Book(tmp_path)
    path.write_bytes(whole[:-9])
    assert len(Book(tmp_path).documents) == len(bills) - 1
    book, [again] = issue(tmp_path, bills)
    assert again.bill == bills[-1]
    assert Book(tmp_path).documents == book.documents


def test_files_say_what_the_book_says(folder: Path, tmp_path: Path) -> None:
    book, made = issue(tmp_path, list(bills_of(read_results(folder), MONTH)))
    write(tmp_path, book, language("en"), with_pdf=False)
    for one in made:
        root = ElementTree.parse(tmp_path / f"{one.number}.xml").getroot()
        assert root.tag == f"{{{NAMESPACE}}}bill"
        amounts = [line.get("amount") or "" for line in root.iter(f"{{{NAMESPACE}}}line")]
        assert sum(int(amount.replace(".", "")) for amount in amounts) == one.bill.total_units
        with (tmp_path / f"{one.number}.csv").open(newline="", encoding="utf-8") as file:
            assert [row["amount"] for row in csv.DictReader(file)] == amounts
        assert one.hash in (tmp_path / f"{one.number}.html").read_text(encoding="utf-8")
    with (tmp_path / "bills.csv").open(newline="", encoding="utf-8") as file:
        assert [row["number"] for row in csv.DictReader(file)] == [one.number for one in made]


def unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_bill_is_a_tagged_pdf(code: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("weasyprint")
    [document, *_] = issue(tmp_path, list(bills_of(read_results(folder), MONTH)))[1]
    page = as_html(document, language(code))
    assert f'lang="{code}"' in page
    pdf = as_pdf(page)
    assert pdf.startswith(b"%PDF-")
    objects = b"".join(unpacked(stream) for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL))
    assert b"/StructTreeRoot" in objects
    assert b"/Marked true" in objects
    assert b"pdfuaid:part" in objects + pdf


def test_the_command_bills_once(folder: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    done = [runner.invoke(cli, [str(folder), "--by", "day", "--out", str(tmp_path / "bills")]) for _ in range(2)]
    number = len(Book(tmp_path / "bills").documents)
    assert number == len(list(bills_of(read_results(folder), DAY))) > 2
    for one, count in zip(done, (number, 0), strict=True):
        assert one.exit_code == 0, one.output
        assert f"{count} bills issued, 0 of them corrections" in " ".join(one.output.split())
    assert len(list((tmp_path / "bills").glob("*.html"))) == number


def test_nobody_of_that_name_gets_a_bill(folder: Path) -> None:
    with pytest.raises(StatementError, match="'operator' gets no bills"):
        list(bills_of(read_results(folder), MONTH, ["operator"]))
