from ape.api import AccountAPI
from support.refusals import refused
from support.village import CLEARING_HOUSE, DEPOSIT, Member, Village
from web3.contract import Contract


def test_turns_collateral_into_free_money(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    village.market.chain.send(bookkeeper, ledger, "releaseCollateral", buyer.id, 200)
    assert village.account(buyer) == (DEPOSIT - 100, 100, 0, 0)


def test_pays_arrears_first(village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI) -> None:
    chain = village.market.chain
    chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    due = DEPOSIT - 300 + 250
    chain.send(bookkeeper, ledger, "post", [(buyer.id, -due, 0), (CLEARING_HOUSE, due, 0)])
    assert village.account(buyer) == (0, 300, 250, 0)
    chain.send(bookkeeper, ledger, "releaseCollateral", buyer.id, 300)
    assert village.account(buyer) == (50, 0, 0, 0)
    assert village.free(village.supplier) == 0


def test_reverts_when_less_is_locked(village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    with refused("ReleaseExceedsLock", id=buyer.id, release=301, locked=300):
        village.market.chain.send(bookkeeper, ledger, "releaseCollateral", buyer.id, 301)


def test_goes_on_while_the_market_is_paused(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    village.send("node", ledger, "pause", bookkeeper.address)
    village.market.chain.send(bookkeeper, ledger, "releaseCollateral", buyer.id, 300)
    assert village.account(buyer) == (DEPOSIT, 0, 0, 0)


def test_reverts_when_the_caller_is_no_market(
    village: Village, ledger: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("NotAMarket", caller=stranger.address, **{"from": 0}):
        village.market.chain.send(stranger, ledger, "releaseCollateral", buyer.id, 1)
