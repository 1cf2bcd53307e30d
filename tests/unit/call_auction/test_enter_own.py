from ape.api import AccountAPI
from support.refusals import refused
from support.signed import bid, empty_line, lines_sheet
from support.village import DEPOSIT, FEES, Member, Village, events
from web3.contract import Contract
from web3.types import TxReceipt

from dem.model.orders import Order, encode_lane
from dem.model.strips import pack

BID_COLLATERAL = 1_000 * (200 * 100 + FEES)


def enter_own(village: Village, sender: AccountAPI, order: Order, sequence: int = 1) -> TxReceipt:
    line = pack(1, [encode_lane(order), *[0] * 5]).to_bytes(32, "big")
    return village.market.chain.send(sender, village.market.auction, "enterOwn", 1, 0, sequence, [line])


def test_takes_the_callers_orders_without_a_signature(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    receipt = enter_own(village, buyer.sender, bid(0, 200, 1_000), sequence=3)
    [accepted] = events(receipt, auction, "SheetAccepted")
    assert (accepted["id"], accepted["day"], accepted["sequence"], accepted["firstLine"]) == (buyer.id, 1, 3, 0)
    assert auction.functions.sheetOf(buyer.id, 1).call() == [3, 1, BID_COLLATERAL]
    assert village.account(buyer) == (DEPOSIT - BID_COLLATERAL, BID_COLLATERAL, 0, 0)


def test_counts_with_signed_sheets(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    village.place(buyer, bid(0, 200, 1_000))
    with refused("StaleSheet", id=buyer.id, sequence=1, last=1):
        enter_own(village, buyer.sender, bid(0, 200, 500))
    enter_own(village, buyer.sender, bid(0, 200, 500), sequence=2)
    with refused("StaleSheet", id=buyer.id, sequence=2, last=2):
        village.relay(auction, "enter", lines_sheet(village.market, buyer.wallet, empty_line(), sequence=2))
    assert village.locked(buyer) == BID_COLLATERAL // 2


def test_reverts_when_the_caller_is_unknown(village: Village, stranger: AccountAPI, opened: None) -> None:
    with refused("UnknownAccount", account=stranger.address):
        enter_own(village, stranger, bid(0, 200, 1_000))


def test_reverts_while_paused(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    village.send("node", village.market.accounts, "pause", auction.address)
    with refused("MarketIsPaused", market=auction.address):
        enter_own(village, buyer.sender, bid(0, 200, 1_000))
