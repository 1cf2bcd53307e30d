"""What a simulated community's members sign. Relayers bring it and never see a key."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count

from eth_account import Account
from eth_utils.crypto import keccak

from dem.community.agreements import Agreement
from dem.community.keys import Wallet
from dem.community.sessions import MAX_FILLS, SessionPlan
from dem.messages.contracts import Acceptance, EscrowTrade, Proposal
from dem.messages.members import Commission, Mandate, ReliefOffer
from dem.messages.orders import (
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    OrderSheet,
    order_sheets,
)
from dem.messages.signed import AcceptedProposal, M, Signed, signed
from dem.messages.signing import Domain, message_hash
from dem.model.orders import Order, Side
from dem.model.relief import Offer
from dem.model.units import UnitsPerWh

_MAX_PERIODS = 1 << 32
_NEVER = (1 << 64) - 1

_NO_PROPOSAL = bytes(32)
_DAY_SHIFT, _SESSION_SHIFT = 24, 16
_FUNDING, _PLACING = 1 << 14, 1 << 15
"""Within a session a participant's messages are numbered: cancellations from 1, the funding, orders from here on."""


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


def sign_escrow(
    domain: Domain, agreement: Agreement, day: int, slots: int, salt: bytes, parties: tuple[Wallet, Wallet, Wallet]
) -> tuple[Signed[EscrowTrade], Signed[EscrowTrade]]:
    """A day of an agreement as an escrowed trade, signed by buyer and seller.

    slots: in which it delivers, a bit each. salt: tells the trade from others; the keys for this trade alone follow
    from it. parties: buyer, seller and mediator.
    """
    buyer, seller, mediator = parties
    keys = [str(Account.from_key(keccak(side + salt)).address) for side in (b"buyer", b"seller")]
    trade = EscrowTrade(
        buyer=buyer.account,
        seller=seller.account,
        buyer_key=keys[0],
        seller_key=keys[1],
        mediator=mediator.account,
        day=day,
        slots=slots,
        energy=agreement.energy,
        price=agreement.price,
        expiry=_NEVER,
        salt=bytes(keccak(salt)),
    )
    return signed(domain, buyer.account_key, trade), signed(domain, seller.account_key, trade)


def sign_commission(domain: Domain, intermediary: Wallet, per_wh: UnitsPerWh, first_day: int) -> Signed[Commission]:
    """What an intermediary asks for from a day on: its first commission."""
    return signed(domain, intermediary.account_key, Commission(intermediary.account, per_wh, first_day, sequence=1))


def sign_mandate(domain: Domain, client: Wallet, intermediary: str, permille: int, first_day: int) -> Signed[Mandate]:
    """A client's first mandate, of so many 1/1000 of its connection. intermediary: its account."""
    return signed(
        domain, client.account_key, Mandate(client.account, intermediary, permille * 10, first_day, sequence=1)
    )


def sign_relief_offer(domain: Domain, owner: Wallet, offer: Offer, first_day: int) -> Signed[ReliefOffer]:
    """What a member offers, or the grid operator pays, from a day on: its first offer."""
    prices = UnitsPerWh(offer.drawn_price), UnitsPerWh(offer.fed_in_price)
    message = ReliefOffer(owner.account, offer.drawn, prices[0], offer.fed_in, prices[1], first_day, sequence=1)
    return signed(domain, owner.account_key, message)


class SessionMessages:
    """What participants sign in one session.

    A participant's messages are numbered by day and session; who has placed orders of the session before a crash
    places no more of it.
    """

    def __init__(
        self,
        domain: Domain,
        when: tuple[int, int],
        plan: SessionPlan,
        wallets: Mapping[int, Wallet],
        last_sequences: Callable[[Sequence[str]], Sequence[int]],
        expiry: int,
    ) -> None:
        """when: day and number of the session. wallets: keys by registry number.

        last_sequences: what the chain says of the last message of some accounts. expiry: unix time from which no order
        of the session may be taken any more.
        """
        self._domain = domain
        self._day, session = when
        self._expiry = expiry
        self._base = self._day << _DAY_SHIFT | session << _SESSION_SHIFT
        self._plan = plan
        self._wallets = wallets
        asked = last_sequences([wallets[id_].account for id_ in plan.members])
        self._last = dict(zip(plan.members, (max(self._base, sequence) for sequence in asked), strict=True))
        self._waiting = {id_ for id_ in plan.members if self._last[id_] < self._base + _PLACING}

    def cancellations(self) -> list[Signed[IntradayCancellation]]:
        """Of all orders that are left from before."""
        sequences = {id_: count(self._last[id_] + 1) for id_ in self._waiting}
        return [
            self._signed(id_, IntradayCancellation(self._wallets[id_].account, self._day, number, next(sequences[id_])))
            for id_, number in self._plan.cancellations()
            if id_ in self._waiting
        ]

    def fundings(self) -> list[Signed[IntradayFunding]]:
        """What the orders need."""
        messages = []
        for id_, amount in self._plan.fundings():
            if id_ in self._waiting:
                after = self._last[id_] + len(self._plan.resting.get(id_, ())) + 1
                sequence = max(self._base + _FUNDING, after)
                message = IntradayFunding(self._wallets[id_].account, self._day, amount, False, sequence)
                messages.append(self._signed(id_, message))
        return messages

    def placements(self) -> list[Signed[IntradayOrder]]:
        """The orders."""
        position: dict[int, int] = defaultdict(int)
        messages = []
        for order in self._plan.orders:
            id_ = order.participant
            if id_ not in self._waiting:
                continue
            message = IntradayOrder(
                participant=self._wallets[id_].account,
                day=self._day,
                slot=order.slot,
                is_ask=order.side == Side.ASK,
                tick=order.tick,
                energy=order.energy,
                max_fills=MAX_FILLS,
                expiry=self._expiry,
                sequence=self._base + _PLACING + position[id_],
            )
            position[id_] += 1
            messages.append(self._signed(id_, message))
        return messages

    def _signed(self, id_: int, message: M) -> Signed[M]:
        return signed(self._domain, self._wallets[id_].account_key, message)
