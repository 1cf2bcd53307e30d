"""Calls, answers and events between Python's values and the EVM's bytes; the coders of an ABI entry are made once."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from eth_abi.decoding import ContextFramesBytesIO, TupleDecoder
from eth_abi.encoding import TupleEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import registry
from eth_utils.abi import event_abi_to_log_topic, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address

from dem.chain.events import Event

checksum = lru_cache(maxsize=1 << 16)(to_checksum_address)
"""Addresses come again and again, and each costs a hash."""


class FunctionCodec:
    """One function: its calls to bytes, its answers from bytes."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._selector = bytes(function_abi_to_4byte_selector(entry))  # type: ignore[arg-type]
        self._encode = TupleEncoder(encoders=[registry.get_encoder(canonical(i)) for i in entry["inputs"]])  # type: ignore[no-untyped-call]
        self._decode = _decoder(entry["outputs"])

    def encode(self, arguments: Sequence[Any]) -> bytes:
        """The data of a call.

        Raises:
            eth_abi.exceptions.EncodingError: an argument does not fit its type.
        """
        return self._selector + bytes(self._encode(arguments))

    def decode(self, data: bytes) -> Any:
        """What the function returned; a tuple if it returns several values."""
        values = _decoded(self._decode, data)
        return values[0] if len(values) == 1 else values


class EventCodec:
    """One event of one contract, from the logs of a node."""

    def __init__(self, contract: str, entry: Mapping[str, Any]) -> None:
        self.contract, self.name = contract, str(entry["name"])
        self.topic = bytes(event_abi_to_log_topic(entry))  # type: ignore[arg-type]
        self.inputs: Sequence[Mapping[str, Any]] = entry["inputs"]
        self.indexed = [i for i in self.inputs if i.get("indexed")]
        self._plain = [i for i in self.inputs if not i.get("indexed")]
        self._decode_topics = [_decoder([i]) for i in self.indexed]
        self._decode_data = _decoder(self._plain)

    def decode(self, log: Mapping[str, Any]) -> Event:
        """The event of a log as JSON-RPC gives it."""
        args = {}
        for entry, decode, topic in zip(self.indexed, self._decode_topics, log["topics"][1:], strict=True):
            args[entry["name"]] = plain(entry, _decoded(decode, as_bytes(topic))[0])
        for entry, value in zip(self._plain, _decoded(self._decode_data, as_bytes(log["data"])), strict=True):
            args[entry["name"]] = plain(entry, value)
        transaction = f"0x{as_bytes(log['transactionHash']).hex()}"
        return Event(self.contract, self.name, args, as_int(log["blockNumber"]), transaction, as_int(log["logIndex"]))


def decoded_call(abi: Sequence[Mapping[str, Any]], data: bytes) -> tuple[str, list[Any]] | None:
    """Which function of a contract is called, and with what; None if the data are no call of any."""
    for entry in abi:
        if entry["type"] == "function" and bytes(function_abi_to_4byte_selector(entry)) == data[:4]:  # type: ignore[arg-type]
            try:
                values = _decoded(_decoder(entry["inputs"]), data[4:])
            except DecodingError:
                return None
            return str(entry["name"]), [plain(i, value) for i, value in zip(entry["inputs"], values, strict=True)]
    return None


def canonical(entry: Mapping[str, Any]) -> str:
    """The ABI type of an input, tuples spelled out."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(map(canonical, entry["components"]))
    return f"({members}){kind.removeprefix('tuple')}"


def plain(entry: Mapping[str, Any], value: Any) -> Any:
    """A decoded value: addresses with their checksum, structs by name."""
    if entry["type"] == "address":
        return checksum(value)
    if entry["type"] == "tuple":
        return {c["name"]: plain(c, v) for c, v in zip(entry["components"], value, strict=True)}
    if entry["type"] == "tuple[]":
        return [plain({**entry, "type": "tuple"}, one) for one in value]
    return value


def as_int(quantity: int | str) -> int:
    """A quantity of JSON-RPC; the embedded chain leaves numbers as they are."""
    return int(quantity, 16) if isinstance(quantity, str) else quantity


def as_bytes(data: bytes | str) -> bytes:
    """Data of JSON-RPC; the embedded chain leaves bytes as they are."""
    return bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else bytes(data)


def _decoder(entries: Sequence[Mapping[str, Any]]) -> TupleDecoder:
    return TupleDecoder(decoders=[registry.get_decoder(canonical(entry)) for entry in entries])  # type: ignore[no-untyped-call]


def _decoded(decode: Callable[[Any], Any], data: bytes) -> Sequence[Any]:
    values: Sequence[Any] = decode(ContextFramesBytesIO(data))  # type: ignore[no-untyped-call]
    return values
