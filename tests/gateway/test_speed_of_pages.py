"""Pages do not become slower with the market: counted in questions, rows and steps of the database, not in seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from support.gateway import CALENDAR, ROOF, account_of, make_gateway, make_index, town

from dem.gateway.pages.router import SESSION

FEW, MANY = 40, 120
ONE = ROOF + 4
"""Of the members; its orders are at the price."""
PAGES = {
    "community": ("/?day=2", ""),
    "home": (f"/members/{ONE}?day=2", "own"),
    "orders": (f"/members/{ONE}/orders?day=2", "own"),
    "limits": (f"/members/{ONE}/limits", "own"),
    "offers": (f"/members/{ONE}/offers", "own"),
    "intermediary": (f"/members/{ONE}/intermediary", "own"),
    "votes": ("/votes", "own"),
    "money": (f"/members/{ONE}/money", "own"),
    "alerts": (f"/members/{ONE}/alerts", "own"),
    "readers": (f"/members/{ONE}/readers", "own"),
    "prices": ("/prices?day=2", "own"),
    "operations": ("/operations?day=2", "operator"),
    "audit": ("/audit?day=2", "auditor"),
    "network": ("/network?day=2", "grid"),
}
_EVERY = 10
"""Steps after which SQLite is listened to."""
LOOKS_AT_EVERYBODY = {"operations": 500, "audit": 120, "network": 60}
"""Steps for each member: their pages are about all of them."""
MOST_QUESTIONS = 27
MOST_ROWS = {"audit": 1, "network": 1}
"""Rows for each member; of the others there are no more, whoever else there is."""
SHOWN = 50
"""Of a list of members, on a page."""


@dataclass
class Work:
    """What a page asked the index."""

    questions: int = 0
    rows: int = 0
    steps: int = 0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Work]]:
    """By the number of members and page."""
    return {members: dict(_measured(tmp_path_factory.mktemp(f"of{members}"), members)) for members in (FEW, MANY)}


def _measured(folder: Path, members: int) -> Iterator[tuple[str, Work]]:
    gateway = make_gateway(folder, make_index(folder / "index.sqlite", town(members)))
    gateway.now[0] = CALENDAR.start_of(3) + 3_600.0
    index, done = gateway.parts.index, Work()

    def step() -> int:
        done.steps += _EVERY
        return 0

    @event.listens_for(index.engine, "connect")
    def listen(connection: Any, _record: object) -> None:
        connection.set_progress_handler(step, _EVERY)

    asked = index.rows

    def rows(question: str, **values: Any) -> list[dict[str, Any]]:
        found = asked(question, **values)
        done.questions += 1
        done.rows += len(found)
        return found

    index.rows = rows  # type: ignore[method-assign]
    for name, (path, who) in PAGES.items():
        gateway.web.cookies.clear()
        if who:
            account = f"0x{ONE:040x}" if who == "own" else account_of(who)
            gateway.web.cookies.set(SESSION, gateway.store.open(account, 3_600))
        done.questions = done.rows = done.steps = 0
        assert gateway.web.get(path).status_code == 200, name
        yield name, Work(done.questions, done.rows, done.steps)
    gateway.store.close()
    index.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_as_often_whoever_else_there_is(work: dict[int, dict[str, Work]], page: str) -> None:
    few, many = work[FEW][page], work[MANY][page]
    assert many.questions == few.questions <= MOST_QUESTIONS


@pytest.mark.parametrize("page", PAGES)
def test_a_page_reads_no_more_rows_than_it_shows(work: dict[int, dict[str, Work]], page: str) -> None:
    few, many = work[FEW][page], work[MANY][page]
    # On the operator's page four lists grow, to what is shown of them: what lacks, two kinds of refusals, arrears.
    lists = 4 * (SHOWN - FEW) if page == "operations" else 0
    assert many.rows - few.rows <= MOST_ROWS.get(page, 0) * (MANY - FEW) + lists


@pytest.mark.parametrize("page", PAGES)
def test_no_page_walks_through_everybody(work: dict[int, dict[str, Work]], page: str) -> None:
    few, many = work[FEW][page], work[MANY][page]
    more = LOOKS_AT_EVERYBODY.get(page, 0) * (MANY - FEW)
    # A tenth: what lies in another place of a table takes some steps more or less.
    assert many.steps <= few.steps * 1.1 + more
