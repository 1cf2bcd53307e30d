"""Sheets that an intermediary signs for a client."""

import pytest
from support.brokers import BROKERED_LINE, choose, order, place
from support.once import once
from support.refusals import refused
from support.signed import bid, empty_line, lines_sheet, orders_sheet
from support.village import CAPACITY, CEILING, DEPOSIT, FEES, RULES, STRIPS, SUSPENDED, Member, Village, events
from web3.contract import Contract

from dem.messages.signing import SignedSheet
from dem.model.orders import Side

PART = CAPACITY // 4
CAP = RULES.commission_cap
HIGHEST = RULES.max_buy // 100
"""Of a brokered limit, in ticks."""


@once
def mandated(village: Village, buyer: Member, retailer: Member) -> None:
    """The buyer trades a quarter through the retailer; day 1 is open."""
    choose(village, buyer, retailer, share=2_500)
    village.open_auction()


def test_keeps_the_orders_apart_and_locks_the_commission_as_well(
    village: Village, auction: Contract, reader: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    receipt = place(village, auction, buyer, retailer, order(Side.BID, 0, 200, 1_000), sequence=3)
    [event] = events(receipt, auction, "SheetAccepted")
    assert (event["id"], event["sequence"], event["firstLine"]) == (buyer.id, 3, BROKERED_LINE)
    bought = 1_000 * (200 * 100 + FEES + CAP)
    assert auction.functions.brokeredSheetOf(buyer.id, 1).call() == [3, 1, bought]
    assert auction.functions.sheetOf(buyer.id, 1).call() == [0, 0, 0]
    assert reader.functions.lineOf(buyer.id, 1, BROKERED_LINE).call() == event["lines"][0]
    assert reader.functions.lineOf(buyer.id, 1, 0).call() == bytes(32)
    place(village, auction, buyer, retailer, order(Side.ASK, 6, 100, 1_000), sequence=4)
    sold = 1_000 * (CEILING + CAP - 100 * 100)
    assert village.account(buyer) == (DEPOSIT - bought - sold, bought + sold, 0, 0)


def test_an_ask_at_the_highest_limit_locks_what_is_above_it_and_the_commission(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    place(village, auction, buyer, retailer, order(Side.ASK, 6, HIGHEST, 1_000), order(Side.BID, 7, 0, 10))
    assert village.locked(buyer) == 1_000 * (CEILING - HIGHEST * 100 + CAP) + 10 * (FEES + CAP)


@pytest.mark.parametrize("side", Side)
def test_reverts_when_a_limit_is_above_the_dearest_fallback_supply(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None, side: Side
) -> None:
    """So an intermediary cannot have its client buy at any price: the fallback supplier sells for less."""
    place(village, auction, buyer, retailer, order(side, 6, HIGHEST, 100))
    with refused("LimitTooHigh", line=BROKERED_LINE + 1, lane=2, tick=HIGHEST + 1, highest=HIGHEST):
        place(village, auction, buyer, retailer, order(side, 8, HIGHEST + 1, 100), sequence=2)
    village.place(buyer, bid(7, 4_095, 10))


def test_both_hands_together_fill_the_connection(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    village.place(buyer, bid(0, 1, CAPACITY - PART), sequence=9)
    place(village, auction, buyer, retailer, order(Side.BID, 0, 1, PART - 100), sequence=1)
    place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 100, layer=1), sequence=2)
    with refused("ExceedsCapacity", id=buyer.id, slot=0, asked=PART + 1, allowed=PART):
        place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 101, layer=1), sequence=3)
    with refused("ExceedsCapacity", id=buyer.id, slot=0, asked=CAPACITY - PART + 1, allowed=CAPACITY - PART):
        village.place(buyer, bid(0, 1, CAPACITY - PART + 1), sequence=10)


def test_reverts_when_the_client_orders_in_the_intermediarys_lines(
    village: Village, auction: Contract, buyer: Member, mandated: None
) -> None:
    with refused("ExceedsCapacity", id=buyer.id, slot=0, asked=100, allowed=0):
        place(village, auction, buyer, buyer, order(Side.BID, 0, 1, 100))


