"""Words of a contract's storage, proven against a block's header by what a node answers to `eth_getProof`.

Nothing here asks a node: whoever has a header that it trusts checks the rest with no help.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eth_utils.crypto import keccak
from rlp import decode
from rlp.codec import encode_raw
from rlp.exceptions import RLPException
from trie import HexaryTrie
from trie.exceptions import BadTrieProof, InvalidNode, TraversedPartialPath, ValidationError

from dem.errors import InputError

_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
)
_LATER_FIELDS = (
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
"""Each came with a fork, after those before it."""
HEADER = (*_FIELDS, *_LATER_FIELDS)
"""Of what a node tells of a block, that which its hash is made of, in that order."""
_NUMBERS = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", *_LATER_FIELDS[:1], *_LATER_FIELDS[2:4]}
_STORAGE_ROOT = 2
"""Its place in an account."""


def hash_of(header: Mapping[str, str]) -> bytes:
    """The hash of a block by its header, as a node tells it in hexadecimal digits.

    Raises:
        InputError: it is none.
    """
    missing = [name for name in _FIELDS if name not in header]
    if missing:
        raise InputError("header", ", ".join(missing), "is missing")
    values = [_bytes(f"header.{name}", header[name]) for name in HEADER if name in header]
    names = [name for name in HEADER if name in header]
    shortest = (value.lstrip(b"\0") if name in _NUMBERS else value for name, value in zip(names, values, strict=True))
    return bytes(keccak(encode_raw(list(shortest))))


def number_in(header: Mapping[str, str], name: str) -> int:
    """A number of a header."""
    return int.from_bytes(_bytes(f"header.{name}", header[name]), "big")


def slot_of(key: int, mapping: int) -> int:
    """Where a mapping has the value of a key. mapping: its own slot."""
    return int.from_bytes(keccak(key.to_bytes(32, "big") + mapping.to_bytes(32, "big")), "big")


def word_of(
    state_root: str, address: str, slot: int, account_proof: Sequence[str], storage_proof: Sequence[str]
) -> int:
    """The word in a slot of a contract, as both proofs show it under the root of a state; 0 if nothing is there.

    Raises:
        InputError: they do not show it.
    """
    account = _value("account proof", _bytes("stateRoot", state_root), _bytes("address", address), account_proof)
    fields = _decoded("account proof", account)
    if not isinstance(fields, list) or len(fields) != 4:
        raise InputError("account proof", address, "shows that there is no such contract")
    root = fields[_STORAGE_ROOT]
    found = _decoded("storage proof", _value("storage proof", root, slot.to_bytes(32, "big"), storage_proof))
    if isinstance(found, list) or len(found) > 32:
        raise InputError("storage proof", hex(slot), "shows no word")
    return int.from_bytes(found, "big")


def _value(where: str, root: bytes, key: bytes, proof: Sequence[str]) -> bytes:
    """What a Merkle-Patricia tree has under the hash of a key."""
    nodes = [_decoded(where, _bytes(where, node)) for node in proof]
    try:
        found: bytes = HexaryTrie.get_from_proof(root, keccak(key), nodes)
    except (BadTrieProof, InvalidNode, TraversedPartialPath, ValidationError, RLPException, ValueError, TypeError,
            IndexError, AttributeError) as error:  # fmt: skip
        raise InputError(where, f"0x{key.hex()}", f"does not lead to it: {error or type(error).__name__}") from error
    return found


def _decoded(where: str, encoded: bytes) -> Any:
    if not encoded:
        return b""
    try:
        return decode(encoded)
    except RLPException as error:
        raise InputError(where, f"0x{encoded[:16].hex()}", f"is not RLP: {error}") from error


def _bytes(where: str, text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    except ValueError:
        raise InputError(where, text[:20], "must be 0x and hexadecimal digits") from None
