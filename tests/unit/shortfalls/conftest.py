import pytest
from ape.api import AccountAPI
from support.once import once
from support.shortfalls import let_the_buyer_default
from support.village import Village
from web3.contract import Contract


@pytest.fixture
def shortfalls(village: Village) -> Contract:
    return village.market.contract("Shortfalls")


@once
def bookkeeper(village: Village) -> AccountAPI:
    """An account that counts as a market of the schedule and may post."""
    village.grant("schedule", village.stranger)
    village.grant("cashier", village.stranger)
    village.grant("releases", village.stranger)
    village.market.chain.send(village.stranger, village.market.accounts, "admitMarket", village.stranger.address, 1)
    return village.stranger


@once
def defaulted(village: Village) -> None:
    """The buyer owes more than the supplier can advance, and day 1 can be settled."""
    let_the_buyer_default(village)


@once
def shared(village: Village, defaulted: None) -> None:
    """Day 1 is settled, and what it was short of is taken back."""
    village.settle()
    village.settle()
