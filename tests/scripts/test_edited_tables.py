"""Tables that somebody has changed after a run: `report` refuses them, `reconcile` says what the events come to."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dem.relay.history import of_run, run_again
from dem.replay.reconcile import Check
from dem.results.reader import ResultsError, read_results
from dem.results.recheck import check_tables

Edit = Callable[[str], str]


def once(pattern: str, new: str) -> Edit:
    return lambda text: re.sub(pattern, new, text, count=1)


EDITS: dict[str, tuple[str, Edit, str]] = {
    "a price": ("clearing.csv", once(r"\n(\d+),(\d+),([1-9])", r"\n\1,999,\3"), "Wh at 999"),
    "rows cut off": ("orders.csv", lambda text: "".join(text.splitlines(keepends=True)[:-5]), "is not in orders.csv"),
    "an order twice": ("orders.csv", once(r"\n2,", "\n1,"), "order 1 is there twice"),
    "nobody's order": ("orders.csv", once(r"\n1,[^,]*,", "\n1,nobody,"), "order 1 is of nobody"),
    "a far tariff": (
        "tariffs.csv",
        once(r"\n(\d+),-?\d+,-?\d+", r"\n\1,5,-99999999"),
        "-99999999 is further from zero",
    ),
    "a tariff": ("tariffs.csv", once(r"\n(\d+),-?\d+,-?\d+", r"\n\1,-5,5"), "must be sell <= buy"),
    "a balance": ("accounts.csv", once(r"(\nhome-1,.*,)\d+,\d+\n", r"\g<1>1,0\n"), "was changed after the run"),
    "a reward": ("payments.csv", lambda text: f"{text}home-1,1,reward,5\n", "was changed after the run"),
    "a flag": ("readings.csv", once("measured", "corrected"), "was changed after the run"),
    "a limit": ("orders.csv", once(r",(bid|ask),(\d+),(\d+),(\d+),", r",\1,\2,1,\4,"), "was changed after the run"),
    "the currency": ("run.json", once('"EUR"', '"EUROS"'), "currency is 'EUROS'"),
    "the days": ("run.json", once('"days": 1', '"days": 99'), "was changed after the run"),
    "the periods": ("run.json", once('"period_seconds": 3600', '"period_seconds": 0'), "period_seconds is 0"),
    "the title": ("run.json", once("A hamlet", "A town"), "was changed after the run"),
}


def tables_of(folder: Path) -> Check:
    (check,) = check_tables(folder, of_run(folder)[0], *run_again(folder))
    return check


def test_tables_as_the_run_wrote_them(day: Path) -> None:
    read_results(day)
    check = tables_of(day)
    assert check.ok, check.detail


@pytest.mark.parametrize("what", EDITS)
def test_edited_tables(what: str, day: Path, tmp_path: Path) -> None:
    name, edit, why = EDITS[what]
    folder = tmp_path / "copy"
    shutil.copytree(day, folder)
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(edit(text), encoding="utf-8")
    assert edit(text) != text
    with pytest.raises(ResultsError, match=why):
        read_results(folder)
    if name != "run.json":
        check = tables_of(folder)
        assert not check.ok
        assert re.match(r"(fills|" + re.escape(name.removesuffix(".csv")) + r")\.csv, line \d+: ", check.detail)


@pytest.mark.parametrize("name", ["trades.csv", "payments.csv", "without_trade.csv", "fills.csv"])
def test_tables_that_are_gone(name: str, day: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(day, folder)
    (folder / name).unlink()
    with pytest.raises(ResultsError, match=f"{name}: missing file"):
        read_results(folder)
    assert not tables_of(folder).ok
