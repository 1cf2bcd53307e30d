"""EIP-712 messages that participants and meters sign and any relayer may bring to the chain."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from coincurve import PrivateKey, PublicKey
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from dem.errors import InputError, SignatureError, require_range
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
    Replacement,
    SourceList,
    SourcePremium,
    Veto,
    Withdrawal,
)
from dem.messages.orders import (
    CongestionOrder,
    CongestionRequest,
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    IntradayRevocation,
    OrderSheet,
    WholesaleCommitment,
    WholesaleReport,
)
from dem.messages.readings import LateReading, ReadingSheet

DOMAIN_NAME = "DEM"
DOMAIN_VERSION = "1"

_SECP256K1_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_BITS_IN_LISTS = {"bytes32[]": 256, "uint16[]": 16}
_DOMAIN_TYPE = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)


@dataclass(frozen=True, slots=True)
class Domain:
    """The chain and the contract a message is for."""

    chain_id: int
    contract: str


Message = (
    Application
    | OrderSheet
    | ReadingSheet
    | LateReading
    | Withdrawal
    | WholesaleReport
    | WholesaleCommitment
    | Proposal
    | Acceptance
    | Revocation
    | Ending
    | EscrowTrade
    | EscrowRelease
    | IntradayOrder
    | IntradayCancellation
    | IntradayFunding
    | IntradayRevocation
    | CongestionRequest
    | CongestionOrder
    | Mandate
    | Commission
    | ReliefOffer
    | CoinTransfer
    | SourceList
    | SourcePremium
    | Nomination
    | Ballot
    | Opening
    | Replacement
    | Veto
)
SignedMessage = tuple[tuple[Any, ...], bytes]
"""A message as the contracts take it, in the order of its Solidity struct, and its signature."""
SignedSheet = tuple[tuple[Any, ...], bytes, bytes]
"""The same of a sheet of orders or readings, its signature compact."""


def struct(message: Message) -> tuple[Any, ...]:
    """A message as the contracts take it, in the order of its Solidity struct."""
    values = [getattr(message, field.name) for field in fields(message)]
    return tuple(
        [word.to_bytes(32, "big") for word in value] if solidity_type == "bytes32[]" else value
        for (_, solidity_type), value in zip(message.TYPE, values, strict=True)
    )


def typed_data(domain: Domain, message: Message) -> dict[str, Any]:
    """The EIP-712 typed data of a message, as wallets take it.

    Raises:
        InputError: a field does not fit its type.
    """
    name = type(message).__name__
    _require_types(message)
    return {
        "types": {"EIP712Domain": _members(_DOMAIN_TYPE), name: _members(message.TYPE)},
        "primaryType": name,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": {name: value for (name, _), value in zip(message.TYPE, struct(message), strict=True)},
    }


def digest(domain: Domain, message: Message) -> bytes:
    """The 32 bytes that are signed: keccak256(0x1901 || domain separator || struct hash).

    Raises:
        InputError: a field does not fit its type.
    """
    return keccak(b"\x19\x01" + _separator(domain) + message_hash(message))


def message_hash(message: Message) -> bytes:
    """The EIP-712 struct hash of a message, by which other messages refer to it, whatever chain and contract it is for.

    Raises:
        InputError: a field does not fit its type.
    """
    _require_types(message)
    values = (getattr(message, field.name) for field in fields(message))
    words = (_word(solidity_type, value) for (_, solidity_type), value in zip(message.TYPE, values, strict=True))
    return keccak(_type_hash(type(message).__name__, message.TYPE) + b"".join(words))


def sign(domain: Domain, message: Message, key: bytes) -> bytes:
    """The 65-byte signature r || s || v of a message with a private key.

    Raises:
        InputError: a field does not fit its type.
    """
    found: bytes = PrivateKey(key).sign_recoverable(digest(domain, message), hasher=None)
    return found[:64] + bytes([27 + found[64]])


def compact(signature: bytes) -> tuple[bytes, bytes]:
    """A 65-byte signature as the words r and vs (EIP-2098) that sheets of orders and readings carry."""
    vs = (signature[64] - 27) << 255 | int.from_bytes(signature[32:64], "big")
    return signature[:32], vs.to_bytes(32, "big")


def recover(domain: Domain, message: Message, signature: bytes) -> str:
    """Checksum address of the key that signed, under the rules of the chain's library.

    Raises:
        InputError: a field does not fit its type.
        SignatureError: see `signer_of`.
    """
    return signer_of(digest(domain, message), signature)


def signer_of(hash_: bytes, signature: bytes) -> str:
    """The same of what was signed, by its digest.

    Raises:
        SignatureError: not 65 bytes, v not 27 or 28, s in the upper half, or not on the curve.
    """
    if len(signature) != 65:
        raise SignatureError(f"has {len(signature)} bytes instead of 65")
    if signature[64] not in (27, 28):
        raise SignatureError(f"has v = {signature[64]} instead of 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _SECP256K1_HALF_ORDER:
        raise SignatureError("has its s in the upper half of the curve's order")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), hash_, hasher=None)
    except ValueError as error:
        raise SignatureError(f"recovers no key: {error}") from error
    return str(to_checksum_address(keccak(key.format(compressed=False)[1:])[-20:]))


@lru_cache
def _separator(domain: Domain) -> bytes:
    """The domain separator."""
    texts = (keccak(text=DOMAIN_NAME), keccak(text=DOMAIN_VERSION))
    numbers = (_word("uint256", domain.chain_id), _word("address", domain.contract))
    return keccak(b"".join((_type_hash("EIP712Domain", _DOMAIN_TYPE), *texts, *numbers)))


@lru_cache
def _type_hash(name: str, fields_of_type: Sequence[tuple[str, str]]) -> bytes:
    return keccak(text=f"{name}({','.join(f'{kind} {field}' for field, kind in fields_of_type)})")


def _word(solidity_type: str, value: Any) -> bytes:
    """A value that fits its type, as EIP-712 encodes it. No message has a struct inside."""
    if solidity_type == "bytes32":
        return bytes(value)
    if solidity_type == "bytes":
        return keccak(value)
    if solidity_type.endswith("[]"):
        return keccak(b"".join(word.to_bytes(32, "big") for word in value))
    if solidity_type == "address":
        return bytes.fromhex(value.removeprefix("0x")).rjust(32, b"\0")
    return int(value).to_bytes(32, "big", signed=solidity_type.startswith("int"))


def _members(fields_of_type: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": solidity_type} for name, solidity_type in fields_of_type]


def _require_types(message: Message) -> None:
    name = type(message).__name__
    for (field_name, solidity_type), field in zip(message.TYPE, fields(message), strict=True):
        _require_type(f"{name}.{field_name}", solidity_type, getattr(message, field.name))


def _require_type(where: str, solidity_type: str, value: Any) -> None:
    """Refuse what the type cannot hold; the encoder would pad or truncate some of it."""
    if solidity_type.endswith("[]"):
        bits = _BITS_IN_LISTS[solidity_type]
        for n, word in enumerate(value):
            require_range(f"{where}[{n}]", word, 0, (1 << bits) - 1)
    elif solidity_type.startswith("uint"):
        require_range(where, value, 0, (1 << int(solidity_type.removeprefix("uint"))) - 1)
    elif solidity_type.startswith("int"):
        bound = 1 << int(solidity_type.removeprefix("int")) - 1
        require_range(where, value, -bound, bound - 1)
    elif solidity_type == "address" and not is_address(value):
        raise InputError(where, value, "must be an address")
    elif solidity_type == "bool" and not isinstance(value, bool):
        raise InputError(where, value, "must be True or False")
    elif solidity_type == "bytes32" and len(value) != 32:
        raise InputError(where, value, "must have 32 bytes")
