"""The console's pages: who may open which, what they say, and that they say nothing else."""

import io
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from starlette.testclient import TestClient
from support.gateway import HOME, ROOF, Gateway, account_of, key_of, make_gateway

from dem.gateway.app import make_app
from dem.gateway.pages.language import LANGUAGES
from dem.gateway.pages.router import PAGES, POLICY, SESSION
from dem.gateway.rights import TABLE, Right, Role
from dem.model.bills import PURCHASE, Bill, Line

# Statuses for: nobody logged in | a member about another | about itself | each office about somebody, with a purpose.
EXPECTED = """
page          nobody  other  own  registrar  operator  grid  metering  treasurer  council  auditor
community     200     200    200  200        200       200   200       200        200      200
home          303     403    200  403        200       403   403       403        403      200
orders        303     403    200  403        200       403   403       403        403      200
limits        303     403    200  403        403       403   403       403        403      403
offers        303     403    200  403        403       403   403       403        403      403
intermediary  303     403    200  403        403       403   403       403        403      403
proof         303     403    200  403        403       403   403       403        403      403
money         303     403    200  403        200       403   403       403        403      200
bills         303     403    200  403        200       403   403       403        403      200
bill          303     403    200  403        200       403   403       403        403      200
alerts        303     403    200  403        200       403   403       403        403      200
admission     303     200    200  200        200       200   200       200        200      200
readers       303     403    200  403        403       403   403       403        403      200
privacy       303     403    200  403        403       403   403       403        403      403
export        303     403    200  403        403       403   403       403        403      403
prices        303     200    200  403        200       200   403       403        200      200
operations    303     403    403  403        200       403   403       403        403      200
network       303     403    403  403        200       200   403       403        403      200
votes         303     200    200  200        200       200   403       403        200      200
proposals     303     200    200  200        200       200   403       403        200      200
audit         303     403    403  403        403       403   403       403        403      200
"""
HEADER, *ROWS = (line.split() for line in EXPECTED.strip().splitlines())
CELLS = [(row[0], who, int(status)) for row in ROWS for who, status in zip(HEADER[1:], row[1:], strict=True)]
NUMBER = "town-000001"
PURPOSE = "a question of the member"


def bill(participant: str) -> Bill:
    line = Line("bought", PURCHASE, 12_345, 700, "call auction")
    return Bill(
        participant=participant,
        span="2023-11",
        begins="2023-11-14T22:13+00:00",
        ends="2023-11-15T22:13+00:00",
        zone="UTC",
        currency="EUR",
        energy=(line,),
        charges=(),
        payments=(),
        taxes=(),
        drawn_wh=700,
        fed_in_wh=0,
        periods=96,
        estimated=0,
        tariff_units=20_000,
        alone_units=20_000,
    )


def logged_in(gateway: Gateway, name: str) -> TestClient:
    """A browser with a session."""
    client = TestClient(
        gateway.web.app, base_url="http://testserver", follow_redirects=False, raise_server_exceptions=False
    )
    client.headers["accept"] = "text/html"
    if name:
        text = client.get("/v1/login", params={"account": account_of(name)}).json()["message"]
        signature = Account.sign_message(encode_defunct(text=text), key_of(name)).signature
        done = client.post("/session", json={"message": text, "signature": f"0x{bytes(signature).hex()}"})
        assert done.status_code == 200, done.text
    return client


def path_of(page: str, participant: int = HOME) -> str:
    return PAGES[page][0].format(participant=participant, number=NUMBER)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Iterator[Gateway]:
    """One gateway for all cells, with a bill of the home."""
    made = make_gateway(tmp_path_factory.mktemp("console"), index)
    assert made.parts.bills is not None
    made.parts.bills.issue([bill("home"), bill("roof")], "town", "month", "2023-12-01T00:00:00+00:00")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def browsers(console: Gateway) -> dict[str, TestClient]:
    names = {"nobody": "", "other": "roof", "own": "home"}
    return {who: logged_in(console, names.get(who, who)) for who in HEADER[1:]}


