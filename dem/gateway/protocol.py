"""The data protocol: one envelope for everything that participants and meters sign.

docs/guide/gateway.md describes it for people who write clients. The id of a message is what is signed, its EIP-712
digest; so the same message has the same id wherever and however often it comes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from eth_utils.address import to_checksum_address
from pydantic import BaseModel, ConfigDict, Field

from dem.errors import InputError, RequestError, SignatureError
from dem.messages.contracts import Acceptance, Ending, EscrowRelease, EscrowTrade, Proposal, Revocation
from dem.messages.members import (
    Application,
    Ballot,
    CoinTransfer,
    Commission,
    Mandate,
    Nomination,
    Opening,
    ReliefOffer,
    Veto,
    Withdrawal,
)
from dem.messages.orders import (
    LINES_PER_SHEET,
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    IntradayRevocation,
    OrderSheet,
    WholesaleCommitment,
)
from dem.messages.readings import ReadingSheet
from dem.messages.signing import Domain, Message, digest, signer_of
from dem.model.mechanisms import AUCTION, MECHANISMS, POOL

VERSION: Literal["dem/1"] = "dem/1"
MOST_BYTES = 4_096
"""Of a field of bytes: the registers of a day of 96 periods are 1,552."""

BILATERAL, ESCROW = (MECHANISMS[key].contract for key in ("bilateral", "escrow"))
_ADDRESS, _WORD = re.compile(r"0x[0-9a-fA-F]{40}"), re.compile(r"0x[0-9a-f]{64}")
_BYTES = re.compile(r"0x(?:[0-9a-f]{2})*")
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,77}")


class Kind(NamedTuple):
    """Where a type of message goes. sender: its field with the address of the key that has to sign it; without one it
    is whose signature it is. is_alone: whether the function takes the message, its signature if it wants it, and
    nothing else. others: contracts that take it alike.
    """

    contract: str
    function: str
    sender: str = ""
    is_sheet: bool = False
    is_alone: bool = True
    others: tuple[str, ...] = ()


KINDS: dict[type[Any], Kind] = {
    Application: Kind("ParticipantRegistry", "applyFor", "account"),
    Veto: Kind("Replacements", "vetoSigned", "account"),
    Withdrawal: Kind("Accounts", "withdraw", "account"),
    OrderSheet: Kind(AUCTION, "enter", "participant", is_sheet=True),
    ReadingSheet: Kind("MeterReadings", "enter", "meter", is_sheet=True),
    IntradayOrder: Kind("ContinuousMarket", "placeSigned", "participant"),
    IntradayCancellation: Kind("ContinuousMarket", "cancelSigned", "participant"),
    IntradayFunding: Kind("ContinuousMarket", "fundSigned", "participant"),
    IntradayRevocation: Kind("ContinuousMarket", "revokeSigned", "participant"),
    Mandate: Kind("Intermediaries", "choose", "client"),
    ReliefOffer: Kind("GridRelief", "offer", "account"),
    Commission: Kind("Intermediaries", "publish", "intermediary"),
    WholesaleCommitment: Kind("WholesaleDesk", "commit", "desk"),
    Nomination: Kind("Elections", "nominateSigned", "nominee"),
    Ballot: Kind("Elections", "voteSigned", "voter"),
    Opening: Kind("Elections", "open"),
    Proposal: Kind(BILATERAL, "conclude", "proposer", is_alone=False),
    Acceptance: Kind(BILATERAL, "conclude", is_alone=False),
    Revocation: Kind(BILATERAL, "revoke", is_alone=False, others=(ESCROW,)),
    Ending: Kind(BILATERAL, "end", is_alone=False),
    EscrowTrade: Kind(ESCROW, "fund", is_alone=False),
    EscrowRelease: Kind(ESCROW, "release", is_alone=False),
    CoinTransfer: Kind("NrgCoin", "transfer", "from"),
}
"""What the gateway takes, and anyone may bring. A proposal is kept until somebody's acceptance goes with it."""
JOINT = (Ending, EscrowTrade, EscrowRelease)
"""What two sign alike: it is kept until the second has."""
TYPES = {kind.__name__: kind for kind in KINDS}


class Envelope(BaseModel):
    """A signed message. Integers are decimal strings, bytes are 0x and lower-case hexadecimal digits."""

    model_config = ConfigDict(extra="forbid", strict=True)

    v: Literal["dem/1"]
    chain: int = Field(ge=1, le=2**53, description="EIP-155 id of the market's chain")
    contract: str = Field(pattern=_ADDRESS.pattern, max_length=42, description="address the message is signed for")
    type: str = Field(max_length=32, description="name of the EIP-712 type")
    message: dict[str, str | bool | list[str]] = Field(description="its fields")
    signature: str = Field(pattern=r"^0x[0-9a-f]{130}$", description="65 bytes: r, s, v")
    id: str = Field(pattern=r"^0x[0-9a-f]{64}$", description="EIP-712 digest")


@dataclass(frozen=True, slots=True)
class Checked:
    """A message whose signature is its sender's. contract: name of the one it goes to.

    accepted: the proposal that goes with an acceptance. signatures: both of what two sign, in the contract's order.
    """

    id: str
    contract: str
    sender: str
    message: Message
    signature: bytes
    accepted: "Checked | None" = None
    signatures: tuple[bytes, bytes] | None = None


def seal(domain: Domain, message: Message, signature: bytes) -> Envelope:
    """The envelope of a signed message."""
    return Envelope(
        v=VERSION,
        chain=domain.chain_id,
        contract=domain.contract,
        type=type(message).__name__,
        message={
            name: _text(solidity_type, getattr(message, field.name))
            for (name, solidity_type), field in zip(message.TYPE, fields(message), strict=True)
        },
        signature=f"0x{signature.hex()}",
        id=f"0x{digest(domain, message).hex()}",
    )


