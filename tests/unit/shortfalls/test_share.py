"""What the fallback supplier cannot advance is shared among those whom the day has paid."""

from ape.api import AccountAPI
from support.refusals import refused
from support.shortfalls import BACK, BACK_FROM_RIVAL, CREDIT, DUE, SHORT, SOLD, SOLD_BY_RIVAL, spend_ahead
from support.signed import ask, bid, withdrawal
from support.village import CLEARING_HOUSE, DEPOSIT, FALLBACK_SUPPLIER, Member, Village, events
from web3.contract import Contract

FOR_GOOD = (1 << 64) - 1


def test_is_begun_where_the_supplier_is_beyond_its_credit(
    village: Village, settlement: Contract, shortfalls: Contract, rules: Contract, defaulted: None
) -> None:
    receipt = village.settle()
    assert events(receipt, shortfalls, "ShortfallShared") == [
        {"day": 1, "units": SHORT, "received": SOLD + SOLD_BY_RIVAL}
    ]
    assert events(receipt, settlement, "DaySettled") == []
    assert not settlement.functions.isSettled(1).call()
    assert settlement.functions.nextMember(1).call() == 1
    assert rules.functions.dayInSettlement().call() == 1
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT - SHORT


def test_takes_back_in_proportion_in_as_many_steps_as_the_caller_likes(
    village: Village, settlement: Contract, shortfalls: Contract, seller: Member, rival: Member, defaulted: None
) -> None:
    village.settle()
    village.relay(settlement, "settle", 1, 6)
    assert settlement.functions.nextMember(1).call() == 7
    receipt = village.settle()
    assert events(receipt, shortfalls, "TakenBack") == [
        {"id": seller.id, "day": 1, "units": BACK},
        {"id": rival.id, "day": 1, "units": BACK_FROM_RIVAL},
    ]
    assert events(receipt, settlement, "DaySettled")[0]["day"] == 1
    assert village.free(seller) == DEPOSIT + SOLD - BACK
    assert village.free(rival) == DEPOSIT + SOLD_BY_RIVAL - BACK_FROM_RIVAL
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT
    assert village.free(CLEARING_HOUSE) == 0
    assert village.market.accounts.functions.openClaims().call() == SHORT
    assert shortfalls.functions.shortfallOf(1).call() == (SHORT, 0, 0)
    assert shortfalls.functions.claimOf(seller.id, 1).call() == [BACK, 0]
    assert shortfalls.functions.waitingDays().call() == [1]
    village.wait_until(village.calendar.corrections_close_at(1))
    village.relay(settlement, "finalize", 1)


def test_nobody_takes_out_money_that_has_to_be_shared(
    village: Village, ledger: Contract, settlement: Contract, seller: Member, defaulted: None
) -> None:
    message = withdrawal(village.market, seller.wallet, DEPOSIT + SOLD)
    village.settle()
    with refused("MoneyHeld", until=FOR_GOOD):
        village.relay(ledger, "withdraw", *message)
    village.settle()
    village.relay(ledger, "withdraw", *withdrawal(village.market, seller.wallet, DEPOSIT + SOLD - BACK))


def test_whom_the_day_has_paid_keeps_its_money_until_the_settlement_ends(
    village: Village,
    ledger: Contract,
    seller: Member,
    buyer: Member,
    rival: Member,
    bookkeeper: AccountAPI,
    defaulted: None,
) -> None:
    """Otherwise it could be locked, and lost to somebody else by a trade, before the others have their part of it."""
    send = village.market.chain.send
    send(bookkeeper, ledger, "lockCollateral", seller.id, 40)
    village.settle()
    with refused("PaidNow", id=seller.id):
        send(bookkeeper, ledger, "lockCollateral", seller.id, 1)
    with refused("PaidNow", id=seller.id):
        send(bookkeeper, ledger, "post", [(seller.id, -11, 10), (rival.id, 11, 0)])
    # What it gives up is released, and pays as ever.
    send(bookkeeper, ledger, "lockCollateral", seller.id, 0)
    send(bookkeeper, ledger, "lockCollateral", seller.id, -5)
    send(bookkeeper, ledger, "releaseCollateral", seller.id, 5)
    send(bookkeeper, ledger, "prepareRelease", bookkeeper.address, seller.id, [10])
    send(bookkeeper, ledger, "post", [(seller.id, -10, 10), (rival.id, 10, 0)])
    village.settle()
    assert village.account(seller) == (DEPOSIT + SOLD - BACK - 30, 20, 0, 0)
    send(bookkeeper, ledger, "lockCollateral", seller.id, DEPOSIT + SOLD - BACK - 30)
    assert village.free(seller) == 0


