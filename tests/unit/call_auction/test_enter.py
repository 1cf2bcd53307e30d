import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import TOO_HIGH_S, ask, bid, empty_line, lines_sheet, orders_sheet
from support.village import (
    CAPACITY,
    CEILING,
    DEPOSIT,
    FEES,
    PERIOD,
    RULES,
    STRIPS,
    SUSPENDED,
    Member,
    Village,
    events,
)
from web3.contract import Contract

from dem.community.keys import wallet
from dem.model.orders import encode_lane
from dem.model.strips import pack

BID_COLLATERAL = 1_000 * (200 * 100 + FEES)
ASK_COLLATERAL = 1_000 * (CEILING - 100 * 100)


def word(*lanes: int, day: int = 1) -> int:
    return pack(day, [*lanes, *[0] * (6 - len(lanes))])


def test_keeps_the_orders_and_locks_a_buyers_highest_payment(
    village: Village, auction: Contract, reader: Contract, buyer: Member, opened: None
) -> None:
    receipt = village.place(buyer, bid(7, 200, 1_000), sequence=3)
    line = word(0, encode_lane(bid(1, 200, 1_000))).to_bytes(32, "big")
    assert events(receipt, auction, "SheetAccepted") == [
        {"id": buyer.id, "day": 1, "sequence": 3, "firstLine": 1, "lines": [line]}
    ]
    assert reader.functions.lineOf(buyer.id, 1, 1).call() == line
    assert auction.functions.sheetOf(buyer.id, 1).call() == [3, 1, BID_COLLATERAL]
    assert village.account(buyer) == (DEPOSIT - BID_COLLATERAL, BID_COLLATERAL, 0, 0)


def test_locks_what_replacing_a_sellers_energy_may_cost(village: Village, seller: Member, opened: None) -> None:
    village.place(seller, ask(0, 100, 1_000))
    assert village.locked(seller) == ASK_COLLATERAL


def test_locks_nothing_for_an_ask_above_the_ceiling(village: Village, seller: Member, opened: None) -> None:
    village.place(seller, ask(0, 401, 1_000))
    assert village.locked(seller) == 0


def test_a_later_sheet_replaces_the_lines_it_names(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 1_000), bid(6, 200, 1_000))
    village.place(buyer, bid(0, 100, 500), sequence=2)
    assert village.locked(buyer) == BID_COLLATERAL + 500 * (100 * 100 + FEES)
    village.relay(auction, "enter", lines_sheet(village.market, buyer.wallet, *[empty_line()] * STRIPS, sequence=3))
    assert village.account(buyer) == (DEPOSIT, 0, 0, 0)
    assert auction.functions.sheetOf(buyer.id, 1).call() == [3, 1, 0]


def test_takes_several_orders_for_one_period(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    village.place(buyer, *[bid(0, 100 + layer, 1_000, layer) for layer in range(RULES.max_layers)])
    assert auction.functions.sheetOf(buyer.id, 1).call()[1] == 3
    assert village.locked(buyer) == sum(1_000 * (100 * tick + FEES) for tick in (100, 101, 102))


def test_takes_orders_for_several_days_side_by_side(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 1_000))
    village.open_auction(2)
    village.place(buyer, bid(0, 200, 1_000), day=2)
    assert village.locked(buyer) == 2 * BID_COLLATERAL


def test_takes_orders_that_fill_the_connection(village: Village, buyer: Member, opened: None) -> None:
    village.place(buyer, bid(0, 1, CAPACITY))
    village.place(buyer, bid(1, 1, CAPACITY - 10), bid(1, 1, 10, layer=1), sequence=2)


