"""EIP-712 messages that participants and meters sign and any relayer may bring to the chain."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.address import is_address
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from dem.errors import InputError, RegisterDecreasedError, SignatureError, require_range
from dem.strips import LANES
from dem.units import UnitsPerWh, Wh

DOMAIN_NAME = "DEM"
DOMAIN_VERSION = "1"
REGISTER_BYTES = 16
"""Import and export register of one reading, Wh, uint64 each, big endian."""

_SECP256K1_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
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


_NO_DOMAIN = Domain(0, "0x" + "00" * 20)


@dataclass(frozen=True, slots=True)
class Application:
    """Request for admission; capacities in Wh per period, `feeder` and `documents` 32 bytes."""

    TYPE: ClassVar = (
        ("account", "address"),
        ("meter", "address"),
        ("kind", "uint8"),
        ("importCapacity", "uint40"),
        ("exportCapacity", "uint40"),
        ("feeder", "bytes32"),
        ("documents", "bytes32"),
    )
    account: str
    meter: str
    kind: int
    import_capacity: Wh
    export_capacity: Wh
    feeder: bytes
    documents: bytes


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """A participant's order lines of a day, `lines[n]` being the word of line first_line + n.

    Every word carries the day, one without orders too: pack(day, [0] * 6).
    """

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("firstLine", "uint16"),
        ("sequence", "uint40"),
        ("lines", "bytes32[]"),
    )
    participant: str
    day: int
    first_line: int
    sequence: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadingSheet:
    """A meter's registers (see pack_registers) from the opening of strip `first_strip` on."""

    TYPE: ClassVar = (
        ("meter", "address"),
        ("day", "uint32"),
        ("firstStrip", "uint8"),
        ("sequence", "uint40"),
        ("registers", "bytes"),
    )
    meter: str
    day: int
    first_strip: int
    sequence: int
    registers: bytes


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Request to pay out `amount` money units of free money, in fiat or as tokens."""

    TYPE: ClassVar = (
        ("account", "address"),
        ("amount", "uint128"),
        ("toBank", "bool"),
        ("sequence", "uint40"),
    )
    account: str
    amount: int
    to_bank: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class WholesaleReport:
    """What the wholesale desk can trade on a day: a word per strip each (see `dem.wholesale.report_words`)."""

    TYPE: ClassVar = (
        ("desk", "address"),
        ("day", "uint32"),
        ("prices", "bytes32[]"),
        ("imports", "bytes32[]"),
        ("exports", "bytes32[]"),
    )
    desk: str
    day: int
    prices: tuple[int, ...]
    imports: tuple[int, ...]
    exports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A contract offered: `energy` Wh at `price` units/Wh in every period of a profile, from first to last_period.

    Periods count from the market's opening. slots: bitmap of a day's periods; weekdays: bitmap, bit 0 is Monday (see
    dem.bilateral.Profile). expiry: unix time from which it is not accepted any more. answers: message_hash of the
    proposal that opened the negotiation, zero if this one does. salt: 32 bytes that tell equal proposals apart.
    """

    TYPE: ClassVar = (
        ("proposer", "address"),
        ("counterparty", "address"),
        ("isSale", "bool"),
        ("price", "uint32"),
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
    """Consent to the proposal with this hash (message_hash)."""

    TYPE: ClassVar = (("proposal", "bytes32"),)
    proposal: bytes


@dataclass(frozen=True, slots=True)
class Revocation:
    """The proposer takes the proposal with this hash (message_hash) back."""

    TYPE: ClassVar = (("proposal", "bytes32"),)
    proposal: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """Consent of a side to a contract's ending: last_day is the last on which it delivers, `expiry` a unix time."""

    TYPE: ClassVar = (("number", "uint32"), ("lastDay", "uint32"), ("expiry", "uint64"))
    number: int
    last_day: int
    expiry: int


@dataclass(frozen=True, slots=True)
class IntradayOrder:
    """An order of the intraday market: limit in ticks, energy in Wh, and the steps of matching it may take."""

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("slot", "uint16"),
        ("isAsk", "bool"),
        ("tick", "uint16"),
        ("energy", "uint32"),
        ("maxFills", "uint16"),
        ("sequence", "uint40"),
    )
    participant: str
    day: int
    slot: int
    is_ask: bool
    tick: int
    energy: Wh
    max_fills: int
    sequence: int


