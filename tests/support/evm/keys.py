"""Keys of members and meters, and EIP-712 signatures fast enough for thousands of messages."""

from dataclasses import dataclass, fields
from functools import cache, cached_property

from coincurve import PrivateKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dem.messages.signing import DOMAIN_NAME, DOMAIN_VERSION, Domain, Message


@dataclass(frozen=True)
class Key:
    """A private key by number."""

    number: int

    @cached_property
    def _private(self) -> PrivateKey:
        return PrivateKey(self.number.to_bytes(32, "big"))

    @cached_property
    def address(self) -> str:
        """Checksum address."""
        return to_checksum_address(keccak(self._private.public_key.format(compressed=False)[1:])[12:])

    def sign(self, domain: Domain, message: Message) -> bytes:
        """The 65-byte signature r || s || v of a message."""
        signature = self._private.sign_recoverable(digest(domain, message), hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


@cache
def key(number: int) -> Key:
    """The key of this number, above zero."""
    return Key(number)


def digest(domain: Domain, message: Message) -> bytes:
    """The 32 bytes that are signed; the same as those of `dem.messages.signing`, without its checks."""
    words = [_type_hash(type(message))]
    for field, (_, solidity_type) in zip(fields(message), message.TYPE, strict=True):
        words.append(_word(solidity_type, getattr(message, field.name)))
    return keccak(b"\x19\x01" + _separator(domain) + keccak(b"".join(words)))


def struct(message: Message) -> tuple:
    """The message in the order of the Solidity struct."""
    values = [getattr(message, field.name) for field in fields(message)]
    return tuple(
        [word.to_bytes(32, "big") for word in value] if solidity_type == "bytes32[]" else value
        for (_, solidity_type), value in zip(message.TYPE, values, strict=True)
    )


@cache
def _type_hash(kind: type) -> bytes:
    members = ",".join(f"{solidity_type} {name}" for name, solidity_type in kind.TYPE)
    return keccak(text=f"{kind.__name__}({members})")


@cache
def _separator(domain: Domain) -> bytes:
    return keccak(
        keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(text=DOMAIN_NAME)
        + keccak(text=DOMAIN_VERSION)
        + domain.chain_id.to_bytes(32, "big")
        + _word("address", domain.contract)
    )


def _word(solidity_type: str, value: object) -> bytes:
    if solidity_type.endswith("[]"):
        return keccak(b"".join(word.to_bytes(32, "big") for word in value))
    if solidity_type == "bytes":
        return keccak(value)
    if solidity_type == "bytes32":
        return value
    if solidity_type == "address":
        return bytes.fromhex(value[2:]).rjust(32, b"\0")
    return int(value).to_bytes(32, "big", signed=solidity_type.startswith("int"))