@pytest.mark.parametrize(("page", "who", "status"), CELLS)
def test_every_cell(console: Gateway, browsers: dict[str, TestClient], page: str, who: str, status: int) -> None:
    answer = browsers[who].get(path_of(page), params={"purpose": PURPOSE})
    assert answer.status_code == status, answer.text
    if status == 200:
        return
    # A refusal says nothing of what was asked for.
    if status == 303:
        assert answer.headers["location"].startswith("/login?next=")
    for secret in (account_of("home"), "123.45", "0.00012345", "town-000002", "0.150", "OrderEntryPaused"):
        assert secret not in answer.text


def test_the_cells_are_all_there_are(console: Gateway) -> None:
    assert [row[0] for row in ROWS] == [*PAGES]
    assert {*HEADER[4:]} == {*Role} - {Role.PUBLIC, Role.MEMBER}
    routes = {route.path for route in make_app(console.parts).routes if hasattr(route, "path")}
    from dem.gateway.pages.router import router

    open_to_all = {"/login", "/join", "/session", "/session/end", "/static/{name}", "/language/{code}"}
    consents = "/members/{participant}/consents/{purpose}"
    open_to_all |= {f"{consents}/{{version}}", f"{consents}/withdrawal"}  # test_consents.py tries them
    assert {route.path for route in router.routes} == {path for path, _ in PAGES.values()} | open_to_all
    assert routes


def test_the_guide_has_the_matrix() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "console.md").read_text(encoding="utf-8")
    for name, (_, resources) in PAGES.items():
        rights = [[TABLE[resource][role] for resource in resources] for role in Role]
        # Of members at least what they may do with their own.
        told = [min(of, key=[Right.NO, Right.OWN, Right.ALL].index) for of in rights]
        assert f"| {' | '.join([name, *told])} |" in guide


@pytest.mark.parametrize("page", [name for name, (path, _) in PAGES.items() if "{participant}" in path])
@pytest.mark.parametrize("who", [who for who in HEADER[1:] if who not in ("nobody", "own")])
def test_another_ones_objects_are_closed_or_noted(
    console: Gateway, browsers: dict[str, TestClient], page: str, who: str
) -> None:
    """Whoever asks: it is denied, or needs a purpose and is on that person's page of readers."""
    answer = browsers[who].get(path_of(page))
    assert answer.status_code in (400, 403)
    if answer.status_code == 400:
        before = len(console.store.accesses(HOME, 0, 10_000))
        assert browsers[who].get(path_of(page), params={"purpose": PURPOSE}).status_code == 200
        assert len(console.store.accesses(HOME, 0, 10_000)) > before
        assert PURPOSE in browsers["own"].get(path_of("readers")).text
    for number in (HOME + 1_000, 1):
        # What there is and what there is not look alike to who may see neither.
        strange = browsers["other"].get(path_of(page, number))
        assert strange.status_code == 403
        assert (
            strange.text.replace(f"/members/{number}", f"/members/{HOME}") == browsers["other"].get(path_of(page)).text
        )


def test_a_bill_is_found_under_its_member_alone(browsers: dict[str, TestClient]) -> None:
    for kind in ("", ".csv", ".xml"):
        assert browsers["own"].get(f"/members/{HOME}/bills/{NUMBER}{kind}").status_code == 200
        theirs = browsers["own"].get(f"/members/{HOME}/bills/town-000002{kind}")
        none = browsers["own"].get(f"/members/{HOME}/bills/town-000009{kind}")
        assert theirs.status_code == none.status_code == 404
        assert theirs.text.replace("000002", "") == none.text.replace("000009", "")
        assert browsers["other"].get(f"/members/{HOME}/bills/{NUMBER}{kind}").status_code == 403


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("page", [page for page in PAGES if page != "export"])
def test_every_page_keeps_to_the_policy(browsers: dict[str, TestClient], page: str, code: str) -> None:
    who = browsers[
        "own" if int(dict(zip(HEADER, next(r for r in ROWS if r[0] == page), strict=True))["own"]) == 200 else "auditor"
    ]
    answer = who.get(path_of(page), headers={"accept-language": code})
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f'<html lang="{code}">' in answer.text
    assert not re.search(
        r"<style|<script(?! type=\"module\" src=\"/static/)|\sstyle=|\son[a-z]+=|javascript:", answer.text
    )
    assert not re.search(r"(?:src|href|action)=\"(?!/|#|\?)", answer.text)
    assert not re.search(r"(?:src|href|action)=\"//", answer.text)
    assert len(answer.content) < 60_000


