import pytest
from ape.api import AccountAPI
from support.village import Village

from dem.plan import ROLES


@pytest.fixture
def collector(village: Village) -> AccountAPI:
    """An account with the role that otherwise the settlement holds."""
    village.grant("settlement", village.stranger)
    return village.stranger


@pytest.fixture
def second_auction(village: Village) -> str:
    """Another market, its days still to be cleared."""
    market = village.market
    arguments = (
        market.authority.address,
        market.calendar.as_tuple(),
        market.registry.address,
        market.rules.address,
        market.accounts.address,
    )
    address = market.chain.deploy(market.keys["admin"], "CallAuction", arguments)
    book = market.auction.encode_abi("book", args=(1, 1, 1))[:10]
    [schedule] = [role for role in ROLES if role.name == "schedule"]
    selectors = [bytes.fromhex(book[2:])]
    village.send("admin", market.authority, "setTargetFunctionRole", address, selectors, schedule.id)
    return address