def test_a_client_empties_its_intermediarys_lines_to_make_room_for_its_own_orders(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    """In one batch, so that nothing comes in between; the intermediary keeps clear of what stands then."""
    last = 2**40 - 1
    lines = [order(Side.ASK, 7, 150, 100), order(Side.ASK, 7, 100, 10, layer=1)]
    place(village, auction, buyer, retailer, *lines, sequence=last - 1)
    own = orders_sheet(village.market, buyer.wallet, bid(7, 200, 100), sequence=2)
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=200, ask=100):
        village.relay(auction, "enter", own)
    emptying = emptied(village, buyer, RULES.max_layers)
    receipt = village.relay(auction, "submit", [emptying, own])
    assert [event["firstLine"] for event in events(receipt, auction, "SheetAccepted")] == [BROKERED_LINE, 1]
    assert village.locked(buyer) == 100 * (200 * 100 + FEES)
    assert auction.functions.brokeredSheetOf(buyer.id, 1).call() == [last - 1, RULES.max_layers, 0]
    assert auction.functions.sheetOf(buyer.id, 1).call()[0] == 2
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=200, ask=150):
        place(village, auction, buyer, retailer, *lines[:1], sequence=last)


def test_a_client_empties_the_lines_of_a_suspended_intermediary(
    village: Village, auction: Contract, registry: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    place(village, auction, buyer, retailer, order(Side.ASK, 7, 150, 100))
    village.send("registrar", registry, "suspend", retailer.id)
    village.relay(auction, "enter", emptied(village, buyer))
    assert village.locked(buyer) == 0


def test_reverts_when_a_client_empties_some_of_a_periods_layers(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    lines = [order(Side.ASK, 7, 150, 100), order(Side.ASK, 7, 160, 40, layer=1)]
    place(village, auction, buyer, retailer, *lines)
    with refused("ExceedsCapacity", id=buyer.id, slot=7, asked=40, allowed=0):
        village.relay(auction, "enter", emptied(village, buyer))


def emptied(village: Village, client: Member, layers: int = 1) -> SignedSheet:
    """A client's own sheet that cancels in so many layers of its intermediary."""
    return lines_sheet(village.market, client.wallet, *[empty_line()] * layers * STRIPS, first_line=BROKERED_LINE)


def test_reverts_when_the_intermediary_reaches_for_the_clients_lines(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    with refused("NotSignedByParticipant", participant=buyer.account, signer=retailer.account):
        place(village, auction, buyer, retailer, bid(0, 1, 100))


def test_reverts_without_a_mandate(
    village: Village, auction: Contract, seller: Member, retailer: Member, mandated: None
) -> None:
    with refused("NotTheIntermediary", participant=seller.account, signer=retailer.account, day=1):
        place(village, auction, seller, retailer, order(Side.BID, 0, 1, 100))


def test_reverts_once_the_mandate_has_ended(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    choose(village, buyer, None, first_day=2, sequence=2)
    village.open_auction(2)
    with refused("NotTheIntermediary", participant=buyer.account, signer=retailer.account, day=2):
        place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 100), day=2)
    village.place(buyer, bid(0, 1, CAPACITY), day=2)


def test_reverts_while_the_client_may_choose_otherwise(
    village: Village, auction: Contract, buyer: Member, retailer: Member
) -> None:
    choose(village, buyer, retailer)
    with refused("MandateNotFixed", day=1, fixedAt=village.calendar.opens_at(1)):
        place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 100))


@pytest.mark.parametrize("who", ["buyer", "retailer"])
def test_reverts_when_either_is_suspended(
    village: Village, auction: Contract, registry: Contract, buyer: Member, retailer: Member, mandated: None, who: str
) -> None:
    member = {"buyer": buyer, "retailer": retailer}[who]
    village.send("registrar", registry, "suspend", member.id)
    with refused("WrongStatus", account=member.account, status=SUSPENDED):
        place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 100))


def test_reverts_when_an_earlier_sheet_of_the_intermediary_is_brought_again(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 100), sequence=2)
    with refused("StaleSheet", id=buyer.id, sequence=2, last=2):
        place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 200), sequence=2)


def test_reverts_when_a_line_is_beyond_the_allowed_layers(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    end = BROKERED_LINE + RULES.max_layers * STRIPS
    with refused("LineOutOfRange", line=end, lines=end):
        place(village, auction, buyer, retailer, order(Side.BID, 0, 1, 100, layer=RULES.max_layers))


def test_reverts_when_the_two_hands_would_trade_with_each_other(
    village: Village, auction: Contract, buyer: Member, retailer: Member, mandated: None
) -> None:
    place(village, auction, buyer, retailer, order(Side.ASK, 7, 150, 100))
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=150, ask=150):
        village.place(buyer, bid(7, 150, 100))
    village.place(buyer, bid(7, 149, 100), bid(6, 4_000, 100))
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=149, ask=149):
        place(village, auction, buyer, retailer, order(Side.ASK, 7, 149, 100), sequence=2)
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=149, ask=0):
        place(village, auction, buyer, retailer, order(Side.ASK, 7, 0, 10, layer=2), sequence=2)
