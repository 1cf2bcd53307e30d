"""A live market's bills: every member gets one of each final day, once, whenever the biller is killed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.gateway import CALENDAR, HOME, ROOF, Gateway, account_of, make_gateway, make_index
from support.gateway import town as traded

from dem.community.scenario import load_scenario
from dem.devnet.live.town import BILLER, Town
from dem.gateway.bills import days
from dem.gateway.bills.book import FILE, Book
from dem.gateway.bills.days import Billing
from dem.gateway.config import load
from dem.gateway.pages.figures import Market
from dem.gateway.pages.router import SESSION
from dem.gateway.reads import Index
from dem.roles import settings
from dem.roles.biller import Biller
from dem.roles.service import Service
from dem.roles.settings import read

PROJECT = Path(__file__).resolve().parents[2]
MEMBERS = 4
FIRST = ROOF + 1
POSTED = 6
"""Money units that each of them pays for day 2; see `town`."""
FINAL = [("MarketRules", "DayFinal", {"day": day}) for day in (1, 2)]
LATER = [("BalancingFund", "Rewarded", {"id": FIRST, "day": 2, "premium": 0, "reward": 4})]


def index_of(path: Path, *more: Sequence[Any]) -> Path:
    path.unlink(missing_ok=True)
    return make_index(path, [*traded(MEMBERS), *(event for some in more for event in some)])


def look(index: Path, folder: Path, depth: int = 0) -> int:
    """A new biller looks once; how many days it billed."""
    reads, book = Index(index), Book(folder)

    def begin(now: int) -> Billing:
        return Billing(
            reads, Market(reads, CALENDAR, UTC, datetime.fromtimestamp(now, UTC)), book, "town", "EUR", depth
        )

    service = Service("biller", "biller", lambda: Biller(begin, lambda: CALENDAR.start_of(4)))
    count = service.look()
    reads.close()
    return count


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return index_of(tmp_path / "index.sqlite", FINAL)


def spans(folder: Path) -> list[tuple[str, str]]:
    return [(one.bill.participant, one.bill.span) for one in Book(folder).documents]


def test_every_member_gets_one_bill_of_a_final_day(tmp_path: Path, final: Path) -> None:
    folder = tmp_path / "bills"
    assert look(final, folder) == 2
    found = spans(folder)
    assert sorted(found) == sorted(
        [
            *((f"participant {id_}", "market day 1") for id_ in (HOME, ROOF)),
            *((f"participant {id_}", "market day 2") for id_ in range(FIRST, FIRST + MEMBERS)),
        ]
    )
    assert look(final, folder) == 0
    assert spans(folder) == found
    of_day_2 = [one.bill for one in Book(folder).documents if one.bill.span == "market day 2"]
    assert {one.posted_units for one in of_day_2} == {POSTED}
    # The meter showed 10 Wh in 90 periods, and 5 were contracted in each of 96.
    assert {(one.drawn_wh, one.periods, one.energy[0].energy_wh, one.energy[1].energy_wh) for one in of_day_2} == {
        (900, 96, 480, 420)
    }


def test_a_day_that_is_not_final_for_good_is_not_billed(tmp_path: Path, final: Path) -> None:
    assert look(index_of(tmp_path / "open.sqlite"), tmp_path / "bills") == 0
    assert look(final, tmp_path / "bills", depth=2) == 0
    assert look(final, tmp_path / "bills", depth=1) == 1
    assert look(final, tmp_path / "bills") == 1


def test_a_biller_that_is_killed_at_any_moment_issues_nothing_twice(tmp_path: Path, final: Path) -> None:
    whole = tmp_path / "whole"
    look(final, whole)
    content = (whole / FILE).read_bytes()
    ends = [n + 1 for n, byte in enumerate(content) if byte == 0x0A]
    for cut in sorted({0, 1, *ends, *(end + 40 for end in ends[:-1]), *(end - 1 for end in ends)}):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / FILE).write_bytes(content[:cut])
        look(final, folder)
        assert spans(folder) == spans(whole)
        assert look(final, folder) == 0


def test_what_is_paid_later_is_a_correction(tmp_path: Path, final: Path) -> None:
    folder = tmp_path / "bills"
    look(final, folder)
    later = index_of(tmp_path / "later.sqlite", FINAL, LATER)
    assert look(later, folder) == 1
    first, second = Book(folder).of(f"participant {FIRST}")
    assert (second.corrects, second.before_units, second.change_units) == (first.number, POSTED, -4)
    assert look(later, folder) == 0


def test_no_day_is_forgotten_however_late_the_biller_comes(
    tmp_path: Path, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "_LOOKED_BACK", 1)
    folder = tmp_path / "bills"
    assert look(final, folder) == 2
    content = (folder / FILE).read_bytes()
    of_day_1 = content[: content.index(b"market day 2")]
    # One of two bills of day 1, which is not looked at again for itself.
    (folder / FILE).write_bytes(of_day_1[: of_day_1[: of_day_1.rindex(b"\n")].rindex(b"\n") + 1])
    assert look(final, folder) == 2
    assert (folder / FILE).read_bytes() == content


def page(gateway: Gateway, account: str, path: str) -> str:
    gateway.web.cookies.set(SESSION, gateway.store.open(account, 3_600))
    return gateway.web.get(path).text


def test_a_household_sees_its_bill_and_no_other(tmp_path: Path, final: Path) -> None:
    gateway = make_gateway(tmp_path, final)
    look(final, gateway.parts.configuration.bills_path)
    own = f"0x{FIRST:040x}"
    mine = Book(gateway.parts.configuration.bills_path).of(f"participant {FIRST}")[0].number
    assert mine in page(gateway, own, f"/members/{FIRST}/bills")
    text = page(gateway, own, f"/members/{FIRST}/bills/{mine}")
    assert "Day 2, from" in text
    assert "By contract, bought less sold" in text
    # A member with a name finds those that are issued under its number as well.
    assert "Day 1, from" in page(gateway, account_of("home"), f"/members/{HOME}/bills")
    assert gateway.web.get(f"/members/{HOME}/bills/{mine}").status_code == 404
    gateway.store.close()


def test_a_live_market_is_shown_and_billed_by_its_scenario(tmp_path: Path) -> None:
    scenario = load_scenario(PROJECT / "scenarios" / "rural-sunday")
    town = Town(tmp_path / "live", 9_650)
    town.make(scenario)
    town.listen()
    gateway = load(town.settings("gateway"))
    biller = read(town.settings(BILLER), settings.Biller)
    assert gateway.name == "A village of 36 on Sunday, 8 May 2016"
    assert gateway.currency == biller.currency == "EUR"
    assert gateway.timezone == biller.timezone == "Etc/GMT-2"  # two hours east of UTC
    assert (gateway.bills_path, gateway.index_place) == (biller.bills, biller.index)
    assert biller.port == town.port_of(BILLER)
