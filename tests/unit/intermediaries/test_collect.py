from support.brokers import choose, order, place, publish
from support.faults import set_bookable
from support.once import once
from support.refusals import refused
from support.signed import ask
from support.village import CLEARING_HOUSE, FALLBACK_SUPPLIER, RULES, Member, Village, events
from web3.contract import Contract

from dem.model.markets.auction import clear
from dem.model.orders import Order, Side
from dem.model.strips import LANES

DAY = 2
COMMISSION = 120
SECURED = 600 * RULES.commission_cap


def clear_brokered(village: Village, *orders: Order, day: int = DAY) -> None:
    """The day cleared with the pivots of these orders in slot 7."""
    village.wait_until(village.calendar.gate_closes_at(day))
    pivots = [0] * LANES
    pivots[1] = clear(list(orders)).pivot
    for strip, own in ((0, [0] * LANES), (1, pivots)):
        village.relay(village.market.auction, "clear", day, strip, own, 100)


def trade_brokered(village: Village, buyer: Member, seller: Member, day: int = DAY) -> None:
    """The seller sells what the retailer has ordered for the buyer."""
    village.place(seller, ask(7, 150, 600), day=day)
    orders = Order(buyer.id, 0, 7, Side.BID, 150, 600), Order(seller.id, 0, 7, Side.ASK, 150, 600)
    clear_brokered(village, *orders, day=day)


def end_days(village: Village) -> None:
    """The days until the brokered one, final."""
    village.settle(1)
    for day in range(1, DAY + 1):
        village.wait_until(village.calendar.corrections_close_at(day))
        village.relay(village.market.settlement, "finalize", day)


def settle_brokered(village: Village, buyer: Member, seller: Member) -> None:
    """The seller sells what the retailer has ordered for the buyer; the day is settled."""
    trade_brokered(village, buyer, seller)
    village.close_metering(1)
    village.close_metering(DAY)
    village.settle(DAY)


@once
def booked(village: Village, buyer: Member, seller: Member, retailer: Member) -> None:
    """On day 2 the retailer buys 600 Wh for the buyer, at 150 ticks, of the seller, who trades itself."""
    publish(village, retailer, COMMISSION, first_day=DAY)
    choose(village, buyer, retailer)
    village.open_auction(DAY)
    place(village, village.market.auction, buyer, retailer, order(Side.BID, 7, 150, 600), day=DAY)
    settle_brokered(village, buyer, seller)


@once
def final(village: Village, booked: None) -> None:
    """The same when nothing of it changes any more."""
    end_days(village)


def test_pays_the_commission_from_account_to_account(
    village: Village, intermediaries: Contract, auction: Contract, buyer: Member, retailer: Member, final: None
) -> None:
    before = village.free(buyer), village.free(retailer)
    receipt = village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)
    assert events(receipt, intermediaries, "CommissionPaid") == [
        {
            "client": buyer.id,
            "intermediary": retailer.id,
            "day": DAY,
            "market": auction.address,
            "energy": 600,
            "amount": 600 * COMMISSION,
        }
    ]
    assert village.free(buyer) == before[0] + SECURED - 600 * COMMISSION
    assert village.locked(buyer) == 0
    assert village.free(retailer) == before[1] + 600 * COMMISSION
    assert village.free(CLEARING_HOUSE) == 0


def test_each_client_day_and_market_counts_once(
    village: Village, intermediaries: Contract, auction: Contract, buyer: Member, final: None
) -> None:
    village.relay(intermediaries, "collect", DAY, [buyer.id, buyer.id], auction.address)
    before = village.free(buyer)
    receipt = village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)
    assert events(receipt, intermediaries, "CommissionPaid") == []
    assert village.free(buyer) == before


def test_passes_over_who_owes_nothing(
    village: Village, intermediaries: Contract, auction: Contract, seller: Member, final: None
) -> None:
    receipt = village.relay(intermediaries, "collect", DAY, [seller.id, 99], auction.address)
    assert events(receipt, intermediaries, "CommissionPaid") == []


def test_reverts_while_the_day_may_become_void(
    village: Village, intermediaries: Contract, auction: Contract, buyer: Member, booked: None
) -> None:
    with refused("NotFinal", day=DAY, lastFinal=0):
        village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)


def test_settling_keeps_the_highest_commission_locked(
    village: Village, auction: Contract, settlement: Contract, buyer: Member, seller: Member, booked: None
) -> None:
    assert (village.locked(buyer), village.locked(seller)) == (SECURED, 0)
    assert auction.functions.brokeredEnergy(buyer.id, DAY).call() == 600
    # A correction changes no trade, so it neither locks nor releases anything.
    village.read(buyer, [5] + [0] * 11, day=DAY, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(DAY))
    village.settle(DAY)
    assert village.locked(buyer) == SECURED


