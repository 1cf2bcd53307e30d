"""Offices that end on a date, what an auditor has read itself, and an alarm when somebody reads about very many."""

from datetime import date
from typing import Any

import pytest
from support.gateway import HOME, ROOF, Gateway, account_of

from dem.errors import InputError, RequestError
from dem.gateway import watch
from dem.gateway.config import load
from dem.gateway.rights import Role

from .test_pages import logged_in

LAST = date(2027, 1, 15)
"""Of the gateway's clock, which stands at eight o'clock."""
DAY = 86_400


@pytest.fixture
def ending(gateway: Gateway) -> Gateway:
    """The auditor's access, and one that a member has beside, end today."""
    told = gateway.parts.configuration
    told.offices[Role.AUDITOR] += [account_of("roof")]
    told.expires = {account_of("auditor"): LAST, account_of("roof"): LAST}
    return gateway


def asked(gateway: Gateway, who: str, participant: int = HOME) -> Any:
    return gateway.client(who).get(f"/v1/members/{participant}", purpose="an audit")


def test_access_is_good_for_all_of_its_last_day_and_then_ends_in_words(ending: Gateway) -> None:
    ending.now[0] += 16 * 3_600 - 1  # a second before midnight
    assert asked(ending, "auditor")["participant"] == HOME
    auditor = logged_in(ending, "auditor")
    assert auditor.get("/audit").status_code == 200
    ending.now[0] += 1
    with pytest.raises(RequestError, match=r"AccessEnded.*as auditor ended on 2027-01-15"):
        asked(ending, "auditor")
    page = auditor.get("/audit")
    assert page.status_code == 403
    assert "ended on 2027-01-15" in page.text
    # What is for nobody in that office is denied as before, and what is for everybody stays.
    with pytest.raises(RequestError, match="Denied"):
        ending.client("auditor").get("/v1/payouts")
    assert auditor.get("/").status_code == 200
    assert "/audit" not in auditor.get("/").text


def test_the_end_is_by_the_markets_own_clock(ending: Gateway) -> None:
    ending.parts.configuration.timezone = "Asia/Shanghai"
    ending.now[0] += 8 * 3_600 - 1
    assert asked(ending, "auditor")
    ending.now[0] += 1
    with pytest.raises(RequestError, match="AccessEnded"):
        asked(ending, "auditor")


def test_a_member_stays_a_member_when_its_office_ends(ending: Gateway) -> None:
    assert asked(ending, "roof", HOME)
    ending.now[0] += DAY
    assert asked(ending, "roof", ROOF)["name"] == "roof"
    with pytest.raises(RequestError, match="AccessEnded"):
        asked(ending, "roof", HOME)


def test_a_clients_end_is_told_in_words_while_its_token_is_good(gateway: Gateway) -> None:
    secret = gateway.store.register("desk-1", ["operator"], 600)
    client = gateway.client()
    client.log_in_as("desk-1", secret)
    assert client.get("/v1/queue")
    gateway.now[0] += 601
    with pytest.raises(RequestError, match=r"AccessEnded.*as operator ended on 2027-01-15"):
        client.get("/v1/queue")


def test_a_treasurer_whose_office_has_ended_is_none(gateway: Gateway) -> None:
    assert gateway.parts.has_office(Role.TREASURER)
    gateway.parts.configuration.expires = {account_of("treasurer"): date(2026, 1, 1)}
    assert not gateway.parts.has_office(Role.TREASURER)


def test_a_date_in_the_file_is_a_date(tmp_path: Any) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'folder = "."\n[expires]\n"{account_of("auditor")}" = 2027-01-15\n')
    assert load(file).expires == {account_of("auditor"): LAST}
    for wrong in ('"0x12" = 2027-01-15', f'"{account_of("auditor")}" = "soon"'):
        file.write_text(f'folder = "."\n[expires]\n{wrong}\n')
        with pytest.raises(InputError, match="expires"):
            load(file)


def test_an_auditor_sees_what_it_has_read_itself(gateway: Gateway) -> None:
    asked(gateway, "auditor")
    gateway.client("operator").get(f"/v1/members/{HOME}", purpose="a missing reading")
    text = logged_in(gateway, "auditor").get("/audit").text
    everybody, own = text.split('id="own"')
    assert "a missing reading" in everybody
    assert "an audit" in everybody
    assert "an audit" in own
    assert "a missing reading" not in own


def read(gateway: Gateway, persons: range | list[int], resource: str = "energy", rows: int = 1) -> None:
    """As the auditor."""
    for participant in persons:
        about = {"resource": resource, "participant": participant, "rows": rows, "purpose": "all of them"}
        gateway.store.note_access(reader=account_of("auditor"), role="auditor", **about)


def named(gateway: Gateway) -> list[tuple[int, bool]]:
    return [(one.persons, one.is_bulk) for one in watch.readings(gateway.parts)]


def test_who_reads_about_very_many_persons_in_a_day_is_named(gateway: Gateway) -> None:
    gateway.parts.configuration.persons_per_day = 10
    read(gateway, range(6, 16))
    read(gateway, range(6, 16))  # the same again are no more persons
    read(gateway, [0], "audit", 500)  # nor is a page about the market
    assert named(gateway) == [(10, False)]
    for path, who in (("/operations", "operator"), ("/audit", "auditor")):
        assert "persons in 24 hours" not in logged_in(gateway, who).get(path).text
    read(gateway, [16])
    assert named(gateway) == [(11, True)]
    for path, who in (("/operations", "operator"), ("/audit", "auditor")):
        text = logged_in(gateway, who).get(path).text
        assert f"auditor {account_of('auditor')[:20]} has read about 11 persons in 24 hours" in text
    gateway.now[0] += DAY + 1
    assert named(gateway) == []


def test_a_list_of_members_counts_by_its_rows(gateway: Gateway) -> None:
    gateway.parts.configuration.persons_per_day = 10
    rows = gateway.client("auditor").get("/v1/members", purpose="an audit")
    assert named(gateway) == [(len(rows), False)]
    read(gateway, [0], "members", 9)
    assert named(gateway) == [(len(rows) + 9, True)]


def test_what_watches_the_gateway_is_told_the_same(gateway: Gateway) -> None:
    gateway.parts.configuration.persons_per_day = 3
    read(gateway, range(6, 10))
    secret = gateway.store.register("prometheus", ["operator"], DAY)
    client = gateway.client()
    client.log_in_as("prometheus", secret)
    answer = gateway.web.get("/v1/metrics", headers={"Authorization": f"Bearer {client._token}"})
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert f'dem_gateway_persons_read{{reader="{account_of("auditor")}",role="auditor"}} 4.0' in lines
    assert "dem_gateway_bulk_readers 1.0" in lines
    assert 'dem_gateway_messages{state="queued"} 0.0' in lines
