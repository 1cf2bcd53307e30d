"""Money of the fallback supplier is set aside for who waits, oldest day first, and paid in proportion."""

from ape.api import AccountAPI
from support.refusals import refused
from support.shortfalls import BACK, BACK_FROM_RIVAL, CREDIT, DUE, SHORT, SOLD, pay_in
from support.signed import withdrawal
from support.village import CLEARING_HOUSE, DEPOSIT, FALLBACK_SUPPLIER, Member, Village, events
from web3.contract import Contract


def test_what_the_supplier_pays_in_is_set_aside_and_paid_in_proportion(
    village: Village, shortfalls: Contract, seller: Member, rival: Member, shared: None
) -> None:
    pay_in(village, village.supplier, 1_000_001)
    receipt = village.relay(shortfalls, "setAside")
    assert events(receipt, shortfalls, "SetAside") == [{"day": 1, "units": 1_000_001}]
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT
    assert village.free(CLEARING_HOUSE) == 1_000_001
    before = village.free(seller), village.free(rival)
    receipt = village.relay(shortfalls, "pay", 1, 1, 100)
    assert events(receipt, shortfalls, "MadeGood") == [
        {"id": seller.id, "day": 1, "units": 750_000},
        {"id": rival.id, "day": 1, "units": 250_000},
    ]
    assert (village.free(seller), village.free(rival)) == (before[0] + 750_000, before[1] + 250_000)
    # A unit is left until the rest has come.
    assert shortfalls.functions.shortfallOf(1).call() == (SHORT, 1_000_001, 1_000_000)
    assert events(village.relay(shortfalls, "pay", 1, 1, 100), shortfalls, "MadeGood") == []


def test_all_is_made_good_to_the_unit_when_the_defaulter_pays(
    village: Village, shortfalls: Contract, ledger: Contract, buyer: Member, seller: Member, rival: Member, shared: None
) -> None:
    pay_in(village, village.supplier, 7)
    village.relay(shortfalls, "setAside")
    village.relay(shortfalls, "pay", 1, seller.id, 2)
    pay_in(village, buyer, DUE + 1, reference=2)
    village.relay(shortfalls, "setAside")
    # Anybody's part, in any order, and each once.
    village.relay(shortfalls, "pay", 1, rival.id, 1)
    village.relay(shortfalls, "pay", 1, seller.id, 1)
    assert village.free(seller) == DEPOSIT + SOLD
    assert village.account(buyer) == (1, 0, 0, 0)
    assert village.free(CLEARING_HOUSE) == 0
    assert ledger.functions.openClaims().call() == 0
    assert shortfalls.functions.claimOf(seller.id, 1).call() == [BACK, BACK]
    assert shortfalls.functions.waitingDays().call() == []
    with refused("NothingToPay", day=1):
        village.relay(shortfalls, "pay", 1, 1, 100)


def test_what_is_made_good_pays_arrears_first(
    village: Village,
    shortfalls: Contract,
    ledger: Contract,
    seller: Member,
    rival: Member,
    bookkeeper: AccountAPI,
    shared: None,
) -> None:
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT + SHORT)
    village.relay(shortfalls, "setAside")
    due = village.free(rival) + 100
    village.send("council", ledger, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT + SHORT + 100)
    village.market.chain.send(bookkeeper, ledger, "post", [(rival.id, -due, 0), (seller.id, due, 0)])
    assert village.account(rival) == (0, 0, 100, 0)
    village.relay(shortfalls, "pay", 1, rival.id, 1)
    assert village.account(rival) == (BACK_FROM_RIVAL - 100, 0, 0, 0)


def test_the_supplier_takes_nothing_out_while_anybody_waits(
    village: Village, ledger: Contract, shortfalls: Contract, shared: None
) -> None:
    pay_in(village, village.supplier, CREDIT + SHORT + 10)
    message = withdrawal(village.market, village.supplier.wallet, 10)
    with refused("ClaimsOpen", units=SHORT):
        village.relay(ledger, "withdraw", *message)
    village.relay(shortfalls, "setAside")
    assert village.free(FALLBACK_SUPPLIER) == 10
    village.relay(ledger, "withdraw", *message)


def test_the_oldest_day_comes_first_and_settling_begins_with_it(
    village: Village, shortfalls: Contract, settlement: Contract, buyer: Member, seller: Member, shared: None
) -> None:
    village.clear_day(2)
    village.wait_until(village.calendar.start_of(3))
    village.read(buyer, [0] * 7 + [100] + [0] * 4, day=2, sequence=2, imported=1_000)
    village.read(seller, [0] * 7 + [-100] + [0] * 4, day=2, sequence=2, exported=600)
    village.read(village.rival, [0] * 12, day=2, sequence=2, exported=200)
    village.close_metering(2)
    pay_in(village, village.supplier, 30)
    receipt = village.settle(2)
    assert events(receipt, shortfalls, "SetAside") == [{"day": 1, "units": 30}]
    receipt = village.settle(2)
    [day] = events(receipt, shortfalls, "TakenBack")
    assert (day["id"], day["day"]) == (seller.id, 2)
    assert shortfalls.functions.waitingDays().call() == [1, 2]
    pay_in(village, village.supplier, SHORT - 30 + 8, reference=2)
    receipt = village.relay(shortfalls, "setAside")
    assert events(receipt, shortfalls, "SetAside") == [{"day": 1, "units": SHORT - 30}, {"day": 2, "units": 8}]
    assert shortfalls.functions.waitingDays().call() == [2]


def test_reverts_while_a_day_is_being_settled(village: Village, shortfalls: Contract, defaulted: None) -> None:
    village.settle()
    pay_in(village, village.supplier, 10)
    with refused("DayInSettlement"):
        village.relay(shortfalls, "setAside")


def test_reverts_when_there_is_nothing(village: Village, shortfalls: Contract, defaulted: None) -> None:
    with refused("NothingToSetAside"):
        village.relay(shortfalls, "setAside")
    with refused("NothingToPay", day=1):
        village.relay(shortfalls, "pay", 1, 1, 100)
