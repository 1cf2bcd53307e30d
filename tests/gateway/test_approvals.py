"""Approvals of the council from a page: one narrow way to the node, for seats alone."""

from typing import Any

import pytest
from eth_account import Account
from support.gateway import CHAIN, CONTRACTS, Gateway, error, key_of, make_gateway

from dem.chain.abi import FunctionCodec
from dem.chain.artifacts import shipped
from dem.gateway.approvals import GAS

from .test_pages import logged_in

COUNCIL, ACCOUNTS = (bytes.fromhex(CONTRACTS[name][2:]) for name in ("Council", "Accounts"))


def call(function: str, *arguments: Any) -> bytes:
    entry = next(one for one in shipped()["Council"].abi if one.get("name") == function)
    return FunctionCodec(entry).encode(arguments)


FIELDS = {"type": 2, "chainId": CHAIN, "nonce": 5, "gas": GAS, "to": COUNCIL, "value": 0, "maxFeePerGas": 14}
FIELDS |= {"maxPriorityFeePerGas": 0, "data": call("approve", 1)}


def signed(who: str = "home", **edits: Any) -> str:
    """An approval of proposal 1, changed in some fields."""
    fields = {name: value for name, value in (FIELDS | edits).items() if value is not None}
    return f"0x{bytes(Account.sign_transaction(fields, key_of(who)).raw_transaction).hex()}"


def passed_on(gateway: Gateway, transaction: Any) -> tuple[int, Any]:
    answer = gateway.web.post("/v1/council/approvals", json={"transaction": transaction})
    return answer.status_code, answer.json()


def test_a_seats_approval_is_passed_on_as_it_was_signed(gateway: Gateway) -> None:
    raw = signed()
    status, told = passed_on(gateway, raw)
    assert status == 202
    assert gateway.node.passed == [raw]
    assert told == {"transaction": Account.sign_transaction(FIELDS, key_of("home")).hash.to_0x_hex()}
    # Again: the node has it, and that is said as before.
    assert passed_on(gateway, raw) == (status, told)


OTHER = {"maxFeePerGas": None, "maxPriorityFeePerGas": None}
WRONG = {
    "another chain": (signed(chainId=CHAIN + 1), 422, "WrongChain"),
    "another contract": (signed(to=ACCOUNTS), 422, "NotAnApproval"),
    "no contract": (signed(to=b""), 422, "NotAnApproval"),
    "another function": (signed(data=call("withdrawApproval", 1)), 422, "NotAnApproval"),
    "execution": (signed(data=call("execute", 1)), 422, "NotAnApproval"),
    "a proposal": (signed(data=call("propose", [(CONTRACTS["Council"], call("execute", 1))])), 422, "NotAnApproval"),
    "more data": (signed(data=call("approve", 1) + b"\0"), 422, "NotAnApproval"),
    "no data": (signed(data=b""), 422, "NotAnApproval"),
    "money": (signed(value=1), 422, "NotAnApproval"),
    "much gas": (signed(gas=GAS + 1), 422, "NotAnApproval"),
    "an access list": (
        signed(accessList=[{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "22" * 32]}]), 422, "NotAnApproval"
    ),
    "nobody's seat": (signed("roof"), 403, "NotASeat"),
    "a seat that is lost": (signed("p2"), 403, "NotASeat"),
    "an old kind": (signed(type=None, gasPrice=14, **OTHER), 422, "BadTransaction"),
    "a cut one": (signed()[:-2], 422, "BadTransaction"),
    "rubbish": ("0x02c0", 422, "BadTransaction"),
    "nothing": ("0x", 422, "MalformedRequest"),
    "too long": ("0x" + "02" * 501, 422, "MalformedRequest"),
    "a number": (5, 422, "MalformedRequest"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_everything_else_is_refused_in_words_and_never_reaches_the_node(gateway: Gateway, what: str) -> None:
    transaction, status, title = WRONG[what]
    answered, told = passed_on(gateway, transaction)
    assert (answered, told["title"]) == (status, title)
    assert told["detail"]
    assert gateway.node.passed == []


def test_what_the_council_would_refuse_is_not_sent(gateway: Gateway) -> None:
    gateway.node.reverts = {"code": 3, "message": "execution reverted", "data": f"0x{error('OrderEntryPaused').hex()}"}
    status, told = passed_on(gateway, signed())
    assert (status, told["title"]) == (422, "Refused")
    assert "OrderEntryPaused()" in told["detail"]
    assert gateway.node.passed == []


def test_a_seat_finds_the_form_and_nobody_else_does(gateway: Gateway) -> None:
    seat = logged_in(gateway, "home").get("/proposals").text
    assert 'class="form approves"' in seat
    assert "&#34;nonce&#34;: 5" in seat
    assert "&#34;fee&#34;: 14" in seat
    for who in ("roof", "council", "auditor", "p2"):
        text = logged_in(gateway, who).get("/proposals").text
        assert "approves" not in text, who
        assert "council.js" not in text
    # Who has approved is told so, and is not asked again.
    done = logged_in(gateway, "p1").get("/proposals").text
    assert "You have approved." in done
    assert "approves" not in done
    assert "approves" not in logged_in(gateway, "auditor").get("/audit").text


def test_a_node_that_is_away_leaves_the_page_and_is_told(gateway: Gateway) -> None:
    gateway.node.is_away = True
    answer = logged_in(gateway, "home").get("/proposals")
    assert answer.status_code == 200
    assert "node does not answer now" in answer.text
    status, told = passed_on(gateway, signed())
    assert (status, told["title"]) == (503, "NoNode")


def test_few_are_passed_in_a_minute(tmp_path: Any, index: Any) -> None:
    made = make_gateway(tmp_path, index, logins_per_minute=3)
    statuses = [passed_on(made, "0x02c0")[0] for _ in range(5)]
    assert statuses == [422, 422, 422, 429, 429]
    made.store.close()
