"""Hostile requests: each gets the right refusal, no request changes anything, and none is answered with a 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.gateway import CONTRACTS, HOME, ROOF, Gateway, account_of, make_gateway, sheet

from dem.gateway.protocol import Envelope
from dem.gateway.state import ACCESS, JOURNAL, MESSAGE, TOKEN
from dem.model.mechanisms import AUCTION

Attack = tuple[str, str, dict[str, Any], int, str]
"""Method, path, what goes with it, and the status and title of the refusal."""
NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
INJECTIONS = (
    *("1 OR 1=1", "1;DROP TABLE message", "' UNION SELECT * FROM token--", "0x1", "-1", "0", "1e3", "NaN"),
    *("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "\N{FULLWIDTH DIGIT ONE}", "9" * 30, "{{7*7}}", "${jndi:x}"),
)


def messages(right: Envelope) -> Iterator[tuple[str, Any, str]]:
    """Envelopes that are wrong in one way each, and what the refusal is called."""
    body = right.model_dump()
    fields = body["message"]

    def told(**edits: Any) -> dict[str, Any]:
        return body | edits

    def inside(**edits: Any) -> dict[str, Any]:
        return body | {"message": fields | edits}

    signature = body["signature"]
    for number, (wrong, title) in enumerate(
        [
            (told(signature="0x" + "00" * 65), "BadSignature"),
            (told(signature="0x" + "ff" * 65), "BadSignature"),
            (told(signature=signature[:-2] + "00"), "BadSignature"),
            (told(signature=signature[:-2] + ("1b" if signature.endswith("1c") else "1c")), "NotSignedBySender"),
            (told(signature=signature[:66] + "f" * 64 + signature[-2:]), "BadSignature"),
            (told(signature=signature[:-2]), "MalformedRequest"),
            (told(signature=signature.upper()), "MalformedRequest"),
            (told(signature=None), "MalformedRequest"),
            (told(signature=[signature]), "MalformedRequest"),
            (told(id="0x" + "00" * 32), "WrongId"),
            (told(id=body["id"] + "00"), "MalformedRequest"),
            (told(id=1), "MalformedRequest"),
            (told(chain=1), "WrongChain"),
            (told(chain="20482"), "MalformedRequest"),
            (told(chain=-1), "MalformedRequest"),
            (told(chain=2**70), "MalformedRequest"),
            (told(chain=True), "MalformedRequest"),
            (told(v="dem/2"), "MalformedRequest"),
            (told(type="OrderSheets"), "UnknownType"),
            (told(type="Domain"), "UnknownType"),
            (told(type="__class__"), "UnknownType"),
            (told(type="Withdrawal"), "WrongContract"),
            (told(type="x" * 100), "MalformedRequest"),
            (told(contract=CONTRACTS["Accounts"]), "WrongContract"),
            (told(contract="0x" + "ab" * 20), "WrongContract"),
            (told(contract="0x" + "zz" * 20), "MalformedRequest"),
            (told(contract=""), "MalformedRequest"),
            (told(extra=1), "MalformedRequest"),
            (told(message=[]), "MalformedRequest"),
            (told(message={}), "MalformedMessage"),
            (told(message=fields | {"admin": "1"}), "MalformedMessage"),
            (told(message={"x" * 10_000: "1"}), "MalformedMessage"),
            (inside(participant=account_of("roof")), "WrongId"),
            (inside(participant="0x0"), "MalformedMessage"),
            (inside(participant=True), "MalformedMessage"),
            (inside(day="3"), "WrongId"),
            (inside(day=2), "MalformedRequest"),
            (inside(day="02"), "MalformedMessage"),
            (inside(day="-2"), "MalformedMessage"),
            (inside(day="2.0"), "MalformedMessage"),
            (inside(day=" 2"), "MalformedMessage"),
            (inside(day="2\n"), "MalformedMessage"),
            (inside(day="\N{ARABIC-INDIC DIGIT TWO}"), "MalformedMessage"),
            (inside(day=str(2**32)), "MalformedMessage"),
            (inside(day="9" * 1_000), "MalformedMessage"),
            (inside(day=""), "MalformedMessage"),
            (inside(firstLine="65536"), "MalformedMessage"),
            (inside(sequence=str(2**40)), "MalformedMessage"),
            (inside(sequence="99"), "WrongId"),
            (inside(lines="0x"), "MalformedMessage"),
            (inside(lines=[]), "MalformedMessage"),
            (inside(lines=["0x00"]), "MalformedMessage"),
            (inside(lines=["0x" + "0" * 64] * 301), "MalformedMessage"),
            (inside(lines=[["0x" + "0" * 64]]), "MalformedRequest"),
            (inside(lines=["0x" + "0" * 64]), "WrongId"),
            (inside(lines=["0x" + "G" * 64]), "MalformedMessage"),
            (inside(lines=None), "MalformedRequest"),
        ]
    ):
        yield f"message {number}", wrong, title


def attacks(right: Envelope) -> Iterator[Attack]:
    for _, wrong, title in messages(right):
        yield "POST", "/v1/messages", {"json": wrong}, 422, title
    for raw in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe\x00", b"[" * 5_000, b'{"v":"dem/1"}', b"1" * 5_000):
        yield "POST", "/v1/messages", {"content": raw, "headers": JSON}, 422, "MalformedRequest"
    yield "POST", "/v1/messages", {"content": b"x" * 70_000, "headers": JSON}, 413, "BodyTooLarge"
    yield "POST", "/v1/messages:batch", {"content": b"\n" * 70_000, "headers": NDJSON}, 413, "BodyTooLarge"
    yield "POST", "/v1/messages:batch", {"content": b"\n\n", "headers": NDJSON}, 422, "MalformedRequest"
    yield "POST", "/v1/messages:batch", {"content": b"{}\n" * 51, "headers": NDJSON}, 422, "MalformedRequest"
    yield "POST", "/v1/messages:batch", {"content": b"{}", "headers": JSON}, 422, "MalformedRequest"
    yield "POST", "/v1/login", {"json": {"message": "x" * 3_000, "signature": "0x"}}, 422, "MalformedRequest"
    yield "POST", "/v1/login", {"json": {"message": "x", "signature": "0x" + "0" * 130}}, 422, "MalformedLogin"
    yield "POST", "/v1/login", {"json": {"message": "\0" * 900, "signature": "0x" + "0" * 130}}, 422, "MalformedLogin"
    for token in ("", "x", "'; DROP TABLE token;--", "A" * 5_000, "Basic eDp5", "Bearer", "Bearer ", "Bearer x y"):
        headers = {"Authorization": token if token.startswith("B") else f"Bearer {token}"}
        yield "GET", "/v1/me", {"headers": headers}, 401, ""
    for text in INJECTIONS:
        yield "GET", "/v1/login", {"params": {"account": text}}, 422, "MalformedRequest"
        yield "GET", "/v1/tariffs", {"params": {"day": text}}, 422, "MalformedRequest"
    for text in ("1 OR 1=1", "-1", "0", "9" * 30, "1e3", "NaN", "\N{FULLWIDTH DIGIT ONE}x", "%00"):
        yield "GET", f"/v1/members/{text}/orders", {"params": {"day": 1}}, 422, "MalformedRequest"
    for path in (
        "/v2",
        "/admin",
        "/docs",
        "/v1/../../etc/passwd",
        "/v1/messages/x/../..",
        "/.git/config",
        "/v1//me",
    ):
        yield "GET", path, {}, 404, "NotFound"
    for path in ("/v1/messages/0x", "/v1/messages/" + "0x" + "g" * 64, "/v1/messages/" + "a" * 5_000):
        yield "GET", path, {}, 422, "MalformedRequest"
    for method in ("PUT", "PATCH", "DELETE", "TRACE"):
        yield method, "/v1/messages", {}, 405, "MethodNotAllowed"
    for header in ("x", "-1", "1;2", "9" * 40):
        yield "GET", "/v1/events", {"headers": {"Last-Event-ID": header}}, 422, "MalformedRequest"


def others(right: Envelope) -> Iterator[Attack]:
    """What a member asks that is not its own."""
    for what in (
        "",
        "/energy?first_day=1&last_day=1",
        "/orders?day=1",
        "/settlements?first_day=1&last_day=1",
        "/transfers",
    ):
        for participant in (ROOF, 1, 99_999):
            yield "GET", f"/v1/members/{participant}{what}", {"headers": {"Purpose": "curious"}}, 403, "Denied"
    for path in ("/v1/members", "/v1/queue"):
        yield "GET", path, {"headers": {"Purpose": "curious"}}, 403, "Denied"
    yield "GET", f"/v1/messages/{right.id}", {}, 403, "Denied"
    yield "GET", f"/v1/members/{HOME}/energy?first_day=2&last_day=1", {}, 422, "MalformedRequest"
    yield "GET", f"/v1/members/{HOME}/energy?first_day=1&last_day=999999", {}, 422, "MalformedRequest"


def counts(gateway: Gateway) -> list[int]:
    from sqlalchemy import func, select

    with gateway.store.engine.connect() as connection:
        tables = (MESSAGE, JOURNAL, ACCESS, TOKEN)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_hostile_requests_are_refused_and_change_nothing(tmp_path: Any, index: Any) -> None:
    gateway = make_gateway(tmp_path, index, body_bytes=65_536, batch=50)
    home = gateway.client("home")
    right = gateway.client("home", log_in=False).envelope(AUCTION, sheet())
    theirs = gateway.client("roof", log_in=False).envelope(AUCTION, sheet("roof"))
    gateway.client().bring(theirs)
    before = counts(gateway)
    done = 0
    for whose, list_ in ((None, attacks(right)), (home, others(theirs))):
        for method, path, told, status, title in list_:
            if whose is not None:
                told = told | {"headers": {"Authorization": f"Bearer {home._token}"} | told.get("headers", {})}
            answer = gateway.web.request(method, path, **told)
            said = (method, path[:80], str(told)[:200], answer.status_code, answer.text[:300])
            assert answer.status_code == status, said
            assert answer.headers["content-type"] == "application/problem+json", said
            assert answer.json()["title"] == (title or answer.json()["title"]), said
            assert "Traceback" not in answer.text
            assert len(answer.text) < 6_000
            done += 1
    assert done >= 150
    assert counts(gateway) == before
    gateway.client().bring(right)  # and what is right is still taken


def test_a_replayed_message_of_another_market_is_refused(gateway: Gateway) -> None:
    right = gateway.client("home", log_in=False).envelope(AUCTION, sheet())
    elsewhere = right.model_dump() | {"contract": f"0x{0xBEEF:040x}"}
    assert (
        gateway.web.post("/v1/messages", content=json.dumps(elsewhere), headers=JSON).json()["title"] == "WrongContract"
    )


def test_who_asks_too_often_waits(tmp_path: Any, index: Any) -> None:
    gateway = make_gateway(tmp_path, index, requests_per_minute=5, logins_per_minute=2)
    answers = [gateway.web.get("/v1/tariffs?day=1") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60


@pytest.mark.parametrize("told", ["5000000", "-1", "x"])
def test_a_body_that_says_it_is_too_large_is_not_read(gateway: Gateway, told: str) -> None:
    answer = gateway.web.post("/v1/messages", content=b"{}", headers=JSON | {"content-length": told})
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


def test_what_breaks_inside_is_told_to_the_log_and_not_to_the_client(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.parts.index, "tariffs", lambda _day: 1 / 0)
    answer = gateway.web.get("/v1/tariffs?day=1")
    assert answer.status_code == 500
    assert answer.json()["title"] == "Failed"
    assert "division" not in answer.text
