"""What relayers and metering gateways take, and bring to a chain once, whenever they are killed."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from support.signed import bid, domain, registers
from support.village import Member, Village

from dem.deployment.market import Market
from dem.errors import RequestError
from dem.gateway.protocol import KINDS, Envelope, seal
from dem.governance.elections import ElectionTerms
from dem.messages.members import Opening, Withdrawal
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signing import Message, digest, sign
from dem.model.orders import lines_of
from dem.relay.batches import Relay
from dem.roles.carriers import BROUGHT, QUEUED, Carrier, Inbox
from dem.roles.chain import ChainRole
from dem.roles.service import Service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def inbox(market: Market, folder: Path, is_metering: bool = False) -> Inbox:
    types = [ReadingSheet] if is_metering else [*KINDS]
    return Inbox(folder, types, market.chain.id, market.addresses)


def service(market: Market, folder: Path) -> Service:
    """A new one, which knows nothing but the folder and the chain."""

    def make() -> ChainRole:
        relay = Relay(market)
        return ChainRole(relay, Carrier(relay, inbox(market, folder)).steps)

    return Service("relayer", "relayer", make)


def sealed(market: Market, contract: str, key: bytes, message: Message) -> Envelope:
    at = domain(market, contract)
    return seal(at, message, sign(at, message, key))


def reading(village: Village, member: Member, key: bytes | None = None, meter: str = "") -> Envelope:
    data = registers([0] * village.calendar.periods_per_day, 0, 0)
    sheet = ReadingSheet(meter or member.meter, 1, 0, 1, data)
    return sealed(village.market, "MeterReadings", key or member.wallet.meter_key, sheet)


def orders(village: Village, member: Member, day: int = 1) -> Envelope:
    [(line, word)] = lines_of([bid(2, 100, 50)], day, village.calendar.periods_per_day).items()
    sheet = OrderSheet(member.account, day, line, 1, (word,))
    return sealed(village.market, "CallAuction", member.wallet.account_key, sheet)


def test_what_is_taken_is_brought_once_its_time_has_come(village: Village, market: Market, folder: Path) -> None:
    own = inbox(market, folder)
    taken = orders(village, village.buyer), reading(village, village.buyer), reading(village, village.rival)
    assert {own.take(envelope) for envelope in taken} == {QUEUED}
    assert service(market, folder).look() == 0
    village.open_auction()
    assert service(market, folder).look() == 1
    assert market.auction.functions.sheetOf(village.buyer.id, 1).call()[0] == 1
    assert len(own.waiting()) == 2
    village.wait_until(village.calendar.start_of(2))
    at_work = service(market, folder)
    assert (at_work.look(), at_work.look()) == (1, 0)
    accepted = Relay(market).records.events("MeterReadings", "ReadingsAccepted", 1)
    assert {event.args["id"] for event in accepted} == {village.buyer.id, village.rival.id}
    assert own.take(taken[1]) == BROUGHT


def test_one_that_was_killed_before_it_noted_what_it_brought_brings_nothing_twice(
    village: Village, market: Market, folder: Path
) -> None:
    envelope = reading(village, village.buyer)
    own = inbox(market, folder)
    own.take(envelope)
    village.wait_until(village.calendar.start_of(2))
    service(market, folder).look()
    own.move([envelope.id], BROUGHT, QUEUED)
    before = market.chain.transactions
    service(market, folder).look()
    assert market.chain.transactions == before
    assert own.take(envelope) == BROUGHT


def test_what_is_nobodys_keeps_up_no_other(village: Village, market: Market, folder: Path) -> None:
    own = inbox(market, folder)
    stranger = village.buyer.wallet.account_key
    own.take(reading(village, village.buyer, stranger, village.buyer.account))
    own.take(reading(village, village.rival))
    village.wait_until(village.calendar.start_of(2))
    service(market, folder).look()
    [event] = Relay(market).records.events("MeterReadings", "ReadingsAccepted", 1)
    assert event.args["id"] == village.rival.id


def test_single_messages_are_brought_and_refused_ones_are_done_with(
    village: Village, market: Market, folder: Path
) -> None:
    buyer, own = village.buyer, inbox(market, folder)
    before = village.free(buyer)
    for amount, sequence in ((100, 1), (10**20, 2)):
        message = Withdrawal(buyer.account, amount, False, sequence)
        own.take(sealed(market, "Accounts", buyer.wallet.account_key, message))
    service(market, folder).look()
    assert village.free(buyer) == before - 100
    assert own.waiting() == []


def test_a_ballots_opening_waits_for_the_count(village: Village, market: Market, folder: Path) -> None:
    """Brought a moment earlier it would be refused, and tell the vote."""
    elections, buyer, own = market.contract("Elections"), village.buyer, inbox(market, folder)
    times = ElectionTerms(*elections.functions.terms().call()).times(1)
    village.wait_until(times.begins)
    market.chain.send(village.seller.sender, elections, "nominate", 1)
    village.wait_until(times.voting)
    said = Opening(1, buyer.id, village.seller.account, bytes(range(32)), 1)
    market.chain.send(buyer.sender, elections, "vote", 1, digest(domain(market, "Elections"), said), 1)
    # Whoever has the opening signs its envelope: here it is the seller.
    own.take(sealed(market, "Elections", village.seller.wallet.account_key, said))
    village.wait_until(times.counting - 60)
    assert service(market, folder).look() == 0
    village.wait_until(times.counting)
    assert service(market, folder).look() == 1
    assert elections.functions.nominees(1).call() == [(village.seller.account, 1)]
    assert own.waiting() == []


def test_a_metering_gateway_takes_nothing_but_readings(village: Village, market: Market, folder: Path) -> None:
    own = inbox(market, folder, is_metering=True)
    with pytest.raises(RequestError, match="is not brought here, but ReadingSheet"):
        own.take(orders(village, village.buyer))
    web = TestClient(Starlette(routes=[own.route()]))
    good = reading(village, village.buyer).model_dump()
    assert [web.post("/v1/messages", json=good).json()["state"] for _ in range(2)] == [QUEUED, QUEUED]
    for body in (b"", b"[]", b"{}", b"\xff", b'{"v": "dem/1"}'):
        assert web.post("/v1/messages", content=body).status_code == 422
    forged = good | {"signature": good["signature"][:-4] + "0000"}
    assert web.post("/v1/messages", json=forged).status_code == 422
