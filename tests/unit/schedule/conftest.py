import pytest
from ape.api import AccountAPI
from support.village import Village


@pytest.fixture
def collector(village: Village) -> AccountAPI:
    """An account with the role that otherwise the settlement holds."""
    village.grant("settlement", village.stranger)
    return village.stranger


@pytest.fixture
def second_auction(village: Village) -> str:
    """Another market with the auction's role, its days still to be cleared."""
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
    for call in (("grantRole", 10, address, 0), ("setTargetFunctionRole", address, [bytes.fromhex(book[2:])], 11)):
        village.send("admin", market.authority, *call)
    return address