def test_whom_the_day_has_paid_takes_nothing_out_however_long_its_settlement_takes(
    village: Village, ledger: Contract, settlement: Contract, seller: Member, rival: Member, defaulted: None
) -> None:
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT + SHORT)
    village.relay(settlement, "settle", 1, seller.id)
    village.wait_until(ledger.functions.heldUntil().call())
    message = withdrawal(village.market, seller.wallet, 1)
    with refused("PaidNow", id=seller.id):
        village.relay(ledger, "withdraw", *message)
    # Others have waited for an hour, and are free.
    village.relay(ledger, "withdraw", *withdrawal(village.market, rival.wallet, 1))
    village.settle()
    village.relay(ledger, "withdraw", *message)


def test_whose_collateral_the_day_has_released_takes_it_out_when_the_settlement_ends(
    village: Village, ledger: Contract, settlement: Contract, buyer: Member, seller: Member, rival: Member
) -> None:
    """A walk that begins anew, because a market is void, may ask the buyer for more: an hour or ten later."""
    village.open_auction()
    village.place(buyer, bid(0, 200, 1_000))
    village.place(seller, ask(0, 100, 1_000))
    village.clear_day()
    village.close_metering()
    village.relay(settlement, "settle", 1, buyer.id)
    assert village.locked(buyer) == 0
    village.wait_until(ledger.functions.heldUntil().call())
    message = withdrawal(village.market, buyer.wallet, 1)
    with refused("PaidNow", id=buyer.id):
        village.relay(ledger, "withdraw", *message)
    village.settle()
    village.relay(ledger, "withdraw", *message)


def test_what_paid_arrears_is_taken_back_all_the_same_and_is_no_debt(
    village: Village, ledger: Contract, seller: Member, buyer: Member, bookkeeper: AccountAPI, defaulted: None
) -> None:
    send = village.market.chain.send
    back = spend_ahead(village, bookkeeper)
    village.settle()
    village.settle()
    assert village.account(seller) == (-back, DEPOSIT, 0, 0)
    with refused("InsufficientFunds", id=seller.id, needed=1, available=-back):
        send(bookkeeper, ledger, "lockCollateral", seller.id, 1)
    send(bookkeeper, ledger, "lockCollateral", seller.id, 0)
    send(bookkeeper, ledger, "lockCollateral", seller.id, -10)
    assert village.account(seller) == (-back + 10, DEPOSIT - 10, 0, 0)
    # Its collateral covers what it pays, before it fills up what was taken back.
    send(bookkeeper, ledger, "prepareRelease", bookkeeper.address, seller.id, [5])
    send(bookkeeper, ledger, "post", [(seller.id, -5, 5), (buyer.id, 5, 0)])
    assert village.account(seller) == (-back + 10, DEPOSIT - 15, 0, 0)
    # What it owes for something else becomes arrears, and no more than that.
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, 100 * CREDIT)
    village.relay(village.market.contract("Shortfalls"), "setAside")
    send(bookkeeper, ledger, "post", [(seller.id, -5, 0), (buyer.id, 5, 0)])
    assert village.account(seller) == (-back + 10, DEPOSIT - 15, 5, 0)


def test_the_suppliers_credit_stays_while_its_money_is_needed(
    village: Village, ledger: Contract, seller: Member, buyer: Member, bookkeeper: AccountAPI, defaulted: None
) -> None:
    def is_refused(error: str, **arguments: int) -> None:
        with refused(error, **arguments):
            village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, 0)
        with refused(error, **arguments):
            village.market.chain.send(bookkeeper, ledger, "lockCollateral", FALLBACK_SUPPLIER, 1)
        with refused(error, **arguments):
            village.market.chain.send(bookkeeper, ledger, "post", [(buyer.id, -1, 0), (seller.id, 1, 0)])

    village.settle()
    is_refused("MoneyHeld", until=FOR_GOOD)
    village.settle()
    is_refused("ClaimsOpen", units=SHORT)
    assert village.account(buyer)[2] == DUE


def test_a_day_that_lacks_nothing_is_not_shared(
    village: Village, settlement: Contract, shortfalls: Contract, ledger: Contract, defaulted: None
) -> None:
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT + SHORT)
    receipt = village.settle()
    assert settlement.functions.isSettled(1).call()
    assert events(receipt, shortfalls, "ShortfallShared") == []
    assert shortfalls.functions.shortfallOf(1).call() == (0, 0, 0)
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT - SHORT


def test_a_day_that_pays_nobody_is_settled_though_the_supplier_is_beyond_its_limit(
    village: Village, settlement: Contract, ledger: Contract, bookkeeper: AccountAPI
) -> None:
    """Nobody has anything of this day to give back, and no settlement is held up for that."""
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT)
    village.grant("sharing", bookkeeper)
    beyond = [(FALLBACK_SUPPLIER, -CREDIT - 5, 0), (CLEARING_HOUSE, CREDIT + 5, 0)]
    village.market.chain.send(bookkeeper, ledger, "share", beyond, 0, False)
    village.open_auction()
    village.clear_day()
    village.close_metering()
    village.settle()
    assert settlement.functions.isSettled(1).call()
