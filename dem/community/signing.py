"""What a simulated community's members sign. Relayers bring it and never see a key."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Generic

from eth_utils.crypto import keccak

from dem.community.agreements import Agreement
from dem.community.crowd import DeskReport
from dem.community.keys import Wallet
from dem.messages.contracts import Acceptance, Proposal
from dem.messages.members import Commission, Mandate
from dem.messages.orders import OrderSheet, WholesaleCommitment, WholesaleReport, order_sheets
from dem.messages.signed import AcceptedProposal, M, Signed
from dem.messages.signing import Domain, message_hash, sign
from dem.model.markets.wholesale import Offer, report_words
from dem.model.orders import Order
from dem.model.units import UnitsPerWh

_MAX_PERIODS = 1 << 32

_NO_PROPOSAL = bytes(32)


class SignedOnDemand(Generic[M]):
    """A message that is written, and signed, when a relayer asks for it: what the chain has already costs nothing."""

    def __init__(self, domain: Domain, key: bytes, write: Callable[[], M]) -> None:
        self._domain = domain
        self._key = key
        self._write = write

    @cached_property
    def message(self) -> M:
        """What is signed."""
        return self._write()

    @cached_property
    def signature(self) -> bytes:
        """The signature of 65 bytes."""
        return sign(self._domain, self.message, self._key)


def signed(domain: Domain, key: bytes, message: M) -> Signed[M]:
    """A message, signed when a relayer asks for it."""
    return SignedOnDemand(domain, key, lambda: message)


def sign_orders(
    domain: Domain, day: int, orders: Iterable[Order], wallets: Mapping[int, Wallet], periods_per_day: int
) -> list[Signed[OrderSheet]]:
    """Everybody's orders of a day as sheets. wallets: keys by registry number."""
    by_member: dict[int, list[Order]] = defaultdict(list)
    for order in orders:
        by_member[order.participant].append(order)
    return [
        signed(domain, wallets[id_].account_key, sheet)
        for id_, own in sorted(by_member.items())
        for sheet in order_sheets(wallets[id_].account, day, own, periods_per_day)
    ]


def sign_agreement(
    domain: Domain, agreement: Agreement, salt: bytes, parties: tuple[Wallet, Wallet], expiry: int, period0: int
) -> AcceptedProposal:
    """A bilateral contract: the seller proposes, the buyer accepts.

    salt: tells the agreement from others. parties: seller and buyer. expiry: unix time until which it can be made.
    period0: real number of the first period of day 1.
    """
    seller, buyer = parties
    proposal = Proposal(
        proposer=seller.account,
        counterparty=buyer.account,
        is_sale=True,
        price=agreement.price,
        energy=agreement.energy,
        first_period=max(0, agreement.first - period0),
        last_period=min(agreement.last - period0, _MAX_PERIODS - 2),
        slots=sum(1 << slot for slot in agreement.slots),
        weekdays=sum(1 << weekday for weekday in agreement.weekdays),
        expiry=expiry,
        answers=_NO_PROPOSAL,
        salt=bytes(keccak(salt)),
    )
    acceptance = Acceptance(message_hash(proposal), expiry)
    return AcceptedProposal(
        proposal=signed(domain, seller.account_key, proposal),
        accepter=buyer.account,
        acceptance=signed(domain, buyer.account_key, acceptance),
    )


def write_report(day: int, desk: Wallet, report: DeskReport) -> WholesaleReport:
    """What the wholesale desk reports of a day; the same whenever it is asked, as only its key knows the salt."""
    rows = zip(report.price, report.import_capacity, report.export_capacity, strict=True)
    offers = [Offer(price, report.penalty, imports, exports) for price, imports, exports in rows]
    salt = bytes(keccak(b"wholesale report" + desk.account_key + day.to_bytes(4, "big")))
    prices, imports, exports = report_words(day, offers)
    return WholesaleReport(desk.account, day, prices, imports, exports, salt)


def sign_commitment(domain: Domain, desk: Wallet, report: WholesaleReport) -> Signed[WholesaleCommitment]:
    """What binds the wholesale desk to its report."""
    return SignedOnDemand(
        domain, desk.account_key, lambda: WholesaleCommitment(desk.account, report.day, message_hash(report))
    )


def sign_commission(domain: Domain, intermediary: Wallet, per_wh: UnitsPerWh, first_day: int) -> Signed[Commission]:
    """What an intermediary asks for from a day on: its first commission."""
    return signed(domain, intermediary.account_key, Commission(intermediary.account, per_wh, first_day, sequence=1))


def sign_mandate(domain: Domain, client: Wallet, intermediary: str, permille: int, first_day: int) -> Signed[Mandate]:
    """A client's first mandate, of so many 1/1000 of its connection. intermediary: its account."""
    return signed(
        domain, client.account_key, Mandate(client.account, intermediary, permille * 10, first_day, sequence=1)
    )
