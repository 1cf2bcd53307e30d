import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import application
from support.village import BALANCING_FUND, CLEARING_HOUSE, DEPOSIT, Member, Village
from web3.contract import Contract

from dem.community.keys import Wallet
from dem.replay.members import KINDS


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


@pytest.fixture
def desk(village: Village, ledger: Contract, applicant: Wallet) -> Member:
    """A wholesale desk with a credit of 500."""
    signed = application(village.market, applicant, KINDS.index("wholesale_desk"))
    village.relay(village.market.registry, "applyFor", *signed)
    village.admit(applicant.account)
    village.send("council", ledger, "setCreditLimit", 9, 500)
    return Member(9, applicant)


def test_takes_credit_for_collateral(village: Village, ledger: Contract, desk: Member, bookkeeper: AccountAPI) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", desk.id, 500)
    assert village.account(desk) == (-500, 500, 0, 500)


def test_takes_no_credit_of_offices(village: Village, ledger: Contract, bookkeeper: AccountAPI) -> None:
    for office in (village.supplier, village.grid_operator):
        with refused("InsufficientFunds", id=office.id, needed=1, available=0):
            village.market.chain.send(bookkeeper, ledger, "lockCollateral", office.id, 1)


def test_takes_nothing_of_the_fund_and_the_clearing_house(
    village: Village, ledger: Contract, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "post", [(BALANCING_FUND, 500, 0), (village.buyer.id, -500, 0)])
    for number in (BALANCING_FUND, CLEARING_HOUSE):
        with refused("InsufficientFunds", id=number, needed=1, available=0):
            village.market.chain.send(bookkeeper, ledger, "lockCollateral", number, 1)


def test_reverts_without_enough_money(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    with refused("InsufficientFunds", id=buyer.id, needed=DEPOSIT + 1, available=DEPOSIT):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, DEPOSIT + 1)


def test_reverts_beyond_the_credit(village: Village, ledger: Contract, desk: Member, bookkeeper: AccountAPI) -> None:
    with refused("InsufficientFunds", id=desk.id, needed=501, available=500):
        village.market.chain.send(bookkeeper, ledger, "lockCollateral", desk.id, 501)


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
