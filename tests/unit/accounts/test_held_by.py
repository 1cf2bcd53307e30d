"""What is locked is locked in one market: no other one releases, forfeits or takes it."""

import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import bid
from support.village import DEPOSIT, Member, Village
from web3.contract import Contract


@pytest.fixture
def other(village: Village, ledger: Contract, bookkeeper: AccountAPI, seller: Member) -> AccountAPI:
    """Another market."""
    village.market.chain.send(bookkeeper, ledger, "admitMarket", seller.sender.address, 1)
    return seller.sender


def test_tells_what_each_market_holds(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI, other: AccountAPI
) -> None:
    send, auction = village.market.chain.send, village.market.auction.address
    send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    send(other, ledger, "lockCollateral", buyer.id, 20)
    village.open_auction()
    village.place(buyer, bid(0, 200, 1_000))
    held = [ledger.functions.heldBy(market, buyer.id).call() for market in (bookkeeper.address, other.address, auction)]
    assert held[:2] == [300, 20]
    assert held[2] > 0
    assert village.account(buyer) == (DEPOSIT - sum(held), sum(held), 0, 0)
    assert ledger.functions.fundsOf(buyer.id).call() == [DEPOSIT - sum(held), 0]
    assert ledger.functions.heldBy(village.stranger.address, village.rival.id).call() == 0


@pytest.mark.parametrize("is_home", [True, False], ids=["in the auction", "in another market"])
def test_no_market_touches_what_others_hold(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI, other: AccountAPI, is_home: bool
) -> None:
    send = village.market.chain.send
    if is_home:
        village.open_auction()
        village.place(buyer, bid(0, 200, 1_000))
    else:
        send(other, ledger, "lockCollateral", buyer.id, 300)
    locked = village.locked(buyer)
    send(bookkeeper, ledger, "lockCollateral", buyer.id, 1)
    for call, release in (
        (("lockCollateral", buyer.id, -2), 2),
        (("releaseCollateral", buyer.id, 2), 2),
        (("releaseHeld", bookkeeper.address, buyer.id, 2), 2),
        (("prepareRelease", bookkeeper.address, buyer.id, [2]), 2),
        (("forfeitCollateral", buyer.id, [village.rival.id], [2]), 2),
    ):
        with refused("ReleaseExceedsLock", id=buyer.id, release=release, locked=1):
            send(bookkeeper, ledger, *call)
    send(bookkeeper, ledger, "releaseCollateral", buyer.id, 1)
    assert village.locked(buyer) == locked


def test_a_posting_releases_what_a_market_has_given_up(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    send = village.market.chain.send
    send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    with refused("ReleaseExceedsLock", id=buyer.id, release=300, locked=0):
        send(bookkeeper, ledger, "post", [(buyer.id, 0, 300)])
    send(bookkeeper, ledger, "prepareRelease", bookkeeper.address, buyer.id - 1, [0, 300])
    assert village.locked(buyer) == 300
    assert ledger.functions.heldBy(bookkeeper.address, buyer.id).call() == 0
    send(bookkeeper, ledger, "post", [(buyer.id, 0, 300)])
    assert village.account(buyer) == (DEPOSIT, 0, 0, 0)


def test_only_the_schedule_and_the_intermediaries_prepare_a_release(
    village: Village, ledger: Contract, buyer: Member
) -> None:
    with refused("AccessManagedUnauthorized", caller=buyer.account):
        village.market.chain.send(buyer.sender, ledger, "prepareRelease", buyer.account, buyer.id, [1])
