"""Bills of a day that was played on a chain: they are what the chain posted."""

import sqlite3
from collections import Counter
from pathlib import Path

from support.commands.shell import EMBEDDED, run

from dem.results.bills import DAY, MONTH, billed, bills_of
from dem.results.reader import read_results
from dem.results.statements import Statements

POSTED = """
SELECT n.name, sum(p.amount) FROM accounts_posted AS p JOIN names AS n ON n.participant = p.id GROUP BY n.name
"""


def test_bills_sum_to_the_postings_of_the_chain(day: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    done = run("index", day, "--out", path, *EMBEDDED)
    assert done.code == 0, done.out + done.err
    posted = dict(sqlite3.connect(path).execute(POSTED).fetchall())
    results = read_results(day)
    fees = {
        name: -sum(line.units for line in own.payments if line.what == "network fees")
        for name, own in Statements(results).items()
    }
    for by in (MONTH, DAY):
        sums = Counter[str]()
        for bill in bills_of(results, by):
            sums[bill.participant] += bill.posted_units
        assert len(sums) > 3
        for name in billed(results):
            # The grid operator is posted its fees, too, which are in the bills of those who paid them.
            assert posted.get(name, 0) == fees[name] - sums[name], (name, by)


def test_the_command_says_what_is_wrong_with_a_book(day: Path, tmp_path: Path) -> None:
    done = run("bill", day, "--out", tmp_path)
    assert done.code == 0, done.out + done.err
    book = tmp_path / "book.jsonl"
    book.write_text(book.read_text(encoding="utf-8").replace("home-1", "home-9"), encoding="utf-8")
    done = run("bill", day, "--out", tmp_path)
    assert done.code != 0
    assert "was changed after it was issued" in " ".join((done.out + done.err).split())
    assert "Traceback" not in done.err
