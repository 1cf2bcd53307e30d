"""An index in PostgreSQL tells a gateway what one in SQLite does, whatever it is asked; and it may be away."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from support.databases import answers, contents, database, opened, restart, server, started
from support.gateway import (
    BROKER,
    CALENDAR,
    CHAIN,
    CONTRACTS,
    HOME,
    ROOF,
    Gateway,
    account_of,
    dispatched,
    make_gateway,
    make_index,
    network,
    proven,
    town,
)

import dem.gateway
from dem.errors import RequestError
from dem.gateway import consents, deliveries
from dem.gateway.bills.book import Book
from dem.gateway.bills.days import Billing
from dem.gateway.evidence import Proofs
from dem.gateway.offers import contracts_of
from dem.gateway.pages import choices
from dem.gateway.pages.figures import Market
from dem.gateway.pages.router import SESSION
from dem.gateway.protocol import BILATERAL, ESCROW
from dem.gateway.reads import Index
from dem.messages.contracts import EscrowRelease

from . import test_coins as coins
from . import test_escrows as escrows
from .test_endings import ending
from .test_offers import OPENING, THEN, concluded, proposal, revoked

LARGE = 1 << 62
MEMBERS = 3
OWN = {"home": HOME, "roof": ROOF}
PATHS = {
    "": ["/?day=1", "/?day=2"],
    "home": [
        *(f"/members/{HOME}{page}?day=1" for page in ("", "/orders", "/limits", "/offers", "/intermediary", "/money")),
        *(f"/members/{HOME}/{page}" for page in ("alerts", "readers", "bills", "proof")),
        *("/votes", "/prices?day=1", "/prices?day=2", "/admission"),
    ],
    "operator": ["/operations?day=2", "/proposals"],
    "grid": ["/network?day=1"],
    "auditor": ["/audit?day=2"],
}
"""Of pages, by who opens them."""
ASKED = {
    "": ["days", "tariffs?day=1", "rules?day=1"],
    "home": [
        *("me", "prices?day=1"),
        *(f"members/{HOME}{what}" for what in ("", "/energy?first_day=1&last_day=2", "/orders?day=1", "/offers")),
        *(f"members/{HOME}{what}" for what in ("/settlements?first_day=1&last_day=2", "/transfers", "/coins")),
        f"members/{HOME}/escrows",
    ],
    "operator": ["members"],
}
"""Of the interface."""


def _told() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What else there is to ask about."""
    yield from town(MEMBERS)
    yield "Elections", "Nominated", {"election": 1, "nominee": account_of("roof")}
    published = {"intermediary": BROKER, "perWh": 300, "firstDay": 1, "replacedFrom": 1, "sequence": 1}
    yield "Intermediaries", "CommissionPublished", published
    yield proven()
    yield concluded(1, proposal(price=16_000))
    yield BILATERAL, "Ended", {"number": 1, "lastDay": 5, "defaulter": 0, "forfeited": 0}
    yield revoked(bytes(32), "roof")
    yield "Elections", "Voted", {"election": 1, "id": HOME, "commitment": bytes([3] * 32), "sequence": 1}
    yield "Elections", "Opened", {"election": 1, "id": HOME, "nominee": account_of("roof")}
    yield "Elections", "Concluded", {"election": 1, "elected": [account_of("roof")]}
    mandate = {"client": HOME, "intermediary": BROKER, "share": 10_000, "firstDay": 2, "replacedFrom": 0, "sequence": 1}
    yield "Intermediaries", "MandateGiven", mandate
    yield "Council", "Decided", {"id": 1, "readyAt": CALENDAR.start_of(2)}
    yield "BalancingFund", "Rewarded", {"id": HOME, "day": 1, "premium": 3, "reward": 40}
    yield "Shortfalls", "TakenBack", {"id": HOME, "day": 1, "units": 12}
    yield "Accounts", "Deposited", {"id": ROOF, "amount": LARGE, "paymentReference": bytes(32)}
    yield "Accounts", "ArrearsChanged", {"id": HOME, "arrears": 1_234_567}
    yield from dispatched()
    yield "GridLimits", "LimitsLowered", {"day": 1, "limits": [], "cause": "snow\0\t\\N", "report": bytes(32)}
    yield "MarketRules", "DayFinal", {"day": 1}
    yield "MarketRules", "DayFinal", {"day": 2}
    yield "Settlement", "DayCommitted", {"day": 1, "commitment": bytes([7] * 32)}
    reported = {"prices": [], "imports": [], "exports": [], "salt": bytes(32), "margin": 0}
    yield "WholesaleResidual", "Reported", {"id": ROOF, "day": 1} | reported
    cleared = {"direction": 1, "price": -5, "volume": 40, "tick": 0, "share": 0, "marginal": 0}
    yield "WholesaleResidual", "ResidualCleared", {"day": 1, "slot": 3} | cleared
    yield from (escrows.ADDED, *(escrows.funded(n) for n in (1, 2, 3, 4)))
    yield from (escrows.released(2, escrows.AMOUNT), escrows.released(3, 7), escrows.expired(4, 100))
    yield from coins.TOLD


