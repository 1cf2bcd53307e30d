from collections.abc import Callable

import pytest
from support.once import once
from support.village import Member, Village
from web3.contract import Contract
from web3.types import TxReceipt

FUNDS = 9 * 10**8
"""Of the buyer and the seller, money units."""

Send = Callable[..., TxReceipt]


@once
def plugged(village: Village, intraday: Contract) -> None:
    """The market counts from day 1 on."""
    village.send("council", village.market.contract("Schedule"), "addMarket", intraday.address, 1)


@once
def opened(village: Village, plugged: None) -> None:
    """Day 1 trades."""
    village.wait_until(village.calendar.gate_closes_at(1))


@pytest.fixture
def by(village: Village, intraday: Contract) -> Send:
    """A transaction that a member sends itself."""

    def send(member: Member, function: str, *arguments: object) -> TxReceipt:
        return village.market.chain.send(member.sender, intraday, function, *arguments)

    return send


@once
def funded(by: Send, buyer: Member, seller: Member, opened: None) -> None:
    """The buyer and the seller can order for day 1."""
    for member in (buyer, seller):
        by(member, "fund", 1, FUNDS)
