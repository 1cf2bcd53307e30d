"""Contracts that both sides end: two signatures of the same fields, kept and brought together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import CHAIN, CONTRACTS, HOME, ROOF, Gateway, account_of, key_of, make_gateway, make_index

from dem.errors import RequestError
from dem.gateway.offers import MOST
from dem.gateway.protocol import BILATERAL, unsealed
from dem.gateway.relaying import _arguments
from dem.gateway.state import State
from dem.messages.contracts import Ending, Revocation
from dem.messages.signing import Domain, message_hash, sign

from .test_offers import FIRST, THEN, concluded, proposal
from .test_pages import logged_in

LAST = FIRST + 2
PATHS = {"home": f"/members/{HOME}/offers", "roof": f"/members/{ROOF}/offers"}


def ending(**edits: int) -> Ending:
    return Ending(**{"number": 1, "last_day": LAST, "expiry": int(THEN) + 86_400} | edits)


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Gateway]:
    """The home buys from the roof by contract 1."""
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", [concluded(1, proposal())]))
    made.now[0] = THEN
    yield made
    made.store.close()


def send(market: Gateway, who: str, message: Ending | Revocation) -> str:
    return market.client(who).send(BILATERAL, message)


@pytest.mark.parametrize(("first", "second"), [("home", "roof"), ("roof", "home")])
def test_what_both_have_signed_is_brought_with_both_signatures_in_the_contracts_order(
    market: Gateway, first: str, second: str
) -> None:
    id_ = send(market, first, ending())
    assert market.client(first).status(id_)["state"] == "offered"
    market.step()
    assert market.node.brought == []
    assert send(market, first, ending()) == id_  # again changes nothing
    assert send(market, second, ending()) == id_
    market.step()
    assert market.node.brought == [id_]
    assert market.client(first).status(id_)["state"] == "in_block"
    record, kept = market.store.message(id_), market.store.joint(id_)
    assert record is not None
    assert kept is not None
    domain = Domain(CHAIN, CONTRACTS[BILATERAL])
    brought = market.relaying._message(record)
    assert brought.signatures is not None
    # The buyer's first, whoever signed first.
    assert _arguments(brought) == (
        (1, LAST, int(THEN) + 86_400),
        *(sign(domain, ending(), key_of(who)) for who in ("home", "roof")),
    )
    assert unsealed(id_, record.sender, record.envelope, CONTRACTS).sender == account_of(first)
    assert send(market, second, ending()) == id_
    market.step()
    assert market.node.brought == [id_]


def test_the_other_side_is_told(market: Gateway) -> None:
    id_ = send(market, "home", ending())
    [told] = [one for one in market.store.journal(0, 100, account_of("roof")) if one.kind == "ending"]
    assert told.data == {"id": id_, "contract": 1}
    assert not [one for one in market.store.journal(0, 100, account_of("home")) if one.kind == "ending"]


@pytest.mark.parametrize(
    ("who", "edits", "title"),
    [
        ("p2", {}, "NoSuchContract"),
        ("home", {"number": 2}, "NoSuchContract"),
        ("newcomer", {}, "NotAMember"),
        ("home", {"expiry": int(THEN)}, "OfferExpired"),
        ("home", {"last_day": FIRST - 2}, "OfferExpired"),  # the gate of the day after has closed
    ],
)
def test_what_can_end_nothing_is_refused(market: Gateway, who: str, edits: dict[str, int], title: str) -> None:
    with pytest.raises(RequestError, match=title):
        send(market, who, ending(**edits))


def test_who_is_no_side_cannot_join(market: Gateway) -> None:
    id_ = send(market, "home", ending())
    for who in ("p2", "newcomer"):
        with pytest.raises(RequestError, match="NoSuchContract"):
            send(market, who, ending())
    market.now[0] += 86_400
    with pytest.raises(RequestError, match="OfferExpired"):
        send(market, "roof", ending())
    record = market.store.message(id_)
    assert record is not None
    assert record.state is State.OFFERED


def test_an_account_has_few_endings_at_once(market: Gateway) -> None:
    for n in range(MOST):
        send(market, "home", ending(expiry=int(THEN) + 100 + n))
    with pytest.raises(RequestError, match="TooManyOffers"):
        send(market, "home", ending())


def test_pages_of_both_sides_say_how_it_stands(market: Gateway) -> None:
    home, roof = logged_in(market, "home"), logged_in(market, "roof")
    first = home.get(PATHS["home"]).text
    assert "End contract 1 early" in first
    days = first.split('id="last-1"')[1].split("</select>")[0]
    assert f'<option value="{FIRST - 1}"' in days  # it need not begin
    assert f'<option value="{FIRST + 6}"' not in days  # its last day is no early one
    send(market, "home", ending())
    assert "You want it to end after" in home.get(PATHS["home"]).text
    asked = roof.get(PATHS["roof"]).text
    assert "home wants it to end after" in asked
    assert f"&#34;lastDay&#34;: &#34;{LAST}&#34;" in asked
    send(market, "roof", ending())
    for who, browser in (("home", home), ("roof", roof)):
        assert "both have signed" in browser.get(PATHS[who]).text
    assert "wants it to end" not in logged_in(market, "p2").get("/members/2/offers").text


def test_a_consent_that_was_taken_back_on_the_chain_is_told(tmp_path: Path) -> None:
    taken = {"account": account_of("home"), "message": message_hash(ending())}
    index = make_index(tmp_path / "index.sqlite", [concluded(1, proposal()), (BILATERAL, "Revoked", taken)])
    made = make_gateway(tmp_path, index)
    made.now[0] = THEN
    send(made, "home", ending())
    assert 'class="state s-withdrawn"' in logged_in(made, "roof").get(PATHS["roof"]).text
    made.store.close()


def test_what_the_contract_refuses_is_told_to_both(market: Gateway) -> None:
    id_ = send(market, "home", ending())
    send(market, "roof", ending())
    market.node.refusals[id_] = "DayNotOpen()"
    market.step()
    for who in PATHS:
        assert "DayNotOpen()" in logged_in(market, who).get(PATHS[who]).text


def test_who_leaves_has_its_endings_erased_but_not_one_under_way(market: Gateway) -> None:
    one, other = ending(), ending(expiry=int(THEN) + 100)
    send(market, "home", one)
    send(market, "roof", one)
    send(market, "home", other)
    market.store.erase(account_of("home"), HOME, [])
    assert [kept.expires for kept in market.store.joints(account_of("roof"), ["Ending"], 0)] == [int(THEN) + 86_400]
    market.step()
    assert len(market.node.brought) == 1