def test_reverts_while_paused(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    village.place(buyer, bid(0, 200, 1_000))
    village.send("node", village.market.accounts, "pause", auction.address)
    with refused("MarketIsPaused", market=auction.address):
        village.place(buyer, bid(0, 200, 999), sequence=2)


def test_cancels_while_paused(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    """A part of what stands, by a sheet that repeats the rest; then all of it."""
    village.place(buyer, bid(0, 200, 1_000), bid(1, 200, 500))
    village.send("node", village.market.accounts, "pause", auction.address)
    locked = village.locked(buyer)
    village.place(buyer, bid(0, 200, 1_000), sequence=2)
    assert 0 < village.locked(buyer) < locked
    village.relay(auction, "enter", lines_sheet(village.market, buyer.wallet, empty_line(), sequence=3))
    assert village.locked(buyer) == 0


def test_reverts_before_the_auction_opens(village: Village, buyer: Member) -> None:
    opens_at = village.calendar.opens_at(1)
    with refused("NotOpenYet", day=1, opensAt=opens_at, time=village.now):
        village.place(buyer, bid(0, 200, 1_000))


def test_reverts_when_the_gate_has_closed(village: Village, buyer: Member, gate_closed: None) -> None:
    closed_at = village.calendar.gate_closes_at(1)
    with refused("GateClosed", day=1, closedAt=closed_at, time=village.now):
        village.place(buyer, bid(0, 200, 1_000))


@pytest.mark.parametrize("day", [0, 65_536])
def test_reverts_when_there_is_no_such_day(
    village: Village, auction: Contract, buyer: Member, opened: None, day: int
) -> None:
    with refused("NoSuchDay", day=day):
        village.relay(auction, "enter", lines_sheet(village.market, buyer.wallet, empty_line(), day=day))


def test_reverts_when_signed_by_somebody_else(
    village: Village, auction: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    signed = lines_sheet(village.market, buyer.wallet, empty_line(), key=seller.wallet.account_key)
    with refused("NotSignedByParticipant", participant=buyer.account, signer=seller.account):
        village.relay(auction, "enter", signed)


def test_reverts_when_the_signatures_s_is_in_the_upper_half(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    sheet, r, _ = orders_sheet(village.market, buyer.wallet, bid(0, 200, 1_000))
    with refused("ECDSAInvalidSignatureS", s=TOO_HIGH_S):
        village.relay(auction, "enter", (sheet, r, TOO_HIGH_S))


def test_reverts_when_the_signature_is_nobodys(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    sheet, _, vs = orders_sheet(village.market, buyer.wallet, bid(0, 200, 1_000))
    with refused("ECDSAInvalidSignature"):
        village.relay(auction, "enter", (sheet, bytes(32), vs))


def test_reverts_when_the_participant_is_unknown(village: Village, auction: Contract, opened: None) -> None:
    unknown = wallet("village", 1, "unknown")
    with refused("UnknownAccount", account=unknown.account):
        village.relay(auction, "enter", orders_sheet(village.market, unknown, bid(0, 200, 1_000)))


def test_reverts_when_the_participant_is_suspended(
    village: Village, registry: Contract, buyer: Member, opened: None
) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=SUSPENDED):
        village.place(buyer, bid(0, 200, 1_000))


def test_reverts_when_the_storage_is_still_in_use(village: Village, buyer: Member) -> None:
    village.open_auction(9)
    with refused("DayStillOpen", day=1, lastFinal=0):
        village.place(buyer, bid(0, 200, 1_000), day=9)


@pytest.mark.parametrize("sequence", [4, 5])
def test_reverts_when_a_later_sheet_was_taken(village: Village, buyer: Member, opened: None, sequence: int) -> None:
    village.place(buyer, bid(0, 200, 1_000), sequence=5)
    with refused("StaleSheet", id=buyer.id, sequence=sequence, last=5):
        village.place(buyer, bid(0, 200, 999), sequence=sequence)


def test_reverts_when_the_sheet_is_empty(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    with refused("EmptySheet"):
        village.relay(auction, "enter", lines_sheet(village.market, buyer.wallet))


@pytest.mark.parametrize(("first_line", "count", "last"), [(6, 1, 6), (5, 2, 6), (2_047, 1, 2_047)])
def test_reverts_when_a_line_is_beyond_the_allowed_layers(
    village: Village, auction: Contract, buyer: Member, opened: None, first_line: int, count: int, last: int
) -> None:
    signed = lines_sheet(village.market, buyer.wallet, *[empty_line()] * count, first_line=first_line)
    with refused("LineOutOfRange", line=last, lines=RULES.max_layers * STRIPS):
        village.relay(auction, "enter", signed)


@pytest.mark.parametrize(("second", "day"), [(empty_line(2), 2), (0, 0)], ids=["tomorrow's", "no day"])
def test_reverts_when_a_line_is_of_another_day(
    village: Village, auction: Contract, buyer: Member, opened: None, second: int, day: int
) -> None:
    with refused("WrongDay", line=1, day=day, expected=1):
        village.relay(auction, "enter", lines_sheet(village.market, buyer.wallet, empty_line(), second))


@pytest.mark.parametrize(
    ("lane", "energy"),
    [(encode_lane(bid(2, 200, 9)), 9), (200 << 27, 0), (1 << 39, 0)],
    ids=["below the minimum", "a limit without energy", "a side without energy"],
)
def test_reverts_when_an_order_is_too_small(
    village: Village, auction: Contract, buyer: Member, opened: None, lane: int, energy: int
) -> None:
    with refused("OrderTooSmall", line=1, lane=2, energy=energy, minimum=10):
        signed = lines_sheet(village.market, buyer.wallet, word(0, 0, lane), first_line=1)
        village.relay(auction, "enter", signed)


@pytest.mark.parametrize("order", [bid(8, 1, CAPACITY + 1), ask(8, 400, CAPACITY + 1)], ids=["bid", "ask"])
def test_reverts_when_an_order_exceeds_the_connection(
    village: Village, seller: Member, opened: None, order: object
) -> None:
    with refused("ExceedsCapacity", id=seller.id, slot=8, asked=CAPACITY + 1, allowed=CAPACITY):
        village.place(seller, order)


@pytest.mark.parametrize("make", [bid, ask])
def test_reverts_when_orders_of_a_period_exceed_the_connection_together(
    village: Village, seller: Member, opened: None, make: object
) -> None:
    village.place(seller, make(8, 300, 6_000))
    with refused("ExceedsCapacity", id=seller.id, slot=8, asked=10_001, allowed=CAPACITY):
        village.place(seller, make(8, 300, 4_001, layer=1), sequence=2)


def test_reverts_without_enough_money(village: Village, buyer: Member, opened: None) -> None:
    needed = 10_000 * (4_095 * 100 + FEES)
    with refused("InsufficientFunds", id=buyer.id, needed=needed, available=DEPOSIT):
        village.place(buyer, bid(0, 4_095, 10_000))


def test_reverts_in_arrears_even_when_nothing_is_locked(
    village: Village, ledger: Contract, seller: Member, stranger: AccountAPI, opened: None
) -> None:
    village.grant("cashier", stranger)
    due = DEPOSIT + 5
    village.market.chain.send(stranger, ledger, "post", [(seller.id, -due, 0), (2, due, 0)])
    with refused("InArrears", id=seller.id, arrears=5):
        village.place(seller, ask(0, 401, 1_000))


def test_a_debtor_may_cancel(
    village: Village, auction: Contract, ledger: Contract, seller: Member, stranger: AccountAPI, opened: None
) -> None:
    village.place(seller, ask(0, 100, 1_000))
    village.grant("cashier", stranger)
    due = DEPOSIT - ASK_COLLATERAL + 5
    village.market.chain.send(stranger, ledger, "post", [(seller.id, -due, 0), (2, due, 0)])
    village.relay(auction, "enter", lines_sheet(village.market, seller.wallet, empty_line(), sequence=2))
    assert village.account(seller) == (ASK_COLLATERAL - 5, 0, 0, 0)


def test_the_gate_closes_in_its_very_second(village: Village, auction: Contract, buyer: Member) -> None:
    closes_at = village.calendar.gate_closes_at(1)
    village.wait_until(closes_at - PERIOD)
    village.market.chain.wait_until(closes_at - 2)
    village.place(buyer, bid(0, 200, 1_000))
    assert village.now == closes_at - 1
    with refused("GateClosed", day=1, closedAt=closes_at, time=closes_at):
        village.wait_until(closes_at)
        village.place(buyer, bid(0, 200, 999), sequence=2)


def test_reverts_when_a_member_would_trade_with_itself(village: Village, buyer: Member, opened: None) -> None:
    village.place(buyer, bid(7, 150, 100))
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=150, ask=150):
        village.place(buyer, ask(7, 150, 100, layer=1), sequence=2)
    with refused("TradesWithItself", id=buyer.id, slot=0, bid=0, ask=0):
        village.place(buyer, bid(0, 0, 100), ask(0, 0, 100, layer=2), sequence=2)
    village.place(buyer, ask(7, 151, 100, layer=1), ask(0, 0, 100, layer=1), sequence=2)
    with refused("TradesWithItself", id=buyer.id, slot=7, bid=151, ask=151):
        village.place(buyer, bid(7, 151, 100), sequence=3)
    with refused("TradesWithItself", id=buyer.id, slot=0, bid=4_095, ask=0):
        village.place(buyer, bid(0, 4_095, 100), sequence=3)


def test_a_sheet_that_turns_the_sides_round_is_judged_by_what_it_leaves(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    village.place(buyer, bid(7, 150, 100), ask(7, 300, 100, layer=1))
    village.place(buyer, ask(7, 100, 100), ask(7, 90, 100, layer=1), sequence=2)
    assert auction.functions.sheetOf(buyer.id, 1).call()[0] == 2
