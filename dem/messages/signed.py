"""Messages together with their signatures, as relayers get them; who holds the key is not their business."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from dem.messages.contracts import Acceptance, Proposal
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signing import Message, SignedMessage, SignedSheet, compact, struct

M = TypeVar("M", bound=Message)
M_co = TypeVar("M_co", bound=Message, covariant=True)


class Signed(Protocol[M_co]):
    """A message and its sender's signature of 65 bytes. Where the key is at hand, both may be made when asked for."""

    @property
    def message(self) -> M_co: ...
    @property
    def signature(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A signed message as it came from its sender."""

    message: M
    signature: bytes


@dataclass(frozen=True, slots=True)
class AcceptedProposal:
    """A proposal and the acceptance that makes a contract of it. accepter: address of the one who accepts."""

    proposal: Signed[Proposal]
    accepter: str
    acceptance: Signed[Acceptance]


def for_contract(signed: Signed[Message]) -> SignedMessage:
    """A signed message as the contracts take it."""
    return struct(signed.message), signed.signature


def sheet_for_contract(signed: Signed[OrderSheet | ReadingSheet]) -> SignedSheet:
    """A signed sheet as the contracts take it."""
    return struct(signed.message), *compact(signed.signature)
