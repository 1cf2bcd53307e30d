import pytest
from ape.api import AccountAPI
from support.once import once
from support.village import Member, Village
from web3.types import TxReceipt

from dem.deployment.roles import ROLES
from dem.model.orders import Order, encode_lane
from dem.model.strips import pack


@pytest.fixture
def collector(village: Village) -> AccountAPI:
    """An account with the role that otherwise the settlement holds."""
    village.grant("settlement", village.stranger)
    return village.stranger


@once
def second_auction(village: Village) -> str:
    """Another market, its days still to be cleared."""
    market = village.market
    arguments = (
        market.authority.address,
        market.calendar.as_tuple(),
        market.registry.address,
        market.rules.address,
        market.accounts.address,
        market.addresses["Schedule"],
        market.addresses["GridLimits"],
    )
    address = market.chain.deploy(market.keys["admin"], "CallAuction", arguments)
    book = market.auction.encode_abi("book", args=(1, 1, 1))[:10]
    [schedule] = [role for role in ROLES if role.name == "schedule"]
    selectors = [bytes.fromhex(book[2:])]
    village.send("admin", market.authority, "setTargetFunctionRole", address, selectors, schedule.id)
    return address


def order_in(village: Village, auction: str, member: Member, order: Order, day: int = 1) -> TxReceipt:
    """One order in slot 0, sent to an auction of one's choice by the member itself."""
    word = pack(day, [encode_lane(order), 0, 0, 0, 0, 0])
    contract = village.market.chain.contract("CallAuction", auction)
    return village.market.chain.send(member.sender, contract, "enterOwn", day, 0, 1, [word.to_bytes(32, "big")])
