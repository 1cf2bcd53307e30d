"""A day with claims is settled again after a correction."""

from collections import Counter

from ape.api import AccountAPI
from support.faults import set_bookable
from support.refusals import refused
from support.shortfalls import (
    BACK,
    BACK_FROM_RIVAL,
    CREDIT,
    SHORT,
    SOLD,
    SOLD_BY_RIVAL,
    pay_in,
    spend_ahead,
)
from support.signed import ask, bid, withdrawal
from support.village import CLEARING_HOUSE, DEPOSIT, FALLBACK_SUPPLIER, RULES, Member, Village, events
from web3.contract import Contract
from web3.types import TxReceipt


def again(village: Village) -> list[TxReceipt]:
    village.wait_until(village.calendar.corrections_close_at(1))
    return [village.settle(), village.settle()]


def test_claims_are_restored_and_what_is_short_is_shared_anew(
    village: Village, shortfalls: Contract, seller: Member, rival: Member, shared: None
) -> None:
    pay_in(village, village.supplier, 400)
    village.relay(shortfalls, "setAside")
    village.relay(shortfalls, "pay", 1, seller.id, 1)
    village.read(seller, [0] * 7 + [-500] + [0] * 4, sequence=2)
    first, second = again(village)
    assert events(first, shortfalls, "Reopened") == [{"day": 1, "claims": SHORT - 400, "returned": 100}]
    # What was set aside for the rival is its own, though it had not fetched it.
    assert events(first, shortfalls, "MadeGood") == [{"id": rival.id, "day": 1, "units": 100}]
    assert events(first, shortfalls, "Restored") == [
        {"id": seller.id, "day": 1, "units": BACK - 300},
        {"id": rival.id, "day": 1, "units": BACK_FROM_RIVAL - 100},
    ]
    # The seller is paid 100 Wh less, which the supplier is paid more: so much less is missing.
    less = 100 * RULES.standing_buy
    short, received = SHORT - 400 - less, BACK - 300 - less + BACK_FROM_RIVAL - 100
    assert events(first, shortfalls, "ShortfallShared") == [{"day": 1, "units": short, "received": received}]
    taken = {event["id"]: event["units"] for event in events(second, shortfalls, "TakenBack")}
    assert taken == {seller.id: (BACK - 300 - less) * short // received, rival.id: taken[rival.id]}
    assert sum(taken.values()) == short
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT
    assert village.free(seller) == DEPOSIT + SOLD - less - taken[seller.id]
    assert village.free(rival) == DEPOSIT + SOLD_BY_RIVAL - taken[rival.id]
    assert taken[rival.id] <= BACK_FROM_RIVAL - 100
    assert village.free(CLEARING_HOUSE) == 0
    assert shortfalls.functions.waitingDays().call() == [1]
    assert village.market.accounts.functions.openClaims().call() == short


def test_what_was_set_aside_for_all_is_paid_and_never_shared_again(
    village: Village, shortfalls: Contract, ledger: Contract, rival: Member, bookkeeper: AccountAPI, shared: None
) -> None:
    pay_in(village, village.supplier, SHORT)
    village.relay(shortfalls, "setAside")
    village.read(village.seller, [0] * 7 + [-599] + [0] * 4, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(1))
    village.relay(village.market.settlement, "settle", 1, 8)
    # The settlement has paid it nothing that it might take back.
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", rival.id, DEPOSIT + SOLD_BY_RIVAL)
    assert village.account(rival) == (0, DEPOSIT + SOLD_BY_RIVAL, 0, 0)
    assert village.free(CLEARING_HOUSE) == 0


def test_what_is_restored_stays_until_the_settlement_ends(
    village: Village, ledger: Contract, rival: Member, bookkeeper: AccountAPI, shared: None
) -> None:
    village.read(village.seller, [0] * 7 + [-599] + [0] * 4, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(1))
    village.settle()
    with refused("PaidNow", id=rival.id):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", rival.id, 1)
    village.settle()
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", rival.id, 1)


def test_who_cannot_give_back_what_it_was_restored_shares_as_far_as_that(
    village: Village,
    shortfalls: Contract,
    settlement: Contract,
    seller: Member,
    rival: Member,
    bookkeeper: AccountAPI,
    defaulted: None,
) -> None:
    """The seller's payment paid arrears: nothing of what is restored is left to pay with. The rival gives all back."""
    back = spend_ahead(village, bookkeeper)
    village.settle()
    village.settle()
    village.read(seller, [0] * 12, sequence=2)
    village.read(rival, [0] * 7 + [-183] + [0] * 4, sequence=2)
    first, second = again(village)
    short = SHORT - SOLD - 17 * RULES.standing_buy
    assert events(first, shortfalls, "ShortfallShared") == [{"day": 1, "units": short, "received": back}]
    assert events(second, shortfalls, "TakenBack") == [{"id": seller.id, "day": 1, "units": short}]
    assert village.account(seller) == (-short, DEPOSIT, SOLD, 0)
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT
    assert settlement.functions.isSettled(1).call()


def test_those_are_short_who_are_paid_by_the_correction_alone(
    village: Village,
    shortfalls: Contract,
    settlement: Contract,
    ledger: Contract,
    seller: Member,
    rival: Member,
    buyer: Member,
    defaulted: None,
) -> None:
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT + SHORT)
    village.settle()
    paid = village.free(seller)
    village.relay(ledger, "withdraw", *withdrawal(village.market, seller.wallet, DEPOSIT + SOLD))
    assert paid == DEPOSIT + SOLD
    # The seller has fed in nothing, and its money is gone; the rival has fed in more.
    village.read(seller, [0] * 12, sequence=2)
    village.read(rival, [0] * 7 + [-800] + [0] * 4, sequence=2)
    first, second = again(village)
    assert events(first, shortfalls, "ShortfallShared") == [{"day": 1, "units": SOLD, "received": SOLD}]
    assert events(second, shortfalls, "TakenBack") == [{"id": rival.id, "day": 1, "units": SOLD}]
    assert village.account(seller) == (0, 0, SOLD, 0)
    assert settlement.functions.isSettled(1).call()


