from ape.api import AccountAPI
from support.refusals import refused
from support.village import (
    CLEARING_HOUSE,
    CREDIT_LIMIT,
    DEPOSIT,
    FALLBACK_SUPPLIER,
    GRID_OPERATOR,
    Member,
    Village,
    events,
)
from web3.contract import Contract


def test_moves_money_in_the_order_given(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    village.market.chain.send(bookkeeper, ledger, "prepareRelease", bookkeeper.address, buyer.id, [300])
    postings = [(buyer.id, -200, 300), (seller.id, 200, 0)]
    receipt = village.market.chain.send(bookkeeper, ledger, "post", postings)
    assert events(receipt, ledger, "Posted") == [
        {"id": buyer.id, "amount": -200, "release": 300},
        {"id": seller.id, "amount": 200, "release": 0},
    ]
    assert village.account(buyer) == (DEPOSIT - 200, 0, 0, 0)
    assert village.account(seller) == (DEPOSIT + 200, 0, 0, 0)


def test_what_a_member_cannot_pay_becomes_arrears_that_the_supplier_advances(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    due = DEPOSIT + 500
    receipt = village.market.chain.send(bookkeeper, ledger, "post", [(buyer.id, -due, 0), (seller.id, due, 0)])
    assert events(receipt, ledger, "ArrearsChanged") == [{"id": buyer.id, "arrears": 500}]
    assert village.account(buyer) == (0, 0, 500, 0)
    assert village.account(seller) == (DEPOSIT + due, 0, 0, 0)
    assert village.free(FALLBACK_SUPPLIER) == -500


def test_what_exceeds_a_members_credit_becomes_arrears(
    village: Village, ledger: Contract, seller: Member, bookkeeper: AccountAPI
) -> None:
    due = CREDIT_LIMIT + 40
    village.market.chain.send(bookkeeper, ledger, "post", [(GRID_OPERATOR, -due, 0), (seller.id, due, 0)])
    assert village.account(GRID_OPERATOR) == (-CREDIT_LIMIT, 0, 40, CREDIT_LIMIT)
    assert village.free(FALLBACK_SUPPLIER) == -40


def test_what_a_debtor_receives_pays_its_arrears_first(
    village: Village, ledger: Contract, debtor: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "post", [(debtor.id, 700, 0), (seller.id, -700, 0)])
    assert village.account(debtor) == (200, 0, 0, 0)
    assert village.free(FALLBACK_SUPPLIER) == 0


def test_only_the_clearing_house_goes_below_zero_without_credit(
    village: Village, ledger: Contract, seller: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "post", [(CLEARING_HOUSE, -900, 0), (seller.id, 900, 0)])
    assert village.account(CLEARING_HOUSE) == (-900, 0, 0, 0)


def test_credit_is_judged_after_the_whole_batch(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    beyond = CREDIT_LIMIT + 100
    postings = [(FALLBACK_SUPPLIER, -beyond, 0), (buyer.id, beyond - 100, 0), (FALLBACK_SUPPLIER, 100, 0)]
    village.market.chain.send(bookkeeper, ledger, "post", postings)
    assert village.free(FALLBACK_SUPPLIER) == -CREDIT_LIMIT


def test_reverts_when_the_sum_is_not_zero(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    with refused("Unbalanced", sum=-1):
        village.market.chain.send(bookkeeper, ledger, "post", [(buyer.id, -200, 0), (seller.id, 199, 0)])


def test_reverts_beyond_the_suppliers_credit_limit(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    beyond = CREDIT_LIMIT + 1
    with refused("CreditLimitExceeded", id=FALLBACK_SUPPLIER, balance=-beyond, limit=CREDIT_LIMIT):
        village.market.chain.send(bookkeeper, ledger, "post", [(FALLBACK_SUPPLIER, -beyond, 0), (buyer.id, beyond, 0)])


def test_reverts_when_advances_exceed_the_suppliers_credit(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    due = DEPOSIT + CREDIT_LIMIT + 1
    with refused("CreditLimitExceeded", id=FALLBACK_SUPPLIER, balance=-CREDIT_LIMIT - 1, limit=CREDIT_LIMIT):
        village.market.chain.send(bookkeeper, ledger, "post", [(buyer.id, -due, 0), (seller.id, due, 0)])


def test_reverts_when_less_is_locked(village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI) -> None:
    with refused("ReleaseExceedsLock", id=buyer.id, release=1, locked=0):
        village.market.chain.send(bookkeeper, ledger, "post", [(buyer.id, 0, 1)])


def test_reverts_when_the_caller_is_not_the_settlement(
    village: Village, ledger: Contract, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "post", [])
