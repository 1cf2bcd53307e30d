"""Files of metering operators: taken whole or not at all, once, with corrections that take effect."""

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import func, select
from support.gateway import HOME, METER, ROOF, Gateway, account_of, make_gateway

from dem.errors import RequestError
from dem.gateway.client import Client
from dem.gateway.state import DELIVERY, VALUE

SAMPLES = Path(__file__).parents[1] / "metering" / "samples"
DAY = 866
"""Of the test's market: 28 and 29 March 2026, when clocks go forward."""
SPAN = {"first_day": DAY - 1, "last_day": DAY + 1}
CORRECTED = "course-corrected.edi"
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.name != CORRECTED)


def deliver(client: Client, name: str, content: bytes | None = None) -> dict[str, Any]:
    data = (SAMPLES / name).read_bytes() if content is None else content
    return client.deliver(name, data, "Europe/Vienna")


def kept(gateway: Gateway) -> list[int]:
    with gateway.store.engine.connect() as connection:
        return [connection.execute(select(func.count()).select_from(t)).scalar_one() for t in (DELIVERY, VALUE)]


def template(*rows: str) -> bytes:
    return "\n".join(["meter,direction,start,kwh,quality,minutes,issued", *rows]).encode()


def row(kwh: str, at: str = "2026-03-29T00:00Z", quality: str = "measured", issued: str = "") -> str:
    return f"{METER},import,{at},{kwh},{quality},15,{issued}"


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_taken_and_comes_out_the_same(gateway: Gateway, name: str) -> None:
    taken = deliver(gateway.client("metering"), name)
    assert taken["new"] in (12, 24), taken
    assert (taken["corrected"], taken["is_known"], taken["name"]) == (0, False, name)
    home = gateway.client("home").get(f"/v1/members/{HOME}/readings", **SPAN)
    assert [value["energy_kwh"] for value in home][:6] == ["0.063", "0.083", "0.092", "0.078", "0.0055", "0.00525"]
    assert home[4] | {"issued_at": 0} == {
        "meter": METER, "direction": "import", "starts_at": "2026-03-29T00:00:00Z", "seconds": 900,
        "energy_kwh": "0.0055", "quality": "substituted", "version": 1, "issued_at": 0, "delivery": 1,
    }  # fmt: skip


def test_the_same_file_twice_changes_nothing(gateway: Gateway) -> None:
    metering = gateway.client("metering")
    first = deliver(metering, "template.csv")
    before = kept(gateway)
    assert deliver(metering, "template.csv") == first | {"is_known": True}
    assert metering.deliver("another name.csv", (SAMPLES / "template.csv").read_bytes())["number"] == first["number"]
    # The same values in another file are a delivery, and nothing new.
    again = deliver(metering, "template.csv", (SAMPLES / "template.csv").read_bytes() + b"\n")
    assert (again["new"], again["corrected"]) == (0, 0)
    assert kept(gateway) == [before[0] + 1, before[1]]


def test_a_correction_that_comes_later_takes_effect_and_an_older_issue_does_not(gateway: Gateway) -> None:
    metering, home = gateway.client("metering"), gateway.client("home")
    deliver(metering, "a.csv", template(row("0.5", quality="estimated", issued="2026-03-30T04:00Z")))
    late = deliver(metering, "b.csv", template(row("0.7", issued="2026-04-02T04:00Z")))
    older = deliver(metering, "c.csv", template(row("0.6", issued="2026-04-01T04:00Z")))
    assert [(one["new"], one["corrected"]) for one in (late, older)] == [(0, 1), (0, 0)]
    [now] = home.get(f"/v1/members/{HOME}/readings", **SPAN)
    assert (now["energy_kwh"], now["quality"], now["version"], now["delivery"]) == ("0.7", "measured", 2, 2)
    both = home.get(f"/v1/members/{HOME}/readings", versions=True, **SPAN)
    assert [(one["version"], one["energy_kwh"]) for one in both] == [(1, "0.5"), (2, "0.7")]