def test_all_walks_of_a_settlement_count_together(
    village: Village, ledger: Contract, shortfalls: Contract, settlement: Contract, buyer: Member, seller: Member
) -> None:
    """The buyer pays for what it has taken more; then its dear purchase is void. It has received the difference."""
    auction, dear = village.market.auction, 400
    village.open_auction()
    village.place(buyer, bid(0, dear, 1_000))
    village.place(seller, ask(0, dear, 1_000))
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    for member, energy in ((buyer, 1_000), (seller, -1_000)):
        village.read(member, [energy] + [0] * 11)
    village.close_metering()
    village.settle()
    village.relay(ledger, "withdraw", *withdrawal(village.market, seller.wallet, village.free(seller)))
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, 0)
    for member, energy in ((buyer, 1_100), (seller, 0)):
        village.read(member, [energy] + [0] * 11, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(1))
    receipts = [village.relay(settlement, "settle", 1, buyer.id)]
    set_bookable(village, auction, False)
    receipts += [village.relay(settlement, "settle", 1, 1), village.settle()]
    paid: Counter[int] = Counter()
    for event in (event for receipt in receipts for event in events(receipt, ledger, "Posted")):
        paid[event["id"]] += event["amount"]
    [buyers_first] = [event["amount"] for event in events(receipts[0], ledger, "Posted") if event["id"] == buyer.id]
    assert buyers_first < 0 < paid[buyer.id]
    received = sum(max(0, paid[id_]) for id_ in paid.keys() - {FALLBACK_SUPPLIER, CLEARING_HOUSE})
    [shared] = events(receipts[-1], shortfalls, "ShortfallShared")
    assert shared["received"] == received
    village.settle()
    assert settlement.functions.isSettled(1).call()
    assert village.free(FALLBACK_SUPPLIER) == 0
