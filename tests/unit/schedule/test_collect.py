import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import NO_ENERGY, ask, bid, signed_lanes
from support.village import Member, Village, events
from web3.contract import Contract

from dem.deployment.market import Market

from .conftest import order_in


@pytest.fixture
def traded(village: Village, buyer: Member, seller: Member) -> None:
    """The buyer takes 1,000 Wh of the seller's in period 7."""
    village.open_auction()
    village.place(buyer, bid(7, 200, 1_000))
    village.place(seller, ask(7, 100, 1_000))
    village.clear_day()


def test_records_what_members_contracted(
    village: Village, schedule: Contract, collector: AccountAPI, buyer: Member, seller: Member, traded: None
) -> None:
    receipt = village.market.chain.send(collector, schedule, "collect", 1, 1, 8)
    assert events(receipt, schedule, "Scheduled") == [
        {"id": buyer.id, "day": 1, "net": [NO_ENERGY, signed_lanes(0, 1_000, 0, 0, 0, 0)]},
        {"id": seller.id, "day": 1, "net": [NO_ENERGY, signed_lanes(0, -1_000, 0, 0, 0, 0)]},
    ]


def test_adds_up_all_markets(
    village: Village,
    market: Market,
    schedule: Contract,
    collector: AccountAPI,
    buyer: Member,
    seller: Member,
    second_auction: str,
) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.open_auction()
    second = market.chain.contract("CallAuction", second_auction)
    for contract in (market.auction, second):
        for member, order in ((buyer, bid(0, 200, 1_000)), (seller, ask(0, 100, 1_000))):
            order_in(village, contract.address, member, order)
    village.clear_day()
    for strip, pivots in ((0, [100, 0, 0, 0, 0, 0]), (1, [0] * 6)):
        village.relay(second, "clear", 1, strip, pivots, 1)
    receipt = market.chain.send(collector, schedule, "collect", 1, 1, 8)
    assert [(event["id"], event["net"][0]) for event in events(receipt, schedule, "Scheduled")] == [
        (buyer.id, signed_lanes(2_000, 0, 0, 0, 0, 0)),
        (seller.id, signed_lanes(-2_000, 0, 0, 0, 0, 0)),
    ]


def test_reverts_before_the_day_is_cleared(
    village: Village, schedule: Contract, collector: AccountAPI, buyer: Member
) -> None:
    village.open_auction()
    village.place(buyer, bid(0, 200, 1_000))
    with refused("NotCleared", day=1):
        village.market.chain.send(collector, schedule, "collect", 1, 1, 8)


def test_reverts_out_of_order(village: Village, schedule: Contract, collector: AccountAPI, traded: None) -> None:
    village.market.chain.send(collector, schedule, "collect", 1, 1, 4)
    with refused("BookedOutOfOrder", firstId=6, expected=5):
        village.market.chain.send(collector, schedule, "collect", 1, 6, 2)


def test_reverts_when_the_caller_is_not_the_settlement(
    village: Village, schedule: Contract, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, schedule, "collect", 1, 1, 1)
