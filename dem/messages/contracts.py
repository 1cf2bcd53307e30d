"""What the two sides of a contract sign: an offer, consent, and its end."""

from dataclasses import dataclass
from typing import ClassVar

from dem.model.units import Wh


@dataclass(frozen=True, slots=True)
class Proposal:
    """A contract offered: `energy` Wh at `price` units/Wh in every period of a profile, from first to last_period.

    Periods count from the market's opening. slots: bitmap of a day's periods; weekdays: bitmap, bit 0 is Monday (see
    `bilateral.Profile`). expiry: unix time from which it is not accepted any more. answers: message_hash of the
    proposal that opened the negotiation, zero if this one does. salt: 32 bytes that tell equal proposals apart.
    """

    TYPE: ClassVar = (
        ("proposer", "address"),
        ("counterparty", "address"),
        ("isSale", "bool"),
        ("price", "int32"),
        ("energy", "uint64"),
        ("firstPeriod", "uint32"),
        ("lastPeriod", "uint32"),
        ("slots", "uint96"),
        ("weekdays", "uint8"),
        ("expiry", "uint64"),
        ("answers", "bytes32"),
        ("salt", "bytes32"),
    )
    proposer: str
    counterparty: str
    is_sale: bool
    price: int
    energy: Wh
    first_period: int
    last_period: int
    slots: int
    weekdays: int
    expiry: int
    answers: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Consent to the proposal with this hash (message_hash). expiry: unix time from which it no longer counts."""

    TYPE: ClassVar = (("proposal", "bytes32"), ("expiry", "uint64"))
    proposal: bytes
    expiry: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """Whoever signed takes it back: its proposal, its acceptance of one, or its consent to an ending.

    message: hash (message_hash) of what was signed.
    """

    TYPE: ClassVar = (("message", "bytes32"),)
    message: bytes


@dataclass(frozen=True, slots=True)
class EscrowTrade:
    """A trade whose money two of three keys release: what its buyer and its seller sign.

    buyer_key, seller_key: made for this trade alone. mediator: a third key, on which both agree. slots: bitmap of the
    day's periods; `energy` Wh in each of them at `price` units/Wh. expiry: unix time from which it is not funded any
    more. salt: 32 bytes that tell equal trades apart.
    """

    TYPE: ClassVar = (
        ("buyer", "address"),
        ("seller", "address"),
        ("buyerKey", "address"),
        ("sellerKey", "address"),
        ("mediator", "address"),
        ("day", "uint32"),
        ("slots", "uint96"),
        ("energy", "uint64"),
        ("price", "uint32"),
        ("expiry", "uint64"),
        ("salt", "bytes32"),
    )
    buyer: str
    seller: str
    buyer_key: str
    seller_key: str
    mediator: str
    day: int
    slots: int
    energy: Wh
    price: int
    expiry: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class EscrowRelease:
    """What two of the three keys of a trade sign: how its escrow is split, in money units."""

    TYPE: ClassVar = (("number", "uint32"), ("toSeller", "uint128"), ("toBuyer", "uint128"))
    number: int
    to_seller: int
    to_buyer: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Consent of a side to a contract's ending: last_day is the last on which it delivers, `expiry` a unix time."""

    TYPE: ClassVar = (("number", "uint32"), ("lastDay", "uint32"), ("expiry", "uint64"))
    number: int
    last_day: int
    expiry: int
