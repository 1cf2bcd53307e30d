"""Consents: given and taken back by the member alone, to a text as it was shown, and obeyed by the gateway."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.gateway import (
    BROKER,
    HOME,
    METER,
    ROOF,
    ROOF_METER,
    Gateway,
    account_of,
    choices,
    make_gateway,
    make_index,
)

from dem.errors import RequestError
from dem.gateway import consents
from dem.gateway.app import _forget_now
from dem.gateway.consents import TEXTS, Consent
from dem.gateway.offers import offers_of
from dem.gateway.protocol import BILATERAL
from dem.gateway.rights import Role

from .test_offers import THEN, proposal
from .test_pages import logged_in

DAY = 86_400
DAYS = {"first_day": 1, "last_day": 1}
PAGE = f"/members/{HOME}/privacy"


def change(browser: TestClient, purpose: Consent, to: str | int = 1, participant: int = HOME) -> int:
    return browser.post(f"/members/{participant}/consents/{purpose}/{to}").status_code


def agree(gateway: Gateway, who: str, participant: int, purpose: Consent) -> None:
    gateway.store.agree(account_of(who), participant, purpose, consents.version_of(purpose))


def test_a_member_agrees_takes_back_and_sees_both(gateway: Gateway) -> None:
    home = logged_in(gateway, "home")
    assert home.get(PAGE).text.count("not agreed") == len(Consent)
    assert change(home, Consent.NAME) == 303
    assert change(home, Consent.NAME) == 303  # again changes nothing
    gateway.now[0] += 60
    text = home.get(PAGE).text
    assert "agreed on 15 Jan 2027, 08:00" in text
    assert text.count("not agreed") == len(Consent) - 1
    assert change(home, Consent.NAME, "withdrawal") == 303
    text = home.get(PAGE).text
    assert text.count("not agreed") == len(Consent)
    assert "15 Jan 2027, 08:01" in text
    [kept] = gateway.store.consents(HOME)
    assert (kept["account"], kept["purpose"], kept["version"]) == (account_of("home"), "name", 1)
    assert kept["withdrawn"] == kept["at"] + 60


@pytest.mark.parametrize("who", ["", "roof", *(role for role in Role if role not in (Role.PUBLIC, Role.MEMBER))])
def test_nobody_else_sees_or_changes_it(gateway: Gateway, who: str) -> None:
    browser = logged_in(gateway, who)
    agree(gateway, "home", HOME, Consent.NAME)
    assert browser.get(PAGE, params={"purpose": "a question"}).status_code == (403 if who else 303)
    for to in ("1", "withdrawal"):
        assert change(browser, Consent.NAME, to) == (403 if who else 401)
    assert len(gateway.store.agreed(Consent.NAME, 1)) == 1


@pytest.mark.parametrize("to", ["0", "2", "1000000", "x", "-1"])
def test_only_the_text_that_holds_is_agreed_to(gateway: Gateway, to: str) -> None:
    assert change(logged_in(gateway, "home"), Consent.NAME, to) == 422
    assert logged_in(gateway, "home").post(f"/members/{HOME}/consents/everything/1").status_code == 422
    assert gateway.store.consents(HOME) == []


def test_a_new_text_asks_anew(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    home = logged_in(gateway, "home")
    change(home, Consent.VALUES)
    monkeypatch.setitem(TEXTS, Consent.VALUES, (*TEXTS[Consent.VALUES], "Keep them on the moon."))  # type: ignore[misc]
    text = home.get(PAGE).text
    assert "You agreed to an older text" in text
    assert "Keep them on the moon." in text
    assert consents.agreed(gateway.store, Consent.VALUES) == frozenset()
    assert change(home, Consent.VALUES, 1) == 422
    assert change(home, Consent.VALUES, 2) == 303
    assert consents.agreed(gateway.store, Consent.VALUES) == {HOME}
    newest, older = gateway.store.consents(HOME)
    assert (newest["version"], newest["withdrawn"]) == (2, None)
    assert older["withdrawn"] is not None


def test_a_text_that_was_in_use_never_changes() -> None:
    known = {
        Consent.VALUES: ["466a1318d070ed3e"],
        Consent.NAME: ["7f33b555c5d4d192"],
        Consent.INTERMEDIARY: ["08ed4ad49e0c64dc"],
    }
    texts = {
        purpose: [hashlib.sha256(text.encode()).hexdigest()[:16] for text in own] for purpose, own in TEXTS.items()
    }
    assert texts == known, "a changed text is a further version, at the end of its list"


# -------------------------------------------------------------------------------------- what the gateway obeys


def meters(gateway: Gateway) -> set[str]:
    """Of which values are there."""
    with gateway.store.engine.connect() as connection:
        return {row[0] for row in connection.exec_driver_sql("SELECT DISTINCT meter FROM value")}


def test_values_are_kept_longer_of_who_agrees_and_no_longer_when_it_is_taken_back(gateway: Gateway) -> None:
    gateway.now[0] = THEN
    rows = "".join(f"{meter},import,2023-11-15T00:00Z,1.2\n" for meter in (METER, ROOF_METER))
    gateway.client("metering").deliver("file.csv", f"meter,direction,start,kwh\n{rows}".encode())
    home, retention = logged_in(gateway, "home"), gateway.parts.configuration.retention
    assert "The market needs 1,096 days; with this they stay for 3,653." in home.get(PAGE).text
    change(home, Consent.VALUES)
    gateway.now[0] += (retention.values + 3) * DAY
    _forget_now(gateway.parts)
    assert meters(gateway) == {METER}
    gateway.store.withdraw_consent(HOME, Consent.VALUES)
    _forget_now(gateway.parts)
    assert meters(gateway) == set()


def test_not_even_who_agrees_has_values_kept_for_ever(gateway: Gateway) -> None:
    gateway.now[0] = THEN
    told = f"meter,direction,start,kwh\n{METER},import,2023-11-15T00:00Z,1.2\n"
    gateway.client("metering").deliver("file.csv", told.encode())
    agree(gateway, "home", HOME, Consent.VALUES)
    gateway.now[0] += (gateway.parts.configuration.retention.agreed_values + 3) * DAY
    _forget_now(gateway.parts)
    assert meters(gateway) == set()


def test_a_name_stands_with_offers_of_who_agrees(gateway: Gateway) -> None:
    gateway.now[0] = THEN
    gateway.client("home").send(BILATERAL, proposal())

    def names() -> list[tuple[str, str]]:
        return [(one.proposer_name, one.counterparty_name) for one in offers_of(gateway.parts, ROOF)]

    assert names() == [("", "roof")]  # one's own is no secret
    roof = logged_in(gateway, "roof")
    assert f"Member {HOME} would buy from you" in roof.get(f"/members/{ROOF}/offers").text
    agree(gateway, "home", HOME, Consent.NAME)
    assert names() == [("home", "roof")]
    assert "home would buy from you" in roof.get(f"/members/{ROOF}/offers").text
    gateway.store.withdraw_consent(HOME, Consent.NAME)
    assert names() == [("", "roof")]


def mandate(day: int, intermediary: int = BROKER, share: int = 10_000) -> tuple[str, str, dict[str, int]]:
    given = {"client": HOME, "intermediary": intermediary, "share": share}
    given |= {"firstDay": day, "replacedFrom": day, "sequence": day}
    return "Intermediaries", "MandateGiven", given


@pytest.fixture
def mandated(tmp_path: Path) -> Iterator[Gateway]:
    """The home has chosen the broker for day 1 and on, and from day 400 on nobody."""
    events = [*choices(), mandate(1), mandate(400, 0, 0)]
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", events))
    made.now[0] = made.parts.calendar.start_of(2) + 1.0
    yield made
    made.store.close()


def reads(
    gateway: Gateway, who: str = "broker", of: int = HOME, what: str = "energy", purpose: str = "a forecast"
) -> int:
    asked = {"day": 1} if what == "orders" else DAYS
    try:
        gateway.client(who).get(f"/v1/members/{of}/{what}", purpose=purpose, **asked)
    except RequestError as error:
        return error.status
    return 200


def test_an_intermediary_reads_the_energy_of_clients_who_agree_and_nothing_else(mandated: Gateway) -> None:
    assert reads(mandated) == 403
    agree(mandated, "home", HOME, Consent.INTERMEDIARY)
    assert reads(mandated) == 200
    assert reads(mandated, purpose="") == 400
    [noted] = mandated.store.newest_accesses(HOME, 10)
    assert (noted["reader"], noted["role"]) == (account_of("broker"), "intermediary")
    assert (noted["resource"], noted["purpose"], noted["rows"]) == ("energy", "a forecast", 96)
    assert "intermediary" in logged_in(mandated, "home").get(f"/members/{HOME}/readers").text
    for who, of, what in (
        ("roof", HOME, "energy"),  # trades for nobody
        ("broker", ROOF, "energy"),  # has not chosen it
        ("broker", HOME, "orders"),
        ("broker", HOME, "settlements"),
    ):
        assert reads(mandated, who, of, what) == 403, (who, of, what)
    assert logged_in(mandated, "broker").get(f"/members/{HOME}", params={"purpose": "x"}).status_code == 403
    mandated.store.withdraw_consent(HOME, Consent.INTERMEDIARY)
    assert reads(mandated) == 403


def test_what_is_opened_to_an_intermediary_ends_with_its_mandate(mandated: Gateway) -> None:
    agree(mandated, "home", HOME, Consent.INTERMEDIARY)
    mandated.now[0] = mandated.parts.calendar.start_of(398) + 1.0
    assert reads(mandated) == 200
    mandated.now[0] = mandated.parts.calendar.start_of(399) + 1.0  # the mandate ends with tomorrow
    assert reads(mandated) == 403


def test_consents_are_in_the_own_file_with_their_texts(gateway: Gateway) -> None:
    home = logged_in(gateway, "home")
    change(home, Consent.NAME)
    change(home, Consent.NAME, "withdrawal")
    agree(gateway, "roof", ROOF, Consent.VALUES)
    with zipfile.ZipFile(io.BytesIO(home.get(f"/members/{HOME}/export").content)) as archive:
        [row] = csv.DictReader(io.StringIO(archive.read("consents.csv").decode()))
    assert row == {
        "purpose": "name", "version": "1", "text": TEXTS[Consent.NAME][0],
        "agreed_at": "2027-01-15T08:00:00Z", "withdrawn_at": "2027-01-15T08:00:00Z",
    }  # fmt: skip
