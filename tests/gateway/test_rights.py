"""Who may read what: a request for every cell of the table, and logins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from support.gateway import HOME, METER, ROOF, Gateway, account_of, key_of, make_gateway, sheet

from dem.errors import RequestError
from dem.gateway.rights import TABLE, Role
from dem.model.mechanisms import AUCTION

# Statuses for: nobody logged in | a member about another | about itself | each office about somebody.
EXPECTED = """
resource     nobody  other  own  registrar  operator  grid  metering  treasurer  council  auditor
market       200     200    200  200        200       200   200       200        200      200
days         200     200    200  200        200       200   200       200        200      200
tariffs      200     200    200  200        200       200   200       200        200      200
rules        200     200    200  200        200       200   200       200        200      200
prices       401     200    200  403        200       200   403       403        200      200
members      401     403    403  200        200       403   403       403        403      200
member       401     403    200  200        200       403   403       403        403      200
energy       401     403    200  403        200       200   403       403        403      200
readings     401     403    200  403        200       200   200       403        403      200
orders       401     403    200  403        200       403   403       403        403      200
proof        401     403    200  403        403       403   403       403        403      403
offers       401     403    200  403        403       403   403       403        403      403
settlements  401     403    200  403        200       403   403       403        403      200
transfers    401     403    200  403        200       403   403       403        403      200
coins        401     403    200  403        200       403   403       403        403      200
escrows      401     403    200  403        200       403   403       403        403      200
deliver      401     403    403  403        403       403   200       403        403      403
deliveries   401     403    403  403        200       403   200       403        403      200
send         202     202    202  202        202       202   202       202        202      202
approve      422     422    422  422        422       422   422       422        422      422
message      401     403    200  403        200       403   403       403        403      200
metrics      401     403    403  403        200       403   403       403        403      200
queue        401     403    403  403        200       403   403       403        403      200
payouts      401     403    403  403        403       403   403       200        403      403
access       401     200    200  403        403       403   403       403        403      200
"""
PAGES_ALONE = {
    "aggregates",
    "application",
    "bills",
    "choice",
    "consents",
    "elections",
    "export",
    "standing",
    "proposals",
    "operations",
    "network",
    "audit",
}
"""What only pages show: see test_pages.py."""
HEADER, *ROWS = (line.split() for line in EXPECTED.strip().splitlines())
CELLS = [(row[0], who, int(status)) for row in ROWS for who, status in zip(HEADER[1:], row[1:], strict=True)]
DAYS = {"first_day": 1, "last_day": 1}


def ask(gateway: Gateway, resource: str, who: str) -> int:
    name = {"nobody": "", "other": "roof", "own": "home"}.get(who, who)
    client = gateway.client(name)
    envelope = gateway.client("home", log_in=False).envelope(AUCTION, sheet())
    if resource == "message":
        gateway.client().bring(envelope)
    try:
        if resource == "send":
            client.bring(envelope)
            return 202
        if resource == "approve":
            answer = gateway.web.post("/v1/council/approvals", json={"transaction": "0x02c0"})
            return answer.status_code
        if resource == "metrics":
            headers = {"Authorization": f"Bearer {client._token}"} if name else {}
            return gateway.web.get("/v1/metrics", headers=headers).status_code
        if resource == "deliver":
            client.deliver("file.csv", f"meter,direction,start,kwh\n{METER},import,2026-03-01T00:00Z,1\n".encode())
            return 200
        path, asked = {
            "market": ("market", {}),
            "days": ("days", {}),
            "tariffs": ("tariffs", {"day": 1}),
            "rules": ("rules", {"day": 1}),
            "prices": ("prices", {"day": 1}),
            "members": ("members", {}),
            "member": (f"members/{HOME}", {}),
            "energy": (f"members/{HOME}/energy", DAYS),
            "readings": (f"members/{HOME}/readings", DAYS),
            "deliveries": ("deliveries", {}),
            "orders": (f"members/{HOME}/orders", {"day": 1}),
            "settlements": (f"members/{HOME}/settlements", DAYS),
            "proof": (f"members/{HOME}/proof", {"day": 2}),
            "offers": (f"members/{HOME}/offers", {}),
            "transfers": (f"members/{HOME}/transfers", {}),
            "coins": (f"members/{HOME}/coins", {}),
            "escrows": (f"members/{HOME}/escrows", {}),
            "message": (f"messages/{envelope.id}", {}),
            "queue": ("queue", {}),
            "payouts": ("payouts", {}),
            "access": ("access", {}),
        }[resource]
        client.get(f"/v1/{path}", purpose="a test", **asked)
    except RequestError as error:
        return error.status
    return 200


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Iterator[Gateway]:
    """One gateway for all cells, which change nothing that others depend on."""
    made = make_gateway(tmp_path_factory.mktemp("asked"), index)
    yield made
    made.store.close()


@pytest.mark.parametrize(("resource", "who", "status"), CELLS)
def test_every_cell(asked: Gateway, resource: str, who: str, status: int) -> None:
    assert ask(asked, resource, who) == status


def test_the_cells_are_all_there_are() -> None:
    assert {resource for resource, _, _ in CELLS} | {"events", *PAGES_ALONE} == {*TABLE}
    assert all({*row} == {*Role} for row in TABLE.values())


def test_what_is_read_about_another_is_logged_and_shown_to_that_one(gateway: Gateway) -> None:
    operator = gateway.client("operator")
    with pytest.raises(RequestError, match="PurposeMissing"):
        operator.get(f"/v1/members/{HOME}/energy", **DAYS)
    assert len(operator.get(f"/v1/members/{HOME}/energy", purpose="a missing reading", **DAYS)) == 96
    home, roof = gateway.client("home"), gateway.client("roof")
    home.get(f"/v1/members/{HOME}/energy", **DAYS)
    [seen] = home.get("/v1/access")
    assert seen == {
        "number": 1, "at": 1_800_000_000, "reader": account_of("operator"), "role": "operator", "resource": "energy",
        "participant": HOME, "rows": 96, "purpose": "a missing reading",
    }  # fmt: skip
    assert roof.get("/v1/access") == []
    assert len(gateway.client("auditor").get("/v1/access")) == 1


def test_a_member_reads_its_day_to_the_unit(gateway: Gateway) -> None:
    home = gateway.client("home")
    assert home.participant == HOME
    own = home.get(f"/v1/members/{HOME}")
    assert (own["name"], own["balance"], own["import_capacity_wh"]) == ("home", "123.45678901", 5_000)
    assert home.get(f"/v1/members/{HOME}/orders", day=1) == [
        {"market": "CallAuction", "slot": 2, "layer": 0, "side": "bid", "limit": "0.150", "energy_wh": 700}
    ]
    [paid] = home.get(f"/v1/members/{HOME}/settlements", **DAYS)
    assert (paid["trade"], paid["imbalance"], paid["paid"]) == ("0.00105000", "-0.00003000", "0.00102007")
    assert home.get("/v1/prices", day=1)[0] | {"starts_at": 0} == {
        "slot": 2, "starts_at": 0, "price": "0.150", "volume_wh": 700
    }  # fmt: skip
    assert home.get("/v1/tariffs", day=1)[0] == {"slot": 0, "buy": "0.30000", "sell": "0.08000"}
    rules = home.get("/v1/rules", day=9)
    assert (rules["first_day"], rules["platform_fee"], rules["network_fee"]) == (1, "0.00200", "0.01000")
    assert (rules["standing_buy"], rules["min_order_energy_wh"], rules["max_layers"]) == ("0.28000", 5, 4)
    assert home.get(f"/v1/members/{HOME}/energy", **DAYS)[0]["metered_wh"] == 10
    assert [day["day"] for day in home.get("/v1/days")] == [1]
    with pytest.raises(RequestError, match="up to 30 days later"):
        home.get(f"/v1/members/{HOME}/energy", first_day=1, last_day=32)


def signed(gateway: Gateway, name: str = "home", **edits: str) -> dict[str, str]:
    text = gateway.web.get("/v1/login", params={"account": account_of(name)}).json()["message"]
    for old, new in edits.items():
        was = {"domain": "testserver wants", "uri": "URI: http://testserver", "chain": "Chain ID: 20482"}[old]
        text = text.replace(was, new)
    signature = Account.sign_message(encode_defunct(text=text), key_of(name)).signature
    return {"message": text, "signature": f"0x{bytes(signature).hex()}"}


@pytest.mark.parametrize(
    ("edits", "title"),
    [
        ({"domain": "evil.example wants"}, "LoginForOthers"),
        ({"uri": "URI: http://evil.example"}, "LoginForOthers"),
        ({"chain": "Chain ID: 1"}, "LoginForOthers"),
        ({"uri": "URI: http://testserver "}, "MalformedLogin"),
    ],
)
def test_a_login_for_somebody_else_is_none(gateway: Gateway, edits: dict[str, str], title: str) -> None:
    assert gateway.web.post("/v1/login", json=signed(gateway, **edits)).json()["title"] == title


def test_a_login_is_good_once_and_not_for_long(gateway: Gateway) -> None:
    login = signed(gateway)
    assert gateway.web.post("/v1/login", json=login).status_code == 200
    assert gateway.web.post("/v1/login", json=login).json()["title"] == "LoginExpired"
    late = signed(gateway)
    gateway.now[0] += 301
    assert gateway.web.post("/v1/login", json=late).json()["title"] == "LoginExpired"
    other = signed(gateway, "home") | {"signature": signed(gateway, "roof")["signature"]}
    assert gateway.web.post("/v1/login", json=other).json()["title"] == "NotSignedBySender"


def test_tokens_end(gateway: Gateway) -> None:
    token = gateway.web.post("/v1/login", json=signed(gateway)).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert gateway.web.get("/v1/me", headers=headers).json()["participant"] == HOME
    with gateway.store.engine.connect() as connection:
        assert token not in str(connection.exec_driver_sql("SELECT * FROM token").all())
    gateway.now[0] += 3_601
    assert gateway.web.get("/v1/me", headers=headers).json()["title"] == "BadToken"
    home = gateway.client("roof")
    assert home.get("/v1/me")["participant"] == ROOF
    token = home._token
    home.log_out()
    assert gateway.web.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_stranger_sees_what_became_of_its_own_message(gateway: Gateway) -> None:
    stranger = gateway.client("newcomer")
    assert stranger.get("/v1/me") == {"account": account_of("newcomer"), "participant": 0, "roles": ["public"]}
    id_ = stranger.send(AUCTION, sheet("newcomer"))
    assert stranger.status(id_)["state"] == "queued"