def test_names_are_text_and_nothing_else(tmp_path: Path, index: Path) -> None:
    copy = Path(shutil.copy(index, tmp_path / "index.sqlite"))
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE member SET name = '<script>alert(1)</script>' WHERE name = 'home'")
    gateway = make_gateway(tmp_path, copy)
    text = logged_in(gateway, "home").get(path_of("home")).text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>" not in text
    gateway.store.close()


def test_a_session_is_a_cookie_that_scripts_cannot_read_and_the_interface_does_not_take(console: Gateway) -> None:
    browser = logged_in(console, "home")
    text = browser.get("/v1/login", params={"account": account_of("home")}).json()["message"]
    signature = Account.sign_message(encode_defunct(text=text), key_of("home")).signature
    answer = browser.post("/session", json={"message": text, "signature": f"0x{bytes(signature).hex()}"})
    assert answer.json() == {"participant": HOME}
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get("/v1/me").status_code == 401
    token = console.client("home")
    assert token.get("/v1/me")["participant"] == HOME
    assert browser.get(path_of("home")).status_code == 200
    assert browser.post("/session/end").status_code == 303
    assert browser.get(path_of("home")).status_code == 303
    assert SESSION not in browser.cookies or browser.cookies[SESSION] == '""'


def test_a_bad_login_begins_no_session(console: Gateway) -> None:
    browser = logged_in(console, "")
    text = browser.get("/v1/login", params={"account": account_of("home")}).json()["message"]
    signature = Account.sign_message(encode_defunct(text=text), key_of("roof")).signature
    answer = browser.post("/session", json={"message": text, "signature": f"0x{bytes(signature).hex()}"})
    assert answer.status_code == 422
    assert answer.json()["title"] == "NotSignedBySender"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "/a\nb"])
def test_nobody_is_led_elsewhere(console: Gateway, elsewhere: str) -> None:
    browser = logged_in(console, "")
    assert browser.get("/language/de", params={"next": elsewhere}).headers["location"] == "/"
    assert 'data-next="/"' in browser.get("/login", params={"next": elsewhere}).text


def test_home_adds_up(browsers: dict[str, TestClient]) -> None:
    text = browsers["own"].get(path_of("home"), params={"day": 1}).text
    # 96 periods of 10 Wh, nothing contracted; settled: 105,000 - 3,000 + 7 units; the tariff is 30,000 units/Wh.
    assert "1.0\N{NO-BREAK SPACE}kWh" in text
    assert "the tariffs alone: €0.29" in text
    assert "Saved against the tariffs" in text
    assert "€123.46" in text


def test_orders_say_what_became_of_them(browsers: dict[str, TestClient]) -> None:
    text = browsers["own"].get(path_of("orders"), params={"day": 1}).text
    assert "buy 0.700\N{NO-BREAK SPACE}kWh at 0.150 at most" in text
    assert re.search(r'class="state s-filled">0\.700', text)
    theirs = browsers["other"].get(path_of("orders", ROOF), params={"day": 1}).text
    assert "sell 0.900\N{NO-BREAK SPACE}kWh at 0.150 at least" in theirs
    assert "OrderEntryPaused()" in theirs


