from ape.api import AccountAPI
from support.refusals import refused
from support.village import CREDIT_LIMIT, DEPOSIT, Member, Village
from web3.contract import Contract


def test_turns_free_money_into_collateral(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    assert village.account(buyer) == (DEPOSIT - 300, 300, 0, 0)


def test_needs_less_for_orders_that_cost_less(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, -100)
    assert village.account(buyer) == (DEPOSIT - 200, 200, 0, 0)


def test_takes_credit_for_collateral(village: Village, ledger: Contract, bookkeeper: AccountAPI) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", village.supplier.id, CREDIT_LIMIT)
    assert village.account(village.supplier) == (-CREDIT_LIMIT, CREDIT_LIMIT, 0, CREDIT_LIMIT)


def test_reverts_without_enough_money(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    with refused("InsufficientFunds", id=buyer.id, needed=DEPOSIT + 1, available=DEPOSIT):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, DEPOSIT + 1)


def test_reverts_beyond_the_credit(village: Village, ledger: Contract, bookkeeper: AccountAPI) -> None:
    with refused("InsufficientFunds", id=village.supplier.id, needed=CREDIT_LIMIT + 1, available=CREDIT_LIMIT):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", village.supplier.id, CREDIT_LIMIT + 1)


def test_reverts_when_less_is_locked(village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    with refused("ReleaseExceedsLock", id=buyer.id, release=301, locked=300):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, -301)


def test_reverts_while_the_market_is_paused(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    village.send("node", ledger, "pause", bookkeeper.address)
    with refused("MarketIsPaused", market=bookkeeper.address):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 1)


def test_reverts_in_arrears_even_for_nothing(
    village: Village, ledger: Contract, debtor: Member, bookkeeper: AccountAPI
) -> None:
    with refused("InArrears", id=debtor.id, arrears=500):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", debtor.id, 0)


def test_reverts_when_the_caller_is_no_market(
    village: Village, ledger: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("NotAMarket", caller=stranger.address, **{"from": 0}):
        village.market.chain.send(stranger, ledger, "lockCollateral", buyer.id, 1)
