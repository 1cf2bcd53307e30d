import pytest
from ape.api import AccountAPI
from support.contracts import Contracts
from support.village import Village


@pytest.fixture
def contracts(village: Village) -> Contracts:
    """The market, plugged in; contracts from day 1 on are concluded."""
    plugged = Contracts(village)
    village.open_auction()
    return plugged


@pytest.fixture
def concluded(contracts: Contracts) -> None:
    """Contract 1: the seller delivers 100 Wh in every period of days 1 to 5."""
    contracts.conclude(contracts.offer())


@pytest.fixture
def booker(village: Village) -> AccountAPI:
    """An account with the role that otherwise the schedule holds."""
    village.grant("schedule", village.stranger)
    return village.stranger
