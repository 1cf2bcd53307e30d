"""A market that fails, or is late, is void for the day; what it has locked is released by decision."""

import pytest
from ape.api import AccountAPI
from support.faults import set_bookable
from support.refusals import refused
from support.signed import bid
from support.village import DEPOSIT, Member, Village, events
from web3.contract import Contract

from .conftest import order_in


@pytest.fixture
def late(village: Village, schedule: Contract, second_auction: str, buyer: Member) -> None:
    """The buyer has an order in a second auction, which nobody clears; the day is ready but for that."""
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.open_auction()
    order_in(village, second_auction, buyer, bid(0, 200, 1_000))
    village.clear_day()
    village.close_metering()


def test_one_that_fails_for_a_member_alone_is_void_from_then_on(
    village: Village, schedule: Contract, auction: Contract, collector: AccountAPI, buyer: Member
) -> None:
    village.open_auction()
    village.place(buyer, bid(0, 200, 1_000))
    village.clear_day()
    set_bookable(village, auction, False)
    with refused("AccessManagedUnauthorized", caller=schedule.address):
        village.market.chain.send(collector, schedule, "collect", 1, 1, 2)
    assert not schedule.functions.isVoid(auction.address, 1).call()
    receipt = village.market.chain.send(collector, schedule, "collect", 1, 1, 1)
    assert events(receipt, schedule, "MarketVoided") == [{"market": auction.address, "day": 1}]
    assert schedule.functions.isVoid(auction.address, 1).call()
    assert not schedule.functions.isVoid(auction.address, 2).call()
    village.market.chain.send(collector, schedule, "collect", 1, 1, 9)


def test_nobody_waits_for_one_that_is_late_when_corrections_are_closed(
    village: Village, schedule: Contract, second_auction: str, late: None, buyer: Member
) -> None:
    with refused("NotReadyToSettle", day=1, isCleared=False, isMetered=True):
        village.settle()
    village.wait_until(village.calendar.corrections_close_at(1))
    assert schedule.functions.isComplete(1).call()
    receipt = village.settle()
    assert events(receipt, schedule, "MarketVoided") == [{"market": second_auction, "day": 1}]
    assert village.market.settlement.functions.isSettled(1).call()
    assert village.locked(buyer) > 0


def test_the_council_releases_what_it_has_locked(
    village: Village, schedule: Contract, second_auction: str, late: None, buyer: Member
) -> None:
    locked = village.locked(buyer)
    with refused("MarketInOrder", market=second_auction):
        village.send("council", schedule, "releaseHeld", second_auction, [buyer.id], [locked])
    village.wait_until(village.calendar.corrections_close_at(1))
    village.settle()
    receipt = village.send("council", schedule, "releaseHeld", second_auction, [buyer.id], [locked])
    assert events(receipt, schedule, "HeldReleased") == [{"market": second_auction, "id": buyer.id, "amount": locked}]
    assert village.account(buyer)[:2] == (DEPOSIT, 0)
    with refused("ReleaseExceedsLock", id=buyer.id, release=1, locked=0):
        village.send("council", schedule, "releaseHeld", second_auction, [buyer.id], [1])


def test_the_council_releases_nothing_that_another_market_holds(
    village: Village, schedule: Contract, second_auction: str, late: None, buyer: Member
) -> None:
    own = village.locked(buyer)
    village.wait_until(village.calendar.corrections_close_at(1))
    village.settle()
    day = 4
    village.wait_until(village.calendar.opens_at(day))
    village.place(buyer, bid(0, 200, 1_000), day=day)
    locked = village.locked(buyer)
    assert locked > own
    with refused("ReleaseExceedsLock", id=buyer.id, release=locked, locked=own):
        village.send("council", schedule, "releaseHeld", second_auction, [buyer.id], [locked])


def test_what_is_held_is_released_by_nobody_else(
    village: Village, schedule: Contract, auction: Contract, second_auction: str, stranger: AccountAPI
) -> None:
    with refused("MarketUnknown", market=second_auction):
        village.send("council", schedule, "releaseHeld", second_auction, [], [])
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, schedule, "releaseHeld", auction.address, [], [])
