"""Bilateral contracts of the village: a proposal that holds, and what its members sign about it."""

from dataclasses import replace
from typing import Any

from web3.types import TxReceipt

from dem.messages.contracts import Acceptance, Ending, Proposal, Revocation
from dem.messages.signing import message_hash, sign
from dem.model.markets.bilateral import ALL_WEEKDAYS

from .signed import domain, withdrawal
from .village import CEILING, FEES, PERIODS, Member, Village

MARKET = "BilateralContracts"
PRICE = 20_000
ENERGY = 100
DAYS = 5
WINDOW = 4
"""Gate an hour before the day of three hours, readings half an hour after it: two days at once, one until it is seen
that somebody does not pay, and one to forfeit."""
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
        self._withdrawals = 0
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
        self,
        proposal: Proposal,
        proposer: Member | None = None,
        accepter: Member | None = None,
        expiry: int = LATER,
    ) -> tuple[Any, ...]:
        """What `conclude` takes: the buyer's proposal, accepted by the seller, if not told otherwise.

        expiry: of the acceptance.
        """
        proposer, accepter = proposer or self.village.buyer, accepter or self.village.seller
        acceptance = sign(self.domain, Acceptance(message_hash(proposal), expiry), accepter.wallet.account_key)
        proposed = sign(self.domain, proposal, proposer.wallet.account_key)
        return fields(proposal), proposed, accepter.account, expiry, acceptance

    def conclude(self, proposal: Proposal, proposer: Member | None = None, accepter: Member | None = None) -> TxReceipt:
        """Bring a proposal and its acceptance."""
        return self.village.relay(self.contract, "conclude", *self.signed(proposal, proposer, accepter))

    def revoke(
        self, message: Proposal | Acceptance | Ending, signer: Member | None = None, account: Member | None = None
    ) -> TxReceipt:
        """Bring a revocation, signed by the buyer if not told otherwise, in its own name if in nobody else's."""
        signer = signer or self.village.buyer
        signature = sign(self.domain, Revocation(message_hash(message)), signer.wallet.account_key)
        account = account or signer
        return self.village.relay(self.contract, "revoke", message_hash(message), account.account, signature)

    def end(self, message: Ending, buyer: Member | None = None, seller: Member | None = None) -> TxReceipt:
        """Bring an ending, signed by the buyer and the seller if not told otherwise."""
        sides = buyer or self.village.buyer, seller or self.village.seller
        signatures = [sign(self.domain, message, side.wallet.account_key) for side in sides]
        return self.village.relay(self.contract, "end", fields(message), *signatures)

    def settle(self, day: int) -> TxReceipt:
        """A day without orders and without readings beyond those brought before."""
        village = self.village
        village.clear_day(day)
        village.close_metering(day)
        return village.settle(day)

    def take_out(self, member: Member) -> int:
        """All free money of a member, to its wallet; returns how much."""
        village = self.village
        amount = max(0, village.free(member))
        if amount:
            self._withdrawals += 1
            signed = withdrawal(village.market, member.wallet, amount, sequence=self._withdrawals, to_bank=False)
            village.relay(village.market.accounts, "withdraw", *signed)
        return amount