def test_a_corrected_message_of_a_german_operator_takes_effect(gateway: Gateway) -> None:
    metering, home = gateway.client("metering"), gateway.client("home")
    deliver(metering, "course.edi")
    before = home.get(f"/v1/members/{HOME}/readings", **SPAN)
    assert deliver(metering, CORRECTED)["corrected"] > 0
    after = home.get(f"/v1/members/{HOME}/readings", **SPAN)
    assert before != after
    assert len(before) == len(after)


def test_two_values_of_one_issue_are_refused_with_nothing_taken(gateway: Gateway) -> None:
    metering = gateway.client("metering")
    deliver(metering, "a.csv", template(row("0.5", issued="2026-03-30T04:00Z")))
    before = kept(gateway)
    fresh = row("1", at="2026-03-29T00:15Z")
    with pytest.raises(RequestError, match=r"BadFile: b\.csv, line 3: '0\.6' kWh .* only one of them can be right"):
        deliver(metering, "b.csv", template(fresh, row("0.6", issued="2026-03-30T04:00Z")))
    assert kept(gateway) == before


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"xl/sheet{number}.xml", bytes(60 << 20))
    return packed.getvalue()


def workbook(*rows: list[object]) -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for cells in (["meter", "direction", "start", "kwh"], *rows):
        book.active.append(cells)
    book.save(content)
    return content.getvalue()


ENTITIES = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><ConsumptionRecord>&x;</ConsumptionRecord>'
START = "2026-03-29T00:00Z"
HOSTILE = [
    ("bomb.xlsx", bomb, "bomb.xlsx", "unpacks to 300 MiB: at most 256"),
    ("xxe.xml", lambda: ENTITIES, "xxe.xml, line 1", "declares types or entities"),
    ("latin.csv", lambda: "meter;Zähler".encode("latin-1"), "latin.csv", "is not UTF-8 (byte 7)"),
    ("utf16.csv", lambda: "meter,direction,start,kwh".encode("utf-16-le"), "utf16.csv", "it holds bytes of zero"),
    ("empty.csv", lambda: b"", "empty.csv", "is empty"),
    ("sum.csv", lambda: template(row("=1+1")), "sum.csv, line 2, column kwh", "in place of the formula"),
    ("sum.xlsx", lambda: workbook([METER, "import", START, "=A1+1"]), "sum.xlsx, row 2, column kwh", "in place of the"),
    (
        "link.xlsx",
        lambda: workbook(['=HYPERLINK("x")', "import", START, 1]),
        "link.xlsx, row 2",
        "is no meter: 1 to 64",
    ),
    ("cut.xlsx", lambda: workbook([METER, "import", START, 1])[:2_000], "cut.xlsx", "is no Excel workbook"),
    ("other.csv", lambda: template(row("1").replace(METER, "AT9")), "other.csv, line 2", "is no meter of this market"),
    ("minus.csv", lambda: template(row("1"), row("-1")), "minus.csv, line 3", "is negative"),
    ("page.html", lambda: b"<html/>", "page.html, line 1", "begins no format that is read"),
    (
        "a.csv",
        lambda: template(row("1", at="2026-03-29 00:00")),
        "a.csv, line 2, column start",
        "timezone= of a gateway",
    ),
    ("cut.edi", lambda: (SAMPLES / "course.edi").read_bytes()[:-20], "cut.edi, segment 101", "is no EDIFACT"),
]


