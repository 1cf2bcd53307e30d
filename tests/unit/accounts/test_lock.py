from ape.api import AccountAPI
from support.refusals import refused
from support.village import CREDIT_LIMIT, DEPOSIT, Member, Village, events
from web3.contract import Contract


def test_turns_free_money_into_collateral(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    receipt = village.market.chain.send(bookkeeper, ledger, "lock", buyer.id, 300)
    assert events(receipt, ledger, "Locked") == [{"id": buyer.id, "change": 300}]
    assert village.account(buyer) == (DEPOSIT - 300, 300, 0, 0)


def test_takes_credit_for_collateral(village: Village, ledger: Contract, bookkeeper: AccountAPI) -> None:
    village.market.chain.send(bookkeeper, ledger, "lock", village.supplier.id, CREDIT_LIMIT)
    assert village.account(village.supplier) == (-CREDIT_LIMIT, CREDIT_LIMIT, 0, CREDIT_LIMIT)


def test_reverts_without_enough_money(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    with refused("InsufficientFunds", id=buyer.id, needed=DEPOSIT + 1, available=DEPOSIT):
        village.market.chain.send(bookkeeper, ledger, "lock", buyer.id, DEPOSIT + 1)


def test_reverts_beyond_the_credit(village: Village, ledger: Contract, bookkeeper: AccountAPI) -> None:
    with refused("InsufficientFunds", id=village.supplier.id, needed=CREDIT_LIMIT + 1, available=CREDIT_LIMIT):
        village.market.chain.send(bookkeeper, ledger, "lock", village.supplier.id, CREDIT_LIMIT + 1)


def test_reverts_in_arrears_even_for_nothing(
    village: Village, ledger: Contract, debtor: Member, bookkeeper: AccountAPI
) -> None:
    with refused("InArrears", id=debtor.id, arrears=500):
        village.market.chain.send(bookkeeper, ledger, "lock", debtor.id, 0)


def test_reverts_when_the_caller_is_no_market(
    village: Village, ledger: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("NotAMarket", caller=stranger.address, **{"from": 0}):
        village.market.chain.send(stranger, ledger, "lock", buyer.id, 1)