def check(envelope: Envelope, chain_id: int, contracts: Mapping[str, str]) -> Checked:
    """The message inside, once it is known that it is for this market and signed by its sender.

    contracts: addresses of the market's by name.

    Raises:
        RequestError: anything about it is wrong.
    """
    if envelope.chain != chain_id:
        raise RequestError(422, "WrongChain", f"the message is for chain {envelope.chain}, this is {chain_id}")
    if envelope.type not in TYPES:
        raise RequestError(422, "UnknownType", f"{envelope.type!r} is none of {', '.join(TYPES)}")
    kind = KINDS[TYPES[envelope.type]]
    at = {address.lower(): name for name, address in contracts.items()}
    contract = at.get(envelope.contract.lower(), "")
    is_pool = kind.contract == AUCTION and contract.startswith(POOL)
    if contract not in (kind.contract, *kind.others) and not is_pool:
        why = f"{envelope.type} goes to {kind.contract}, which is not at {envelope.contract} in this market"
        raise RequestError(422, "WrongContract", why)
    message = parse(envelope.type, envelope.message)
    domain = Domain(chain_id, to_checksum_address(envelope.contract))
    try:
        hash_ = digest(domain, message)
        if (found := f"0x{hash_.hex()}") != envelope.id:
            raise RequestError(422, "WrongId", f"the digest of the message is {found}, not {envelope.id}")
        signature = bytes.fromhex(envelope.signature[2:])
        signer = signer_of(hash_, signature)
    except InputError as error:
        raise RequestError(422, "MalformedMessage", str(error)) from error
    except SignatureError as error:
        raise RequestError(422, "BadSignature", str(error)) from error
    sender = _sender(message, kind) if kind.sender else signer
    if signer != sender:
        why = f"{kind.sender} is {sender}, and the signature is of {signer}: another key, or another message"
        raise RequestError(422, "NotSignedBySender", why)
    return Checked(envelope.id, contract, sender, message, signature)


def unsealed(id_: str, sender: str, envelope: Mapping[str, Any], contracts: Mapping[str, str]) -> Checked:
    """A message that was checked before, from its envelope as it was kept."""
    message = parse(envelope["type"], envelope["message"])
    at = {address.lower(): name for name, address in contracts.items()}
    contract, signature = at[envelope["contract"].lower()], bytes.fromhex(envelope["signature"][2:])
    return Checked(id_, contract, sender, message, signature)


def _sender(message: Message, kind: Kind) -> str:
    [name] = [
        field.name
        for (solidity_name, _), field in zip(message.TYPE, fields(message), strict=True)
        if solidity_name == kind.sender
    ]
    return to_checksum_address(getattr(message, name))


def parse(type_name: str, values: Mapping[str, Any]) -> Message:
    """A message of its fields as an envelope has them.

    Raises:
        RequestError: a field is missing, unknown or not of its type.
    """
    kind = TYPES[type_name]
    names = [name for name, _ in kind.TYPE]
    if unknown := sorted({*values} ^ {*names}):
        why = f"{type_name} has the fields {', '.join(names)}: see {unknown[0][:40]!r}"
        raise RequestError(422, "MalformedMessage", why)
    found = [_value(f"{type_name}.{name}", solidity_type, values[name]) for name, solidity_type in kind.TYPE]
    message: Message = kind(*found)
    return message


def _value(where: str, solidity_type: str, value: object) -> Any:
    def fits(pattern: re.Pattern[str], what: str) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise RequestError(422, "MalformedMessage", f"{where} must be {what}")
        return value

    if solidity_type == "bool":
        if not isinstance(value, bool):
            raise RequestError(422, "MalformedMessage", f"{where} must be true or false")
        return value
    if solidity_type == "address":
        return to_checksum_address(fits(_ADDRESS, "an address of 20 bytes"))
    if solidity_type == "bytes32":
        return bytes.fromhex(fits(_WORD, "0x and 64 lower-case hexadecimal digits")[2:])
    if solidity_type == "bytes":
        text = fits(_BYTES, "0x and lower-case hexadecimal digits")
        if len(text) > 2 + 2 * MOST_BYTES:
            raise RequestError(422, "MalformedMessage", f"{where} has more than {MOST_BYTES} bytes")
        return bytes.fromhex(text[2:])
    if solidity_type == "bytes32[]":
        if not isinstance(value, list) or not 0 < len(value) <= LINES_PER_SHEET:
            raise RequestError(422, "MalformedMessage", f"{where} must be a list of 1 to {LINES_PER_SHEET} words")
        return tuple(int.from_bytes(_value(f"{where}[{n}]", "bytes32", word), "big") for n, word in enumerate(value))
    number = int(fits(_NUMBER, "a whole number as a decimal string"))
    is_signed = solidity_type.startswith("int")
    bits = int(solidity_type.removeprefix("int" if is_signed else "uint")) - is_signed
    if not -(is_signed << bits) <= number < 1 << bits:
        raise RequestError(422, "MalformedMessage", f"{where} does not fit {solidity_type}")
    return number


def _text(solidity_type: str, value: Any) -> str | bool | list[str]:
    """A value as an envelope has it."""
    if solidity_type == "bool":
        return bool(value)
    if solidity_type == "address":
        return str(value)
    if solidity_type == "bytes32[]":
        return [f"0x{word:064x}" for word in value]
    if solidity_type.startswith("bytes"):
        return f"0x{value.hex()}"
    return str(value)
