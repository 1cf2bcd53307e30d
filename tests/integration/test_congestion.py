"""Trades for the network on a chain: asked for, ordered, met and settled by what relayers bring."""

import pytest
from support.signed import domain
from support.village import PERIOD, PERIODS, Member, Village

from dem.deployment.market import Market
from dem.errors import RefusedError
from dem.messages.orders import CongestionOrder, CongestionRequest
from dem.messages.signed import Received
from dem.messages.signing import sign
from dem.model.markets.congestion import Pair
from dem.model.units import Wh
from dem.relay import congestion
from dem.relay.batches import Relay
from dem.relay.following import Following

SLOT, ZONE, ENERGY, TICK = 8, 7, 2_000, 60
REPORT = b"report".ljust(32, b"\0")


@pytest.fixture
def relay(village: Village, market: Market) -> Relay:
    """Of a market in which the buyer is in a zone of the network, and the grid operator has money."""
    contract = market.contract(congestion.CONTRACT)
    village.send("council", market.contract("Schedule"), "addMarket", contract.address, 1)
    village.send("dispatcher", market.contract("GridLimits"), "assign", [village.buyer.id], [ZONE], 1)
    village.send("treasurer", market.accounts, "deposit", village.grid_operator.account, 10**12, bytes([99] * 32))
    village.wait_until(village.calendar.gate_closes_at(1))
    return Relay(market)


def wanted(village: Village, sequence: int = 1) -> Received[CongestionRequest]:
    message = CongestionRequest(
        day=1,
        slot=SLOT,
        is_fed_in=True,
        zones=(ZONE,),
        barred=(),
        energy=Wh(ENERGY),
        spread=0,
        budget=10**9,
        closes_at=village.calendar.start_of(1) + (SLOT - 3) * PERIOD,
        report=REPORT,
        sequence=sequence,
    )
    key = village.grid_operator.wallet.account_key
    return Received(message, sign(domain(village.market, congestion.CONTRACT), message, key))


def ordered(village: Village, member: Member, tick: int, sequence: int = 1) -> Received[CongestionOrder]:
    message = CongestionOrder(member.account, 1, tick, Wh(ENERGY), sequence)
    return Received(message, sign(domain(village.market, congestion.CONTRACT), message, member.wallet.account_key))


def test_what_relayers_bring_is_traded_and_settled(village: Village, relay: Relay) -> None:
    follow, chain = Following(relay.records), village.market.chain
    orders = [ordered(village, village.buyer, TICK), ordered(village, village.seller, TICK)]
    congestion.request(relay, [wanted(village)])
    congestion.order(relay, orders)
    sent = chain.transactions
    congestion.request(relay, [wanted(village)])
    congestion.order(relay, orders)
    congestion.meet(relay, follow().markets[congestion.CONTRACT], 0)
    assert chain.transactions == sent, "what the chain knows is not brought again, and nothing meets too early"
    village.wait_until(wanted(village).message.closes_at)
    for _ in range(2):
        congestion.meet(relay, follow().markets[congestion.CONTRACT], 0)
    assert chain.transactions == sent + 1
    assert relay.refused == []
    assert follow().markets[congestion.CONTRACT].pairs == {
        1: [Pair(village.buyer.id, village.seller.id, ENERGY, TICK, TICK)]
    }
    village.wait_until(village.calendar.metering_deadline(1))
    for member in village.members:
        net = {village.buyer: ENERGY, village.seller: -ENERGY}.get(member, 0)
        village.read(member, [net if slot == SLOT else 0 for slot in range(PERIODS)])
    village.close_metering(1)
    village.settle(1)
    replay = follow()
    assert replay.differences == []
    assert not any(village.locked(member) for member in (village.buyer, village.seller, village.grid_operator))


def test_a_request_that_the_chain_refuses_is_an_error(village: Village, relay: Relay) -> None:
    congestion.request(relay, [wanted(village, sequence=2)])
    late = wanted(village, sequence=3)
    village.wait_until(late.message.closes_at)
    with pytest.raises(RefusedError, match="NoTimeToOrder"):
        congestion.request(relay, [late])


def test_an_order_that_is_refused_is_noted_and_keeps_no_other_back(village: Village, relay: Relay) -> None:
    congestion.request(relay, [wanted(village)])
    congestion.order(relay, [ordered(village, village.buyer, 4_096), ordered(village, village.seller, TICK)])
    [refusal] = relay.refused
    assert "BadTerm" in refusal
    assert list(Following(relay.records)().markets[congestion.CONTRACT].orders[1]) == [village.seller.id]
