"""A pool: one more call auction, whose members are an intermediary and its clients."""

import pytest
from support.brokers import BROKERED_LINE, choose, open_pool, order, place, publish
from support.refusals import refused
from support.signed import ask, bid
from support.village import CAPACITY, FEES, RULES, Member, Village, events
from web3.contract import Contract

from dem.deployment.market import ADMIN
from dem.model.markets.auction import clear
from dem.model.orders import Order, Side
from dem.model.strips import LANES

DAY = 2
POOL_LEAD = 3_600


@pytest.fixture
def pool(village: Village, retailer: Member) -> Contract:
    """The retailer's pool, plugged in from day 2 on; it closes an hour ahead of the market."""
    return open_pool(village, retailer, POOL_LEAD, DAY)


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
    [outcome] = pool.functions.outcomesIn(DAY, 7, 1).call()
    # price and volume as UniformPrice packs them
    assert (outcome & 0xFFFF, outcome >> 24 & (1 << 64) - 1) == (clearing.price, 600) == (110, 600)

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
    cap = RULES.commission_cap
    assert (village.locked(buyer), village.locked(seller)) == (400 * cap, 600 * cap)
    assert retailers["fees"] == 200 * FEES

    village.settle(1)
    for day in range(1, DAY + 1):
        village.wait_until(village.calendar.corrections_close_at(day))
        village.relay(village.market.settlement, "finalize", day)
    receipt = village.relay(intermediaries, "collect", DAY, [buyer.id, seller.id, retailer.id], pool.address)
    paid = {event["client"]: event["amount"] for event in events(receipt, intermediaries, "CommissionPaid")}
    assert paid == {buyer.id: 400 * 100, seller.id: 600 * 100}
    assert village.free(retailer) == before - due + 1_000 * 100
    assert (village.locked(buyer), village.locked(seller)) == (0, 0)


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


def test_neither_hand_locks_the_other_out(
    village: Village, pool: Contract, buyer: Member, retailer: Member, clients: None
) -> None:
    last = 2**40 - 1
    place(village, pool, buyer, retailer, order(Side.BID, 7, 400, 400), day=DAY, sequence=last)
    place(village, pool, buyer, buyer, order(Side.BID, 7, 100, 400), day=DAY, sequence=1)
    assert pool.functions.sheetOf(buyer.id, DAY).call()[0] == 1
    assert pool.functions.brokeredSheetOf(buyer.id, DAY).call()[0] == last
    assert village.locked(buyer) == 400 * (100 * 100 + FEES + RULES.commission_cap)
    place(village, pool, buyer, buyer, order(Side.BID, 7, 90, 400), day=DAY, sequence=last)
    with refused("StaleSheet", id=buyer.id, sequence=last, last=last):
        place(village, pool, buyer, retailer, order(Side.BID, 7, 80, 400), day=DAY, sequence=last)


def test_an_intermediary_sells_its_client_nothing_dearer_than_the_fallback_supply(
    village: Village, pool: Contract, buyer: Member, retailer: Member, clients: None
) -> None:
    """What it asks for itself may be any price: no client's order reaches it."""
    place(village, pool, retailer, retailer, ask(7, 4_095, 400), day=DAY)
    highest = RULES.max_buy // 100
    for signer in (retailer, buyer):
        with refused("LimitTooHigh", line=BROKERED_LINE + 1, lane=1, tick=4_095, highest=highest):
            place(village, pool, buyer, signer, order(Side.BID, 7, 4_095, 400), day=DAY)


def test_a_client_takes_the_place_of_a_line_that_its_own_orders_would_meet(
    village: Village, pool: Contract, buyer: Member, retailer: Member, clients: None
) -> None:
    place(village, pool, buyer, retailer, order(Side.ASK, 7, 1, 10), day=DAY)
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=200, ask=1):
        place(village, pool, buyer, buyer, order(Side.BID, 7, 200, 400, layer=1), day=DAY)
    place(village, pool, buyer, buyer, order(Side.BID, 7, 200, 400), day=DAY)
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=200, ask=1):
        place(village, pool, buyer, retailer, order(Side.ASK, 7, 1, 10, layer=1), day=DAY, sequence=2)


def test_an_intermediary_keeps_its_own_hand_when_the_client_went_first(
    village: Village, pool: Contract, buyer: Member, retailer: Member, clients: None
) -> None:
    place(village, pool, buyer, buyer, order(Side.BID, 7, 100, 400), day=DAY, sequence=2**40 - 1)
    place(village, pool, buyer, retailer, order(Side.BID, 7, 120, 400), day=DAY, sequence=1)
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=120, ask=110):
        place(village, pool, buyer, retailer, order(Side.ASK, 7, 110, 400, layer=1), day=DAY, sequence=2)
