"""A pool: one more call auction, whose members are an intermediary and its clients."""

import pytest
from support.brokers import choose, order, place, publish
from support.refusals import refused
from support.signed import ask, bid
from support.village import CAPACITY, FEES, RULES, Member, Village, events
from web3.contract import Contract

from dem.clearing import clear
from dem.deployment import ADMIN
from dem.orders import Order, Side
from dem.plan import ROLES
from dem.strips import LANES

DAY = 2
POOL_LEAD = 3_600


@pytest.fixture
def pool(village: Village, retailer: Member) -> Contract:
    """The retailer's pool, plugged in from day 2 on; it closes an hour ahead of the market."""
    market = village.market
    members = market.chain.deploy(market.keys[ADMIN], "PoolMembers", (market.registry.address, retailer.id))
    calendar = list(market.calendar.as_tuple())
    calendar[4] += POOL_LEAD
    arguments = (market.authority.address, tuple(calendar), members, market.rules.address, market.accounts.address)
    address = market.chain.deploy(market.keys[ADMIN], "CallAuction", arguments)
    book = bytes.fromhex(market.auction.encode_abi("book", args=(1, 1, 1))[2:10])
    [role] = [role for role in ROLES if role.name == "schedule"]
    village.send(ADMIN, market.authority, "setTargetFunctionRole", address, [book], role.id)
    village.send("council", market.contract("Schedule"), "addMarket", address, DAY)
    return market.chain.contract("CallAuction", address)


@pytest.fixture
def clients(village: Village, pool: Contract, buyer: Member, seller: Member, retailer: Member) -> None:
    """The buyer trades half of its energy through the retailer, the seller all; day 2 is open."""
    publish(village, retailer, 100, first_day=DAY)
    choose(village, buyer, retailer, share=5_000)
    choose(village, seller, retailer, share=10_000)
    village.open_auction(DAY)
    # The market itself lets a pool lock collateral once the gate of the day before is closed.
    village.wait_until(max(village.calendar.opens_at(DAY), village.calendar.gate_closes_at(DAY - 1)))


def test_clients_trade_at_one_internal_price_and_the_retailer_what_they_leave(
    village: Village,
    pool: Contract,
    intermediaries: Contract,
    buyer: Member,
    seller: Member,
    retailer: Member,
    clients: None,
) -> None:
    place(village, pool, buyer, buyer, order(Side.BID, 7, 150, 400), day=DAY)
    place(village, pool, seller, retailer, order(Side.ASK, 7, 100, 600), day=DAY)
    place(village, pool, retailer, retailer, bid(7, 120, 200), day=DAY)
    village.wait_until(village.calendar.gate_closes_at(DAY) - POOL_LEAD)
    with refused("GateClosed", day=DAY, closedAt=village.calendar.gate_closes_at(DAY) - POOL_LEAD, time=village.now):
        place(village, pool, buyer, buyer, order(Side.BID, 7, 150, 400), day=DAY, sequence=2)
    orders = [
        Order(buyer.id, 0, 7, Side.BID, 150, 400),
        Order(seller.id, 0, 7, Side.ASK, 100, 600),
        Order(retailer.id, 0, 7, Side.BID, 120, 200),
    ]
    clearing = clear(orders)
    for strip in range(2):
        pivots = [clearing.pivot if (strip, k) == (1, 1) else 0 for k in range(LANES)]
        village.relay(pool, "clear", DAY, strip, pivots, 100)
    outcome = pool.functions.outcomes(DAY).call()[7]
    assert (outcome[0], outcome[2]) == (clearing.price, 600) == (110, 600)

    # The retailer, who knows its position now, sells half of it on in the market; nobody buys.
    village.place(retailer, ask(7, 90, 100), day=DAY)
    village.wait_until(village.calendar.gate_closes_at(DAY))
    for strip in range(2):
        village.relay(village.market.auction, "clear", DAY, strip, [0] * LANES, 100)
    village.close_metering(1)
    village.close_metering(DAY)
    before = village.free(retailer) + village.locked(retailer)
    receipt = village.settle(DAY)
    bills = {event["id"]: event for event in events(receipt, village.market.settlement, "Settled")}
    assert bills[buyer.id]["trade"] == 400 * 110 * 100
    assert bills[seller.id]["trade"] == -600 * 110 * 100
    # Without a meter its whole position is imbalance: it bought 200 Wh and took none.
    retailers = bills[retailer.id]
    assert retailers["trade"] == 200 * 110 * 100
    # The meters show nothing: what it did not take is paid for at the middle of the tariffs.
    assert retailers["imbalance"] == -200 * (RULES.standing_buy + RULES.standing_sell) // 2
    due = sum(retailers[name] for name in ("trade", "imbalance", "fees", "deviation"))
    assert village.free(retailer) == before - due
    assert retailers["fees"] == 200 * FEES

    receipt = village.relay(intermediaries, "collect", DAY, [buyer.id, seller.id, retailer.id], pool.address)
    paid = {event["client"]: event["amount"] for event in events(receipt, intermediaries, "CommissionPaid")}
    assert paid == {buyer.id: 400 * 100, seller.id: 600 * 100}
    assert village.free(retailer) == before - due + 1_000 * 100


def test_clients_order_within_the_share_they_have_given(
    village: Village, pool: Contract, buyer: Member, clients: None
) -> None:
    half = CAPACITY // 2
    place(village, pool, buyer, buyer, order(Side.BID, 7, 1, half), day=DAY)
    with refused("ExceedsCapacity", id=buyer.id, slot=7, asked=half + 1, allowed=half):
        place(village, pool, buyer, buyer, order(Side.BID, 7, 1, half + 1), day=DAY, sequence=2)


def test_reverts_for_who_has_no_mandate(
    village: Village, pool: Contract, rival: Member, retailer: Member, clients: None
) -> None:
    with refused("NotTheIntermediary", participant=rival.account, signer=retailer.account, day=DAY):
        place(village, pool, rival, rival, order(Side.BID, 7, 1, 100), day=DAY)


def test_reverts_for_another_intermediary(
    village: Village, pool: Contract, buyer: Member, aggregator: Member, clients: None
) -> None:
    with refused("NotTheIntermediary", participant=buyer.account, signer=aggregator.account, day=DAY):
        place(village, pool, buyer, aggregator, order(Side.BID, 7, 1, 100), day=DAY)


def test_reverts_for_orders_of_a_clients_own(village: Village, pool: Contract, buyer: Member, clients: None) -> None:
    with refused("NotThePoolsOwn", account=buyer.account):
        place(village, pool, buyer, buyer, bid(7, 1, 100), day=DAY)


def test_reverts_when_its_owner_is_no_intermediary(village: Village, buyer: Member) -> None:
    market = village.market
    with refused("NotAnIntermediary", id=buyer.id):
        market.chain.deploy(market.keys[ADMIN], "PoolMembers", (market.registry.address, buyer.id))
