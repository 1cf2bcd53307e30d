"""Logins of institutions' software: a secret for a token, rights by its offices, an end to both."""

import base64
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from support.gateway import HOME, METER, Gateway, make_gateway

from dem.commands.clients import cli
from dem.errors import RequestError
from dem.gateway.client import Client
from dem.gateway.state import CLIENT, TOKEN, Store

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=client_credentials"
YEAR = 365 * 86_400


def client(gateway: Gateway, *offices: str, name: str = "desk-1") -> Client:
    secret = gateway.store.register(name, offices, YEAR)
    made = gateway.client()
    made.log_in_as(name, secret)
    return made


def basic(text: str) -> dict[str, str]:
    return FORM | {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def test_a_client_has_its_offices_and_no_more(gateway: Gateway) -> None:
    metering = client(gateway, "metering")
    assert metering.get("/v1/me") == {"account": "client:desk-1", "participant": 0, "roles": ["metering", "public"]}
    assert metering.deliver("a.csv", f"meter,direction,start,kwh\n{METER},import,2026-03-01T00:00Z,1\n".encode())["new"]
    for path, asked in (("members", {}), (f"members/{HOME}/orders", {"day": 1}), ("queue", {}), ("access", {})):
        with pytest.raises(RequestError, match="Denied"):
            metering.get(f"/v1/{path}", purpose="a test", **asked)


def test_what_a_client_reads_is_logged_under_its_name(gateway: Gateway) -> None:
    operator = client(gateway, "operator")
    operator.get(f"/v1/members/{HOME}/energy", purpose="a missing reading", first_day=1, last_day=1)
    [seen] = gateway.client("home").get("/v1/access")
    assert (seen["reader"], seen["role"], seen["purpose"]) == ("client:desk-1", "operator", "a missing reading")


def test_a_token_expires_and_so_does_a_secret(gateway: Gateway) -> None:
    secret = gateway.store.register("desk-1", ["operator"], YEAR)
    operator = gateway.client()
    operator.log_in_as("desk-1", secret)
    gateway.now[0] += 3_601
    with pytest.raises(RequestError, match="BadToken"):
        operator.get("/v1/queue")
    operator.log_in_as("desk-1", secret)
    assert operator.get("/v1/queue")
    gateway.now[0] += YEAR
    with pytest.raises(RequestError, match="invalid_client"):
        operator.log_in_as("desk-1", secret)


def test_an_end_of_a_client_is_one_of_its_tokens(gateway: Gateway) -> None:
    operator = client(gateway, "operator")
    assert operator.get("/v1/queue")
    assert gateway.store.revoke("desk-1")
    with pytest.raises(RequestError, match="BadToken"):
        operator.get("/v1/queue")
    assert not gateway.store.revoke("desk-1")


def test_a_new_secret_ends_the_old_one(gateway: Gateway) -> None:
    old = gateway.store.register("desk-1", ["operator"], YEAR)
    before = gateway.client()
    before.log_in_as("desk-1", old)
    new = gateway.store.register("desk-1", ["grid"], YEAR)
    with pytest.raises(RequestError, match="BadToken"):
        before.get("/v1/queue")
    with pytest.raises(RequestError, match="invalid_client"):
        before.log_in_as("desk-1", old)
    before.log_in_as("desk-1", new)


def test_only_hashes_are_kept(gateway: Gateway) -> None:
    secret = gateway.store.register("desk-1", ["operator"], YEAR)
    desk = gateway.client()
    desk.log_in_as("desk-1", secret)
    with gateway.store.engine.connect() as connection:
        kept = str([*connection.execute(select(CLIENT)), *connection.execute(select(TOKEN))])
    assert secret not in kept
    assert desk._token not in kept


@pytest.mark.parametrize(
    ("headers", "body", "status", "error"),
    [
        (basic("desk-1:wrong"), GRANT, 401, "invalid_client"),
        (basic("desk-1:"), GRANT, 401, "invalid_client"),
        (basic("nobody:SECRET"), GRANT, 401, "invalid_client"),
        (basic("desk-1"), GRANT, 401, "invalid_client"),
        (FORM | {"authorization": "Basic !!"}, GRANT, 401, "invalid_client"),
        (FORM | {"authorization": "Bearer x"}, GRANT, 401, "invalid_client"),
        (FORM, GRANT, 401, "invalid_client"),
        (FORM, f"{GRANT}&client_id=DESK'--&client_secret=x", 401, "invalid_client"),
        (FORM, f"{GRANT}&client_id={'a' * 5_000}&client_secret=x", 401, "invalid_client"),
        (basic("desk-1:SECRET"), "grant_type=password", 400, "unsupported_grant_type"),
        (basic("desk-1:SECRET"), "scope=operator", 400, "invalid_request"),
        (basic("desk-1:SECRET"), "", 400, "invalid_request"),
        (basic("desk-1:SECRET"), "%", 400, "invalid_request"),
        (basic("desk-1:SECRET"), f"{GRANT}&{GRANT}", 400, "invalid_request"),
        (basic("desk-1:SECRET"), f"{GRANT}&admin=1", 400, "invalid_request"),
        (basic("desk-1:SECRET"), f"{GRANT}&client_secret=SECRET", 400, "invalid_request"),
        (basic("desk-1:SECRET"), f"{GRANT}&client_id=other", 400, "invalid_request"),
        (basic("desk-1:SECRET") | {"content-type": "application/json"}, "{}", 400, "invalid_request"),
    ],
)
def test_who_shows_no_right_secret_gets_no_token(
    gateway: Gateway, headers: dict[str, str], body: str, status: int, error: str
) -> None:
    gateway.store.register("desk-1", ["operator"], YEAR)
    answer = gateway.web.post("/v1/oauth/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (status == 401)
    with gateway.store.engine.connect() as connection:
        assert connection.execute(select(TOKEN)).all() == []


def test_a_secret_in_the_form_will_do(gateway: Gateway) -> None:
    secret = gateway.store.register("desk-1", ["grid", "metering"], YEAR)
    form = {"grant_type": "client_credentials", "client_id": "desk-1", "client_secret": secret, "scope": "grid"}
    told = gateway.web.post("/v1/oauth/token", data=form).json()
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 3_600, "grid metering")


def test_who_asks_for_tokens_too_often_waits(tmp_path: Path, index: Path) -> None:
    gateway = make_gateway(tmp_path, index, logins_per_minute=2)
    answers = [gateway.web.post("/v1/oauth/token", content=GRANT, headers=FORM).status_code for _ in range(3)]
    assert answers == [401, 401, 429]
    gateway.store.close()


def run(path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, [*arguments, "--config", str(path)])


def test_clients_are_registered_listed_and_revoked_by_a_command(tmp_path: Path, index: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('folder = "."\n', encoding="utf-8")
    added = run(path, "add", "desk-1", "--office", "metering", "--office", "grid")
    assert added.exit_code == 0, added.output
    secret = added.output.split()[-1]
    store = Store(f"sqlite:///{tmp_path / 'gateway.sqlite'}")
    admitted = store.admit("desk-1", secret, 60)
    assert admitted is not None
    assert admitted[1] == ["grid", "metering"]
    listed = run(path, "list").output
    assert "grid, metering" in listed
    assert secret not in listed
    assert run(path, "revoke", "desk-1").exit_code == 0
    assert store.admit("desk-1", secret, 60) is None
    assert run(path, "revoke", "desk-1").exit_code == 2
    assert run(path, "add", "Desk 1", "--office", "grid").exit_code == 2
    assert run(path, "add", "desk-1", "--office", "member").exit_code == 2
    store.close()