@pytest.mark.parametrize(("name", "make", "where", "why"), HOSTILE, ids=[one[0] for one in HOSTILE])
def test_what_will_not_do_is_refused_with_its_place_and_nothing_is_kept(
    gateway: Gateway, name: str, make: Any, where: str, why: str
) -> None:
    headers = {"Authorization": f"Bearer {gateway.client('metering')._token}"}
    answer = gateway.web.post("/v1/deliveries", params={"name": name}, content=make(), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    told = answer.json()
    assert (told["title"], told["where"]) == ("BadFile", where), told
    assert told["detail"].startswith(where)
    assert why in told["detail"]
    assert kept(gateway) == [0, 0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "../x"}, "query.name"),
        ({"name": "a\nb"}, "query.name"),
        ({"name": "x" * 121}, "query.name"),
        ({}, "query.name"),
        ({"name": "x", "timezone": "../../etc/passwd"}, "is no time zone"),
        ({"name": "x", "timezone": "Europe/Wien"}, "is no time zone"),
    ],
)
def test_names_and_zones_that_are_none(gateway: Gateway, asked: dict[str, str], said: str) -> None:
    headers = {"Authorization": f"Bearer {gateway.client('metering')._token}"}
    answer = gateway.web.post("/v1/deliveries", params=asked, content=template(row("1")), headers=headers)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_a_file_may_be_larger_than_other_bodies_and_not_larger_than_its_own_limit(tmp_path: Path, index: Path) -> None:
    gateway = make_gateway(tmp_path, index, body_bytes=1_024, delivery_bytes=4_096)
    metering = gateway.client("metering", log_in=False)
    metering._token = gateway.store.open(account_of("metering"), 60)
    many = [row("1", at=f"2026-03-29T{n // 4:02}:{n % 4 * 15:02}Z") for n in range(50)]
    assert 1_024 < len(template(*many)) < 4_096
    assert deliver(metering, "a.csv", template(*many))["new"] == 50
    with pytest.raises(RequestError, match="BodyTooLarge"):
        deliver(metering, "b.csv", template(*many, *many))
    gateway.store.close()


def test_who_brings_too_many_files_waits(tmp_path: Path, index: Path) -> None:
    gateway = make_gateway(tmp_path, index, deliveries_per_minute=1)
    metering = gateway.client("metering")
    deliver(metering, "template.csv")
    with pytest.raises(RequestError, match="TooManyRequests"):
        deliver(metering, "template.csv")
    gateway.store.close()


def test_what_an_office_reads_is_logged_and_shown_to_whose_meter_it_is(gateway: Gateway) -> None:
    metering, home = gateway.client("metering"), gateway.client("home")
    deliver(metering, "template.csv")
    path = f"/v1/members/{HOME}/readings"
    with pytest.raises(RequestError, match="PurposeMissing"):
        metering.get(path, **SPAN)
    assert len(metering.get(path, purpose="checks a complaint", **SPAN)) == 12
    assert len(home.get(path, **SPAN)) == 12
    [seen] = home.get("/v1/access")
    assert (seen["reader"], seen["role"], seen["resource"], seen["rows"]) == (
        account_of("metering"), "metering", "readings", 12
    )  # fmt: skip
    assert gateway.client("roof").get("/v1/access") == []


def test_an_operator_sees_its_own_deliveries_and_an_auditor_all(gateway: Gateway) -> None:
    metering = gateway.client("metering")
    deliver(metering, "template.csv")
    assert [one["name"] for one in metering.get("/v1/deliveries")] == ["template.csv"]
    with pytest.raises(RequestError, match="PurposeMissing"):
        gateway.client("auditor").get("/v1/deliveries")
    assert len(gateway.client("auditor").get("/v1/deliveries", purpose="yearly audit")) == 1


def test_a_member_reads_nothing_of_its_neighbour(gateway: Gateway) -> None:
    deliver(gateway.client("metering"), "template.csv")
    with pytest.raises(RequestError, match="Denied"):
        gateway.client("home").get(f"/v1/members/{ROOF}/readings", **SPAN)
    roof = gateway.client("roof").get(f"/v1/members/{ROOF}/readings", **SPAN)
    assert {value["direction"] for value in roof} == {"export"}
    assert {value["meter"] for value in roof} == {METER[:-1] + "2"}
