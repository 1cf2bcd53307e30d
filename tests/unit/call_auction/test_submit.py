from support.refusals import described, refused
from support.signed import ask, bid, empty_line, lines_sheet, orders_sheet
from support.village import DEPOSIT, FEES, Member, Village, events, reject_reasons
from web3.contract import Contract


def test_takes_or_rejects_each_sheet_for_itself(
    village: Village, auction: Contract, buyer: Member, seller: Member, rival: Member, opened: None
) -> None:
    sheets = [
        orders_sheet(village.market, buyer.wallet, bid(0, 200, 1_000)),
        orders_sheet(village.market, rival.wallet, bid(0, 4_095, 10_000), sequence=8),
        orders_sheet(village.market, seller.wallet, ask(0, 100, 1_000)),
    ]
    receipt = village.relay(auction, "submit", sheets)
    assert [event["id"] for event in events(receipt, auction, "SheetAccepted")] == [buyer.id, seller.id]
    [rejected] = events(receipt, auction, "SheetRejected")
    assert (rejected["participant"], rejected["day"], rejected["sequence"]) == (rival.account, 1, 8)
    needed = 10_000 * (4_095 * 100 + FEES)
    assert reject_reasons(receipt, village.market, auction, "SheetRejected") == [
        described("InsufficientFunds", id=rival.id, needed=needed, available=DEPOSIT)
    ]
    assert village.account(rival) == (DEPOSIT, 0, 0, 0)
    assert auction.functions.sheetOf(rival.id, 1).call() == [0, 0, 0]


def test_rejects_what_it_has_taken_before(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    sheet = orders_sheet(village.market, buyer.wallet, bid(0, 200, 1_000))
    receipt = village.relay(auction, "submit", [sheet, sheet])
    assert len(events(receipt, auction, "SheetAccepted")) == 1
    assert reject_reasons(receipt, village.market, auction, "SheetRejected") == [
        described("StaleSheet", id=buyer.id, sequence=1, last=1)
    ]


def test_reverts_while_paused(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    village.send("node", village.market.accounts, "pause", auction.address)
    with refused("MarketIsPaused", market=auction.address):
        village.relay(auction, "submit", [orders_sheet(village.market, buyer.wallet, bid(0, 200, 1_000))])


def test_cancels_while_paused_but_not_beside_an_order(
    village: Village, auction: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    """A batch with a new order is refused as a whole: no sheet is on record as rejected for the pause."""
    village.place(buyer, bid(0, 200, 1_000))
    village.send("node", village.market.accounts, "pause", auction.address)
    cancelling = lines_sheet(village.market, buyer.wallet, empty_line(), sequence=2)
    with refused("MarketIsPaused", market=auction.address):
        village.relay(auction, "submit", [cancelling, orders_sheet(village.market, seller.wallet, ask(0, 100, 1_000))])
    assert village.locked(buyer) > 0
    village.relay(auction, "submit", [cancelling])
    assert village.locked(buyer) == 0


def test_reverts_as_a_whole_when_the_gas_runs_out(
    village: Village, auction: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    sheets = [
        orders_sheet(village.market, buyer.wallet, bid(0, 200, 1_000)),
        orders_sheet(village.market, seller.wallet, ask(0, 100, 1_000)),
    ]
    enough = auction.functions.submit(sheets).estimate_gas({"from": village.market.keys["relayer"].address})
    with refused("BatchOutOfGas", index=1):
        village.send_with(enough - 60_000, "relayer", auction, "submit", sheets)
