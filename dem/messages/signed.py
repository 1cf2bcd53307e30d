"""Messages together with their signatures, as relayers get them; who holds the key is not their business."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from dem.messages.contracts import Acceptance, Proposal
from dem.messages.members import Opening
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signing import Domain, Message, SignedMessage, SignedSheet, compact, sign, struct

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


@dataclass(frozen=True, slots=True)
class AcceptedProposal:
    """A proposal and the acceptance that makes a contract of it. accepter: address of the one who accepts."""

    proposal: Signed[Proposal]
    accepter: str
    acceptance: Signed[Acceptance]


def for_contract(signed: Signed[Message]) -> SignedMessage:
    """A signed message as the contracts take it."""
    return struct(signed.message), signed.signature


def arguments(signed: Signed[Message]) -> tuple[Any, ...]:
    """Of the function that takes a message alone: the message and its signature, which an opening does without."""
    return (struct(signed.message),) if isinstance(signed.message, Opening) else for_contract(signed)


def sheet_for_contract(signed: Signed[OrderSheet | ReadingSheet]) -> SignedSheet:
    """A signed sheet as the contracts take it."""
    return struct(signed.message), *compact(signed.signature)
