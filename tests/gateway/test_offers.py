"""Contracts that members offer each other: who is told of them, how they are answered, and what became of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway import CALENDAR, HOME, ROOF, Gateway, account_of, make_gateway, make_index

from dem.errors import RequestError
from dem.gateway.offers import MOST, NOBODY, NOTHING, Phase, offers_of
from dem.gateway.protocol import BILATERAL, Checked
from dem.messages.contracts import Acceptance, Proposal, Revocation
from dem.messages.signing import message_hash
from dem.model.units import Wh

from .test_pages import logged_in

FIRST = 3
"""The first day of every contract here; its auction is open."""
GATE = CALENDAR.gate_closes_at(FIRST)
THEN = CALENDAR.opens_at(FIRST) + 3_600.0


def proposal(by: str = "home", to: str = "roof", **edits: Any) -> Proposal:
    """A week of 500 Wh in each period from eight to nine, at 0.15; the home buys."""
    first = (FIRST - 1) * 96
    terms = {"is_sale": by != "home", "price": 15_000, "energy": Wh(500), "first_period": first}
    terms |= {"last_period": first + 7 * 96 - 1, "slots": 0b1111 << 32, "weekdays": 127, "expiry": GATE}
    terms |= {"answers": NOTHING, "salt": bytes(32)}
    return Proposal(account_of(by), account_of(to) if to else NOBODY, **terms | edits)


def acceptance(of: Proposal, **edits: Any) -> Acceptance:
    return Acceptance(**{"proposal": message_hash(of), "expiry": of.expiry} | edits)


OPENING = proposal()
COUNTER = proposal("roof", "home", price=17_000, answers=message_hash(OPENING))


@pytest.fixture
def told() -> list[Any]:
    """Events of contracts, in the index."""
    return []


@pytest.fixture
def market(tmp_path: Path, told: list[Any]) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", told))
    made.now[0] = THEN
    yield made
    made.store.close()


def send(market: Gateway, who: str, message: Proposal | Acceptance | Revocation) -> str:
    return market.client(who).send(BILATERAL, message)


def phases(market: Gateway, participant: int) -> dict[int, Phase]:
    """By price, as a member sees them."""
    return {one.proposal.price: one.phase for one in offers_of(market.parts, participant, 0)}


def concluded(number: int, of: Proposal) -> tuple[str, str, dict[str, Any]]:
    terms = {"price": of.price, "energy": of.energy, "firstPeriod": of.first_period, "endPeriod": of.last_period + 1}
    terms |= {"slots": of.slots, "weekdays": of.weekdays, "extra": 1, "ceiling": 1, "fullest": 4}
    sides = {"buyer": HOME, "seller": ROOF}
    return BILATERAL, "Concluded", {"number": number, "proposal": message_hash(of), "terms": terms} | sides


def revoked(message: bytes, by: str) -> tuple[str, str, dict[str, Any]]:
    return BILATERAL, "Revoked", {"message": message, "account": account_of(by)}


def test_an_offer_is_answered_by_another_one_and_that_is_accepted(
    market: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, roof = market.client("home"), market.client("roof")
    id_ = home.send(BILATERAL, OPENING)
    assert home.status(id_)["state"] == "offered"
    [offer] = roof.get(f"/v1/members/{ROOF}/offers")
    assert (offer["phase"], offer["proposer"], offer["counterparty"], offer["expires"]) == ("open", HOME, ROOF, GATE)
    assert (offer["hash"], offer["envelope"]["id"]) == (f"0x{message_hash(OPENING).hex()}", id_)
    roof.send(BILATERAL, COUNTER)
    accepted = home.send(BILATERAL, acceptance(COUNTER))
    assert phases(market, HOME) == phases(market, ROOF) == {15_000: Phase.OPEN, 17_000: Phase.ACCEPTED}
    hashes = [f"0x{message_hash(one).hex()}" for one in (OPENING, COUNTER)]
    for who, told in (("home", [hashes[1]]), ("roof", hashes)):
        entries = market.store.journal(0, 100, account_of(who))
        assert [one.data["hash"] for one in entries if one.kind == "offer"] == told
    brought: list[Checked] = []
    bring = market.node.bring
    monkeypatch.setattr(market.node, "bring", lambda messages: brought.extend(messages) or bring(messages))
    market.step()
    assert market.node.brought == [accepted]
    [one] = brought
    assert one.accepted is not None
    assert (one.sender, one.accepted.message, one.accepted.sender) == (account_of("home"), COUNTER, account_of("roof"))
    assert home.status(accepted)["state"] == "in_block"


@pytest.mark.parametrize("told", [[concluded(1, COUNTER)]])
def test_a_contract_ends_the_negotiation(market: Gateway) -> None:
    other = proposal("roof", "home", price=16_000, answers=message_hash(OPENING))
    for who, one in (("home", OPENING), ("roof", COUNTER), ("roof", other), ("roof", proposal("roof", "home"))):
        send(market, who, one)
    assert phases(market, HOME) == {15_000: Phase.OPEN, 16_000: Phase.OVER, 17_000: Phase.CONTRACT}
    assert [one.phase for one in offers_of(market.parts, HOME) if one.proposal == OPENING] == [Phase.OVER]
    with pytest.raises(RequestError, match="OfferGone: the offer is not open any more: it is over"):
        send(market, "home", acceptance(other))
    text = logged_in(market, "home").get(f"/members/{HOME}/offers").text
    assert "Contract 1: you buy from roof" in text
    assert "0.170 EUR/kWh" in text
    assert "2.0\N{NO-BREAK SPACE}kWh on a full day" in text
    assert "06:13–07:13" in text  # the 32nd period of a day that begins at 22:13


@pytest.mark.parametrize("told", [[revoked(message_hash(OPENING), "home")]])
def test_an_offer_that_is_withdrawn_takes_its_answers_along(market: Gateway) -> None:
    send(market, "home", OPENING)
    send(market, "roof", COUNTER)
    assert phases(market, ROOF) == {15_000: Phase.WITHDRAWN, 17_000: Phase.OVER}


@pytest.mark.parametrize("told", [[revoked(message_hash(OPENING), "roof")]])
def test_nobody_withdraws_what_another_offers(market: Gateway) -> None:
    send(market, "home", OPENING)
    send(market, "roof", Revocation(message_hash(OPENING)))
    assert phases(market, HOME) == {15_000: Phase.OPEN}


def test_it_cannot_be_accepted_while_its_withdrawal_waits(market: Gateway) -> None:
    send(market, "home", OPENING)
    id_ = send(market, "home", Revocation(message_hash(OPENING)))
    assert phases(market, ROOF) == {15_000: Phase.WITHDRAWING}
    with pytest.raises(RequestError, match="OfferGone"):
        send(market, "roof", acceptance(OPENING))
    market.node.refusals[id_] = "ProposalUsed()"
    market.step()
    assert phases(market, ROOF) == {15_000: Phase.OPEN}
    assert "The chain did not take it: ProposalUsed()" in logged_in(market, "roof").get(f"/members/{ROOF}/offers").text
    send(market, "roof", acceptance(OPENING))


def test_an_offer_to_everybody_is_every_members(market: Gateway) -> None:
    send(market, "home", proposal(to=""))
    assert phases(market, ROOF) == phases(market, 1) == {15_000: Phase.OPEN}
    for who, count in (("roof", 1), ("home", 0)):
        text = logged_in(market, who).get(f"/members/{ROOF if who == 'roof' else HOME}/alerts").text
        assert ("Contracts that are offered to you: 1." in text) is bool(count)
    assert "You offer everybody to buy" in logged_in(market, "home").get(f"/members/{HOME}/offers").text
    send(market, "p1", acceptance(proposal(to="")))
    # It is gone for the others, who are not told why.
    assert f"Member {HOME} would buy from you" not in logged_in(market, "p2").get("/members/2/offers").text
    with pytest.raises(RequestError, match="IdTaken"):  # nor what became of the first one's acceptance
        send(market, "p2", acceptance(proposal(to="")))


def test_what_is_offered_to_one_is_nobody_elses(market: Gateway) -> None:
    send(market, "home", OPENING)
    assert phases(market, 1) == {}
    for message in (acceptance(OPENING), acceptance(COUNTER)):  # of which there is one
        with pytest.raises(RequestError, match="NoSuchOffer: the gateway has no offer 0x"):
            send(market, "p1", message)


@pytest.mark.parametrize(
    ("who", "message", "title"),
    [
        ("stranger", proposal("stranger"), "NotAMember"),
        ("stranger", acceptance(OPENING), "NotAMember"),
        ("stranger", Revocation(message_hash(OPENING)), "NotAMember"),
        ("home", proposal(to="home"), "OfferToOneself"),
        ("home", acceptance(OPENING), "OfferToOneself"),
        ("home", proposal(to="", answers=message_hash(COUNTER)), "AnswerToNobody"),
        ("home", proposal(expiry=int(THEN)), "OfferExpired"),
        ("home", proposal(first_period=96), "OfferExpired"),
    ],
)
def test_what_can_lead_to_nothing_is_refused_at_once(market: Gateway, who: str, message: Any, title: str) -> None:
    send(market, "home", OPENING)
    before = market.store.newest()
    with pytest.raises(RequestError, match=title):
        send(market, who, message)
    assert market.store.newest() == before


def test_an_offer_ends_with_the_gate_of_its_first_day_and_brought_again_it_changes_nothing(market: Gateway) -> None:
    late = proposal(expiry=GATE + 10**6)
    envelope = market.client("home").envelope(BILATERAL, late)
    market.client().bring(envelope)
    assert phases(market, ROOF) == {15_000: Phase.OPEN}
    market.now[0] = float(GATE)
    assert phases(market, ROOF) == {15_000: Phase.EXPIRED}
    assert market.client().bring(envelope)["state"] == "offered"
    with pytest.raises(RequestError, match="OfferExpired"):
        send(market, "roof", acceptance(late))
    assert "expired" in logged_in(market, "roof").get(f"/members/{ROOF}/offers").text
    market.now[0] += 8 * 86_400
    assert "There are none." in logged_in(market, "roof").get(f"/members/{ROOF}/offers").text


def test_nobody_floods_the_others(market: Gateway) -> None:
    home = market.client("home")
    several = [home.envelope(BILATERAL, proposal(salt=n.to_bytes(32, "big"))) for n in range(MOST + 1)]
    answers = home.bring_all(several)
    assert [one["problem"]["title"] for one in answers if one["problem"]] == ["TooManyOffers"]


def test_a_market_without_contracts_says_so(market: Gateway) -> None:
    contracts = {**market.parts.contracts, BILATERAL: f"0x{0xBEEF:040x}"}
    market.web.app.state.parts = replace(market.parts, contracts=contracts)
    with pytest.raises(RequestError, match="NoContracts: this market has no contracts between members"):
        send(market, "home", OPENING)
    text = logged_in(market, "home").get(f"/members/{HOME}/offers").text
    assert "This market has no contracts between members." in text
    assert 'id="offer"' not in text
    market.web.app.state.parts = market.parts