def test_a_client_that_took_its_money_out_has_paid_nonetheless(
    village: Village, intermediaries: Contract, auction: Contract, buyer: Member, retailer: Member, final: None
) -> None:
    village.grant("cashier", village.stranger)
    left, ledger = village.free(buyer), village.market.accounts
    village.market.chain.send(village.stranger, ledger, "post", [(buyer.id, -left, 0), (4, left, 0)])
    before = village.free(retailer), village.free(FALLBACK_SUPPLIER)
    village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)
    assert village.account(buyer)[:3] == (SECURED - 600 * COMMISSION, 0, 0)
    assert (village.free(retailer), village.free(FALLBACK_SUPPLIER)) == (before[0] + 600 * COMMISSION, before[1])


def test_a_client_in_arrears_costs_the_supplier_nothing_more(
    village: Village, intermediaries: Contract, auction: Contract, buyer: Member, retailer: Member, final: None
) -> None:
    village.grant("cashier", village.stranger)
    due, ledger = village.free(buyer) + 2 * SECURED, village.market.accounts
    village.market.chain.send(village.stranger, ledger, "post", [(buyer.id, -due, 0), (4, due, 0)])
    village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)
    assert village.account(buyer)[:3] == (0, 0, 2 * SECURED - (SECURED - 600 * COMMISSION))


def test_releases_what_is_locked_where_nothing_is_asked_for(
    village: Village, intermediaries: Contract, auction: Contract, buyer: Member, seller: Member, retailer: Member
) -> None:
    choose(village, buyer, retailer)
    village.open_auction(DAY)
    place(village, auction, buyer, retailer, order(Side.BID, 7, 150, 600), day=DAY)
    settle_brokered(village, buyer, seller)
    end_days(village)
    assert village.locked(buyer) == SECURED
    before = village.free(buyer)
    receipt = village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)
    assert [event["amount"] for event in events(receipt, intermediaries, "CommissionPaid")] == [0]
    assert (village.free(buyer), village.locked(buyer)) == (before + SECURED, 0)


def test_nothing_is_taken_or_released_of_a_void_day(
    village: Village,
    intermediaries: Contract,
    auction: Contract,
    settlement: Contract,
    buyer: Member,
    seller: Member,
    retailer: Member,
) -> None:
    """The client is booked when the market fails for another; eight days later its place in the ring is used again."""
    schedule, later = village.market.contract("Schedule"), DAY + 8
    publish(village, retailer, COMMISSION, first_day=DAY)
    choose(village, buyer, retailer)
    village.open_auction(DAY)
    place(village, auction, buyer, retailer, order(Side.BID, 7, 150, 600), day=DAY)
    trade_brokered(village, buyer, seller)
    village.close_metering(1)
    village.close_metering(DAY)
    village.relay(settlement, "settle", DAY, buyer.id)
    set_bookable(village, auction, False)
    village.relay(settlement, "settle", DAY, 1)
    set_bookable(village, auction, True)
    assert schedule.functions.isVoid(auction.address, DAY).call()
    village.settle(DAY)
    with refused("MarketIsVoid", market=auction.address, day=DAY):
        village.relay(intermediaries, "collect", DAY, [buyer.id], auction.address)
    held = {member.id: village.locked(member) for member in (buyer, seller)}
    assert held[buyer.id] == SECURED
    village.send("council", schedule, "releaseHeld", auction.address, [*held], [*held.values()])
    village.settle(1)
    village.close_metering(DAY + 1)
    village.settle(DAY + 1)
    for day in (1, DAY, DAY + 1):
        village.wait_until(village.calendar.corrections_close_at(day))
        village.relay(settlement, "finalize", day)
    village.wait_until(village.calendar.opens_at(later))
    place(village, auction, buyer, retailer, order(Side.BID, 7, 150, 600), day=later)
    trade_brokered(village, buyer, seller, day=later)
    for day in range(DAY + 2, later + 1):
        village.close_metering(day)
    village.settle(later)
    assert (village.locked(buyer), village.locked(seller)) == (SECURED, 0)


def test_reverts_when_anybody_else_takes_what_is_secured(village: Village, auction: Contract, buyer: Member) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send(village.stranger, auction, "takeCommissions", DAY, [buyer.id])


def test_reverts_for_a_market_that_the_schedule_does_not_have(
    village: Village, intermediaries: Contract, buyer: Member
) -> None:
    with refused("NotOfTheSchedule", market=buyer.account):
        village.relay(intermediaries, "collect", 1, [buyer.id], buyer.account)