@dataclass
class Asked:
    """What was asked of an index: what it answered, and in which functions somebody did."""

    answers: list[tuple[str, list[tuple[Any, ...]]]] = field(default_factory=list)
    functions: set[tuple[str, str]] = field(default_factory=set)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Mapping[str, Any]]:
    """One index of each kind, of the same market."""
    folder = tmp_path_factory.mktemp("both")
    with database("postgresql", folder, shared) as url:
        told = [*_told()]
        yield {"sqlite": make_index(folder / "index.sqlite", told), "postgresql": make_index(url, told)}


def test_every_view_says_the_same(places: Mapping[str, Any]) -> None:
    ours, theirs = answers(places["postgresql"]), answers(places["sqlite"])
    assert ours == theirs
    # Of a live day all but one are full: tests/scripts/test_operations.py compares them.
    assert {view for view, rows in theirs.items() if not rows} == {"guarantees", "intraday_trades", "unbilled"}


def test_what_is_recorded_again_takes_the_place_of_what_there_was(places: Mapping[str, Any]) -> None:
    for kind in ("sqlite", "postgresql"):
        before = contents(places[kind])
        make_index(places[kind], _told())
        assert contents(places[kind]) == before
    assert contents(places["sqlite"]) == contents(places["postgresql"])


def test_every_question_is_answered_alike(
    tmp_path: Path, places: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said, asked = {}, {}
    for kind in ("sqlite", "postgresql"):
        (tmp_path / kind).mkdir()
        with monkeypatch.context() as patch:
            asked[kind] = _listen(patch)
            tables = network(tmp_path / kind)
            said[kind] = [*_everything(make_gateway(tmp_path / kind, places[kind], tables=tables))]
    assert said["postgresql"] == said["sqlite"]
    assert asked["postgresql"].answers == asked["sqlite"].answers
    assert asked["sqlite"].functions == set(_that_ask())


def _listen(patch: pytest.MonkeyPatch) -> Asked:
    asked, rows = Asked(), Index.rows

    def listening(index: Index, question: str, **values: Any) -> Any:
        found = rows(index, question, **values)
        frame = inspect.currentframe()
        while frame is not None and (frame.f_code.co_name in ("listening", "_rows") or "<" in frame.f_code.co_name):
            frame = frame.f_back
        assert frame is not None
        asked.functions.add((Path(frame.f_code.co_filename).stem, frame.f_code.co_name))
        told = [tuple(row.values()) for row in found]
        asked.answers.append((question, told if "ORDER BY" in question else sorted(told, key=str)))
        return found

    patch.setattr(Index, "rows", listening)
    return asked


def _that_ask() -> Iterator[tuple[str, str]]:
    """Functions of the gateway that ask an index something."""
    for path in {*Path(dem.gateway.__path__[0]).rglob("*.py")} - {Path(deliveries.__file__)}:  # which ask the state
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and function.name not in ("rows", "_rows"):
                calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
                if any(isinstance(call, ast.Attribute) and call.attr in ("rows", "_rows") for call in calls):
                    yield path.stem, function.name


def _everything(gateway: Gateway) -> Iterator[Any]:
    parts, index = gateway.parts, gateway.parts.index
    gateway.now[0] = THEN
    gateway.client("home").send(BILATERAL, OPENING)
    gateway.client("home").send(BILATERAL, ending())
    gateway.client("home").send(ESCROW, escrows.trade())
    gateway.client(escrows.KEYS[0]).send(ESCROW, EscrowRelease(1, escrows.AMOUNT, 0))
    for who, paths in ASKED.items():
        headers = {"purpose": "a test"} if who not in OWN else {}
        if who:
            headers["authorization"] = f"Bearer {gateway.client(who)._token}"
        for path in paths:
            answer = gateway.web.get(f"/v1/{path}", headers=headers)
            assert answer.status_code == 200, (path, answer.text)
            yield path, answer.text
    for who, paths in PATHS.items():
        gateway.web.cookies.clear()
        if who:
            gateway.web.cookies.set(SESSION, gateway.store.open(account_of(who), 3_600))
        for path in paths:
            answer = gateway.web.get(path)
            assert answer.status_code == 200, (path, answer.text)
            yield path, answer.text
    market = Market(index, CALENDAR, UTC, parts.clock())
    billing = Billing(index, market, Book(parts.configuration.folder / "issued"), "town", "EUR", 0)
    for day in billing.final_days():
        yield [(one.number, one.bill) for one in billing.issue(day)]
        assert billing.is_done(day)
    yield market.days(5, 3), market.is_cleared(2), index.head(), contracts_of(parts, HOME, 1)
    gateway.now[0] = CALENDAR.opening + 20 * 86_400.0  # the first election is being voted in
    assert parts.approvals is not None
    yield parts.approvals.has_seat(account_of("home"))
    version = consents.version_of(consents.Consent.INTERMEDIARY)
    gateway.store.agree(account_of("home"), HOME, consents.Consent.INTERMEDIARY, version)
    yield consents.opens_energy(parts, BROKER, HOME)
    yield choices.wanted(parts, Market(index, CALENDAR, UTC, parts.clock()), ROOF)
    proofs = Proofs(index, CALENDAR, CHAIN, CONTRACTS, lambda _method, _parameters: f"0x{0:064x}")
    yield proofs.days_of(1, 9)
    with pytest.raises(RequestError, match="another commitment of day 1"):
        proofs.of(HOME, 1)
    gateway.store.close()
    index.close()


def test_nobody_changes_an_index_by_reading_it(places: Mapping[str, Any]) -> None:
    for kind in ("sqlite", "postgresql"):
        index = Index(places[kind])
        with index.engine.connect() as connection, pytest.raises(DBAPIError, match=r"(?i)read-?only"):
            connection.execute(text("DELETE FROM member"))
        index.close()


def test_a_role_that_may_only_select_reads_all_of_it(places: Mapping[str, Any]) -> None:
    """As the guide grants it."""
    url = places["postgresql"]
    with opened(url).begin() as owner:
        owner.execute(text("CREATE ROLE reader LOGIN"))
        owner.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    own = url.replace("postgresql://postgres:", "postgresql://reader:")
    assert own != url
    assert answers(own) == answers(places["sqlite"])


def test_a_gateway_waits_for_an_index_that_is_away_or_not_there_yet(
    tmp_path: Path, places: Mapping[str, Any], shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make_gateway(tmp_path, places["postgresql"])
    assert gateway.web.get("/v1/days").status_code == 200
    restart(shared)
    assert gateway.web.get("/v1/days").status_code == 200  # nobody has to ask again
    server(shared).stop()
    answer = gateway.web.get("/v1/days")
    assert (answer.status_code, answer.json()["title"]) == (503, "NoIndex")
    assert "the index cannot be read: " in caplog.text
    started(shared)
    assert gateway.web.get("/v1/days").status_code == 200
    with database("postgresql", tmp_path, shared) as empty, pytest.raises(RequestError, match="NoIndex"):
        Index(empty).head()
    gateway.store.close()
    gateway.parts.index.close()