def test_the_public_is_told_of_enough_traders_only(tmp_path: Path, index: Path) -> None:
    copy = Path(shutil.copy(index, tmp_path / "index.sqlite"))
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE cleared_traders SET bids = 1, asks = 1")
    for least, shown in ((1, True), (2, False)):
        (tmp_path / str(least)).mkdir()
        gateway = make_gateway(tmp_path / str(least), copy)
        gateway.parts.configuration.least_traders = least
        text = logged_in(gateway, "").get("/", params={"day": 1}).text
        assert ("0.150 EUR/kWh" in text) is shown
        assert ("in no period" in text) is not shown
        gateway.store.close()


def test_proposals_are_in_words(browsers: dict[str, TestClient]) -> None:
    text = browsers["own"].get(path_of("proposals")).text
    assert "Suspend a member" in text
    assert f"ParticipantRegistry.suspend {ROOF}" in text
    assert "Approvals: 1." in text


def test_the_operator_sees_who_is_missing_and_what_was_refused(browsers: dict[str, TestClient]) -> None:
    text = browsers["operator"].get(path_of("operations"), params={"day": 2}).text
    assert f"{HOME} home" in text
    assert "OrderEntryPaused()" in text
    assert PURPOSE not in text
    assert f"{HOME} home" not in browsers["operator"].get(path_of("operations"), params={"day": 1}).text


def test_everything_about_me_is_one_file(browsers: dict[str, TestClient]) -> None:
    answer = browsers["own"].get(path_of("export"))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = {*archive.namelist()}
        assert {"member.json", "energy.csv", "orders.csv", "settlements.csv", "transfers.csv", "readers.csv"} <= names
        assert f"bills/{NUMBER}.xml" in names
        assert "bills/town-000002.xml" not in names
        assert len(archive.read("energy.csv").decode().splitlines()) == 97
        assert account_of("roof") not in b"".join(archive.read(name) for name in names).decode()


def test_a_language_is_kept(console: Gateway) -> None:
    browser = logged_in(console, "home")
    assert browser.get("/language/de", params={"next": path_of("home")}).headers["location"] == path_of("home")
    assert "Verbraucht" in browser.get(path_of("home")).text
    assert browser.get("/language/xx").status_code == 303


def test_what_pages_load_is_served_with_its_kind(console: Gateway) -> None:
    browser = logged_in(console, "")
    for name, kind in (("console.css", "text/css"), ("wallet.js", "text/javascript"), ("noble.js", "text/javascript")):
        answer = browser.get(f"/static/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert "max-age" in answer.headers["cache-control"]
    assert browser.get("/static/none.css").status_code == 404
    assert browser.get("/static/..%2frouter.py").status_code in (404, 422)


@pytest.mark.parametrize("who", ["nobody", "own", "operator"])
@pytest.mark.parametrize(
    "path",
    [
        "/members/0",
        "/members/-1",
        "/members/x",
        "/members/99999999999",
        "/members/6/orders?day=0",
        "/members/6/orders?day=9999999999",
        "/members/6?day=2147483647&purpose=x",
        f"/members/6?purpose={'x' * 201}",
        "/members/6/bills/..%2f..%2fbook.jsonl",
        "/members/6/bills/%00.pdf?purpose=x",
        "/members/6/orders?day=2147483647&purpose=x",
        "/prices?day=2147483647",
        "/operations?day=2147483647",
        "/network?day=2147483647",
        "/network?day=1&slot=-1",
        "/network?day=1000000&slot=1000",
        "/?day=2147483647",
        "/?day=%27%20OR%201",
        "/nothing",
        "/static/%2e%2e%2fapp.py",
        "/language/..?next=%0d%0aset-cookie:x",
    ],
)
def test_odd_requests_are_answered_in_words(browsers: dict[str, TestClient], who: str, path: str) -> None:
    answer = browsers[who].get(path)
    assert answer.status_code in (200, 303, 400, 403, 404, 422), answer.text
    assert "Traceback" not in answer.text
    assert "set-cookie" not in answer.headers
    if answer.status_code not in (200, 303):
        assert "<h1>" in answer.text or answer.headers["content-type"] == "application/problem+json"
