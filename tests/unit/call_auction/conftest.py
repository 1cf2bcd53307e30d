import pytest
from ape.api import AccountAPI
from support.once import once
from support.signed import ask, bid
from support.village import Member, Village
from web3.contract import Contract


@pytest.fixture
def reader(village: Village) -> Contract:
    """What people and their programs ask of the auction."""
    return village.market.contract("AuctionReader")


@once
def opened(village: Village) -> None:
    """Orders for day 1 are taken."""
    village.open_auction()


@once
def gate_closed(village: Village) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))


@once
def rationed(village: Village, opened: None, buyer: Member, rival: Member, seller: Member) -> None:
    """Two buyers at 150 want more in period 7 of day 1 than the seller has; one bid in period 0 meets no ask."""
    village.place(buyer, bid(7, 150, 600), bid(0, 120, 50))
    village.place(rival, bid(7, 150, 300))
    village.place(seller, ask(7, 100, 600))


@pytest.fixture
def booker(village: Village) -> AccountAPI:
    """An account with the role that otherwise the schedule holds."""
    village.grant("schedule", village.stranger)
    return village.stranger
