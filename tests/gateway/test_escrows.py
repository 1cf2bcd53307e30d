"""Trades in escrow through the gateway: signed by two, kept until both have, and brought; and who sees them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway import (
    CALENDAR,
    CHAIN,
    CONTRACTS,
    HOME,
    ROOF,
    Gateway,
    account_of,
    key_of,
    make_gateway,
    make_index,
)

from dem.errors import RequestError
from dem.gateway.protocol import ESCROW
from dem.gateway.relaying import _arguments
from dem.messages.contracts import EscrowRelease, EscrowTrade, Revocation
from dem.messages.signing import Domain, message_hash, sign, struct
from dem.model.units import Wh

from .test_pages import logged_in

DAY = 3
THEN = CALENDAR.opens_at(DAY) + 3_600.0
KEYS = ("buyer key", "seller key", "mediator")
ADDED = ("Schedule", "MarketAdded", {"market": CONTRACTS[ESCROW], "firstDay": 1})
PRICE, ENERGY, SLOTS = 10_000, 500, (1 << 10) - 1
AMOUNT = 10 * PRICE * ENERGY
Told = tuple[str, str, dict[str, Any]]


def trade(**edits: Any) -> EscrowTrade:
    """The home buys 500 Wh in each of ten periods from the roof, at 0.1."""
    usual = EscrowTrade(
        buyer=account_of("home"),
        seller=account_of("roof"),
        buyer_key=account_of(KEYS[0]),
        seller_key=account_of(KEYS[1]),
        mediator=account_of(KEYS[2]),
        day=DAY,
        slots=SLOTS,
        energy=Wh(ENERGY),
        price=PRICE,
        expiry=CALENDAR.gate_closes_at(DAY),
        salt=bytes(32),
    )
    return replace(usual, **edits)


def funded(number: int, day: int = DAY) -> Told:
    terms = {"slots": SLOTS, "energy": ENERGY, "price": PRICE}
    terms |= dict(zip(("buyerKey", "sellerKey", "mediator"), map(account_of, KEYS), strict=True))
    about = {"number": number, "buyer": HOME, "seller": ROOF, "day": day, "message": bytes([number] * 32)}
    return ESCROW, "Funded", about | {"terms": terms, "buyerLocks": AMOUNT, "sellerLocks": 7}


def released(number: int, to_seller: int) -> Told:
    keys = {"first": account_of(KEYS[0]), "second": account_of(KEYS[2])}
    return ESCROW, "Released", {"number": number, "toSeller": to_seller, "toBuyer": AMOUNT - to_seller} | keys


def expired(number: int, delivered: int) -> Told:
    paid = {"toSeller": delivered * PRICE, "toBuyer": AMOUNT - delivered * PRICE}
    return ESCROW, "ReleasedByReadings", {"number": number, "delivered": delivered} | paid


@pytest.fixture
def told() -> list[Told]:
    """Events of the index, besides those of every market."""
    return [ADDED, funded(1)]


@pytest.fixture
def market(tmp_path: Path, told: list[Told]) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", told))
    made.now[0] = THEN
    yield made
    made.store.close()


def send(market: Gateway, who: str, message: EscrowTrade | EscrowRelease | Revocation) -> str:
    return market.client(who).send(ESCROW, message)


def brought(market: Gateway, id_: str) -> tuple[Any, ...]:
    """The arguments with which a message goes to the contract."""
    market.step()
    assert market.node.brought == [id_]
    record = market.store.message(id_)
    assert record is not None
    return _arguments(market.relaying._message(record))


def signatures(message: EscrowTrade | EscrowRelease, *names: str) -> tuple[bytes, ...]:
    return tuple(sign(Domain(CHAIN, CONTRACTS[ESCROW]), message, key_of(name)) for name in names)


@pytest.mark.parametrize(("first", "second"), [("home", "roof"), ("roof", "home")])
def test_a_trade_is_brought_once_both_sides_have_signed_it(market: Gateway, first: str, second: str) -> None:
    id_ = send(market, first, trade())
    market.step()
    assert market.node.brought == []
    assert market.client(first).status(id_)["state"] == "offered"
    [envelope] = market.client(second).get(f"/v1/members/{ {'home': HOME, 'roof': ROOF}[second] }/escrows")["waiting"]
    assert envelope["id"] == id_
    [event] = [one for one in market.store.journal(0, 100, account_of(second)) if one.kind == "escrow"]
    assert event.data == {"id": id_}
    assert send(market, second, trade()) == id_
    assert brought(market, id_) == (struct(trade()), *signatures(trade(), "home", "roof"))
    assert market.client(second).get(f"/v1/members/{ {'home': HOME, 'roof': ROOF}[second] }/escrows")["waiting"] == []


@pytest.mark.parametrize(
    ("who", "edits", "title"),
    [
        ("p2", {}, "NotASide"),
        ("home", {"seller": account_of("home")}, "OfferToOneself"),
        ("home", {"seller": account_of("newcomer")}, "NotAMember"),
        ("home", {"day": DAY + 1}, "TooEarly"),
        ("home", {"day": DAY - 1}, "OfferExpired"),
        ("home", {"expiry": int(THEN)}, "OfferExpired"),
    ],
)
def test_a_trade_that_can_lead_to_nothing_is_refused(
    market: Gateway, who: str, edits: dict[str, Any], title: str
) -> None:
    with pytest.raises(RequestError, match=title):
        send(market, who, trade(**edits))


@pytest.mark.parametrize("told", [[]])
def test_a_market_without_trades_in_escrow_takes_none(market: Gateway) -> None:
    with pytest.raises(RequestError, match="NoEscrow"):
        send(market, "home", trade())


def test_who_is_no_side_cannot_join_and_nobody_after_the_gate(market: Gateway) -> None:
    send(market, "home", trade())
    with pytest.raises(RequestError, match="NoSuchTrade"):
        send(market, "p2", trade())
    market.now[0] = CALENDAR.gate_closes_at(DAY)
    with pytest.raises(RequestError, match="OfferExpired"):
        send(market, "roof", trade())


@pytest.mark.parametrize("pair", [(0, 1), (1, 2), (2, 0)])
def test_any_two_keys_of_a_trade_release_its_escrow(market: Gateway, pair: tuple[int, int]) -> None:
    first, second = (KEYS[n] for n in pair)
    release = EscrowRelease(1, AMOUNT - 5, 5)
    id_ = send(market, first, release)
    for other in {*KEYS} - {first}:
        [event] = [one for one in market.store.journal(0, 100, account_of(other)) if one.kind == "escrow"]
        assert event.data == {"id": id_, "number": 1}
    with pytest.raises(RequestError, match="NoSuchTrade"):
        send(market, "home", release)  # the member's account is none of its keys
    send(market, second, release)
    assert brought(market, id_) == (1, AMOUNT - 5, 5, *signatures(release, first, second))
    [third] = {*KEYS} - {first, second}
    send(market, third, release)
    market.step()
    assert market.node.brought == [id_]


@pytest.mark.parametrize(
    ("who", "release", "title"),
    [
        ("home", EscrowRelease(1, AMOUNT, 0), "NoSuchTrade"),
        ("mediator", EscrowRelease(2, AMOUNT, 0), "NoSuchTrade"),
        ("mediator", EscrowRelease(3, AMOUNT, 0), "NoSuchTrade"),
        ("mediator", EscrowRelease(1, AMOUNT, 1), "NotTheEscrow"),
    ],
)
@pytest.mark.parametrize("told", [[ADDED, funded(1), funded(2), released(2, AMOUNT)]])
def test_a_release_that_can_lead_to_nothing_is_refused(
    market: Gateway, who: str, release: EscrowRelease, title: str
) -> None:
    with pytest.raises(RequestError, match=title):
        send(market, who, release)


def test_a_release_is_too_late_once_corrections_have_closed(market: Gateway) -> None:
    market.now[0] = CALENDAR.corrections_close_at(DAY)
    with pytest.raises(RequestError, match="OfferExpired"):
        send(market, "mediator", EscrowRelease(1, AMOUNT, 0))


def test_a_side_takes_its_signature_of_a_trade_back(market: Gateway) -> None:
    revocation = Revocation(message_hash(trade()))
    id_ = send(market, "home", revocation)
    signed = sign(Domain(CHAIN, CONTRACTS[ESCROW]), revocation, key_of("home"))
    assert brought(market, id_) == (revocation.message, account_of("home"), signed)


@pytest.mark.parametrize(
    "told",
    [[ADDED, *(funded(n) for n in (1, 2, 3, 4)), released(2, AMOUNT), released(3, 5 * 10**6), expired(4, 4_000)]],
)
def test_a_member_sees_its_trades_and_what_they_paid(market: Gateway) -> None:
    trades = market.client("roof").get(f"/v1/members/{ROOF}/escrows")["trades"]
    assert [(one["number"], one["state"], one["to_seller"], one["to_buyer"]) for one in trades] == [
        (4, "expired", "0.40000000", "0.10000000"),
        (3, "split", "0.05000000", "0.45000000"),
        (2, "released", "0.50000000", "0.00000000"),
        (1, "funded", None, None),
    ]
    assert (trades[0]["delivered_wh"], trades[0]["energy_wh"], trades[0]["slots"]) == (4_000, ENERGY, str(SLOTS))
    page = logged_in(market, "home").get(f"/members/{HOME}/money").text
    for words in ("4: bought from Member 7", "in escrow", "released", "split", "paid by the meter"):
        assert words in page
    # What was paid is beside the settlements, on the page and on bills.
    assert "Trade in escrow" in page
    assert "Trades in escrow" not in logged_in(market, "p2").get("/members/2/money").text
