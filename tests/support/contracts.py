"""Bilateral contracts of the village: a proposal that holds, and what its members sign about it."""

from dataclasses import replace
from typing import Any

from web3.types import TxReceipt

from dem.bilateral import ALL_WEEKDAYS
from dem.signing import Acceptance, Ending, Proposal, Revocation, message_hash, sign

from .signed import domain
from .village import CEILING, FEES, PERIODS, Member, Village

MARKET = "BilateralContracts"
PRICE = 20_000
ENERGY = 100
DAYS = 5
WINDOW = 3
"""Gate an hour before the day of three hours, readings half an hour after it: two days at once, and one to react."""
BUYERS_DAY = ENERGY * PERIODS * (PRICE + FEES)
SELLERS_DAY = ENERGY * PERIODS * (CEILING - PRICE)
"""What a day of the usual contract costs at worst, money units."""
ALL_SLOTS = (1 << PERIODS) - 1
LATER = (1 << 64) - 1


def fields(message: Any) -> tuple[Any, ...]:
    """A message in the order of its Solidity struct."""
    return tuple(getattr(message, name) for name in message.__slots__)


class Contracts:
    """The market for bilateral contracts, plugged into the village's schedule from day 1 on."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.contract = village.market.contract(MARKET)
        self.functions = self.contract.functions
        self.domain = domain(village.market, MARKET)
        village.send("council", village.market.contract("Schedule"), "addMarket", self.contract.address, 1)

    def offer(self, **changes: Any) -> Proposal:
        """The buyer asks the seller for the same energy in all periods of days 1 to 5."""
        usual = Proposal(
            proposer=self.village.buyer.account,
            counterparty=self.village.seller.account,
            is_sale=False,
            price=PRICE,
            energy=ENERGY,
            first_period=0,
            last_period=DAYS * PERIODS - 1,
            slots=ALL_SLOTS,
            weekdays=ALL_WEEKDAYS,
            expiry=LATER,
            answers=bytes(32),
            salt=bytes(32),
        )
        return replace(usual, **changes)

    def signed(
        self, proposal: Proposal, proposer: Member | None = None, accepter: Member | None = None
    ) -> tuple[Any, ...]:
        """What `conclude` takes: the buyer's proposal, accepted by the seller, if not told otherwise."""
        proposer, accepter = proposer or self.village.buyer, accepter or self.village.seller
        acceptance = sign(self.domain, Acceptance(message_hash(proposal)), accepter.wallet.account_key)
        proposed = sign(self.domain, proposal, proposer.wallet.account_key)
        return fields(proposal), proposed, accepter.account, acceptance

    def conclude(self, proposal: Proposal, proposer: Member | None = None, accepter: Member | None = None) -> TxReceipt:
        """Bring a proposal and its acceptance."""
        return self.village.relay(self.contract, "conclude", *self.signed(proposal, proposer, accepter))

    def revoke(self, proposal: Proposal, signer: Member | None = None) -> TxReceipt:
        """Bring a revocation, of the buyer if not told otherwise."""
        key = (signer or self.village.buyer).wallet.account_key
        signature = sign(self.domain, Revocation(message_hash(proposal)), key)
        return self.village.relay(self.contract, "revoke", fields(proposal), signature)

    def end(self, message: Ending, buyer: Member | None = None, seller: Member | None = None) -> TxReceipt:
        """Bring an ending, signed by the buyer and the seller if not told otherwise."""
        sides = buyer or self.village.buyer, seller or self.village.seller
        signatures = [sign(self.domain, message, side.wallet.account_key) for side in sides]
        return self.village.relay(self.contract, "end", fields(message), *signatures)

    def settle(self, day: int) -> None:
        """A day without orders and without readings beyond those brought before."""
        village = self.village
        village.clear_day(day)
        village.close_metering(day)
        village.settle(day)