@dataclass(frozen=True, slots=True)
class IntradayCancellation:
    """Cancels the participant's intraday order of this number."""

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("number", "uint64"),
        ("sequence", "uint40"),
    )
    participant: str
    day: int
    number: int
    sequence: int


@dataclass(frozen=True, slots=True)
class IntradayFunding:
    """Money units for a day's intraday orders, or back from them."""

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("amount", "uint128"),
        ("isReturn", "bool"),
        ("sequence", "uint40"),
    )
    participant: str
    day: int
    amount: int
    is_return: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class Mandate:
    """Choice of an intermediary for `share` (1/10,000) of a connection; of none: the zero address and share 0."""

    TYPE: ClassVar = (
        ("client", "address"),
        ("intermediary", "address"),
        ("share", "uint16"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    client: str
    intermediary: str
    share: int
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Commission:
    """What an intermediary asks for per Wh from a day on, money units."""

    TYPE: ClassVar = (
        ("intermediary", "address"),
        ("perWh", "uint32"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    intermediary: str
    per_wh: UnitsPerWh
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Nomination:
    """A participant stands for election as a representative in the council."""

    TYPE: ClassVar = (("nominee", "address"), ("election", "uint32"))
    nominee: str
    election: int


@dataclass(frozen=True, slots=True)
class Ballot:
    """A participant's vote for a nominee."""

    TYPE: ClassVar = (("voter", "address"), ("election", "uint32"), ("nominee", "address"))
    voter: str
    election: int
    nominee: str


Message = (
    Application
    | OrderSheet
    | ReadingSheet
    | Withdrawal
    | WholesaleReport
    | Proposal
    | Acceptance
    | Revocation
    | Ending
    | IntradayOrder
    | IntradayCancellation
    | IntradayFunding
    | Mandate
    | Commission
    | Nomination
    | Ballot
)
SignedMessage = tuple[tuple[Any, ...], bytes]
"""A message as the contracts take it, in the order of its Solidity struct, and its signature."""
SignedSheet = tuple[tuple[Any, ...], bytes, bytes]
"""The same of a sheet of orders or readings, its signature compact."""


@dataclass(frozen=True, slots=True)
class Register:
    """Cumulative energy a meter has counted, Wh."""

    imported: Wh
    exported: Wh


def typed_data(domain: Domain, message: Message) -> dict[str, Any]:
    """The EIP-712 typed data of a message, as wallets take it.

    Raises:
        InputError: a field does not fit its type.
    """
    name = type(message).__name__
    values = [getattr(message, field.name) for field in fields(message)]
    body = {}
    for (field_name, solidity_type), value in zip(message.TYPE, values, strict=True):
        _require_type(f"{name}.{field_name}", solidity_type, value)
        if solidity_type == "bytes32[]":
            value = [word.to_bytes(32, "big") for word in value]
        body[field_name] = value
    return {
        "types": {"EIP712Domain": _members(_DOMAIN_TYPE), name: _members(message.TYPE)},
        "primaryType": name,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": body,
    }


def digest(domain: Domain, message: Message) -> bytes:
    """The 32 bytes that are signed: keccak256(0x1901 || domain separator || struct hash).

    Raises:
        InputError: a field does not fit its type.
    """
    signable = _signable(domain, message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def message_hash(message: Message) -> bytes:
    """The EIP-712 struct hash of a message, by which other messages refer to it, whatever chain and contract it is for.

    Raises:
        InputError: a field does not fit its type.
    """
    return bytes(_signable(_NO_DOMAIN, message).body)


def sign(domain: Domain, message: Message, key: bytes) -> bytes:
    """The 65-byte signature r || s || v of a message with a private key.

    Raises:
        InputError: a field does not fit its type.
    """
    return bytes(Account.sign_message(_signable(domain, message), key).signature)


def compact(signature: bytes) -> tuple[bytes, bytes]:
    """A 65-byte signature as the words r and vs (EIP-2098) that sheets of orders and readings carry."""
    vs = (signature[64] - 27) << 255 | int.from_bytes(signature[32:64], "big")
    return signature[:32], vs.to_bytes(32, "big")


def recover(domain: Domain, message: Message, signature: bytes) -> str:
    """Checksum address of the key that signed, under the rules of the chain's library.

    Raises:
        InputError: a field does not fit its type.
        SignatureError: not 65 bytes, v not 27 or 28, s in the upper half, or not on the curve.
    """
    if len(signature) != 65:
        raise SignatureError(f"has {len(signature)} bytes instead of 65")
    if signature[64] not in (27, 28):
        raise SignatureError(f"has v = {signature[64]} instead of 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _SECP256K1_HALF_ORDER:
        raise SignatureError("has its s in the upper half of the curve's order")
    try:
        return str(Account.recover_message(_signable(domain, message), signature=signature))
    except BadSignature as error:
        raise SignatureError(f"recovers no key: {error}") from error


def pack_registers(registers: Sequence[Register]) -> bytes:
    """Registers as a ReadingSheet carries them: the opening one, then one per period end.

    Raises:
        InputError: a register beyond 64 bits.
    """
    data = bytearray()
    for n, register in enumerate(registers):
        for energy in (register.imported, register.exported):
            require_range(f"register {n}", energy, 0, (1 << 64) - 1)
            data += energy.to_bytes(8, "big")
    return bytes(data)


def net_consumption(registers: bytes) -> NDArray[np.int64]:
    """Import - export of each period between two registers of a ReadingSheet, Wh; one fewer than registers.

    Raises:
        InputError: not the length of an opening register and whole strips.
        RegisterDecreasedError: a register below the one before it.
    """
    strip_bytes = LANES * REGISTER_BYTES
    if len(registers) <= REGISTER_BYTES or len(registers) % strip_bytes != REGISTER_BYTES:
        why = f"bytes is not {REGISTER_BYTES} and a multiple of {strip_bytes}"
        raise InputError("registers", len(registers), why)
    table = np.frombuffer(registers, ">u8").reshape(-1, 2).astype(np.uint64)
    for n, column in np.argwhere(table[1:] < table[:-1])[:1].tolist():
        raise RegisterDecreasedError(n + 1, int(table[n, column]), int(table[n + 1, column]))
    energy = np.diff(table, axis=0).astype(np.int64)
    return energy[:, 0] - energy[:, 1]


def _signable(domain: Domain, message: Message) -> SignableMessage:
    return encode_typed_data(full_message=typed_data(domain, message))


def _members(fields_of_type: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": solidity_type} for name, solidity_type in fields_of_type]


def _require_type(where: str, solidity_type: str, value: Any) -> None:
    """Refuse what the type cannot hold; the encoder would pad or truncate some of it."""
    if solidity_type.startswith("uint"):
        require_range(where, value, 0, (1 << int(solidity_type.removeprefix("uint"))) - 1)
    elif solidity_type == "address" and not is_address(value):
        raise InputError(where, value, "must be an address")
    elif solidity_type == "bool" and not isinstance(value, bool):
        raise InputError(where, value, "must be True or False")
    elif solidity_type == "bytes32" and len(value) != 32:
        raise InputError(where, value, "must have 32 bytes")
    elif solidity_type == "bytes32[]":
        for n, word in enumerate(value):
            require_range(f"{where}[{n}]", word, 0, (1 << 256) - 1)
