"""Compiled contracts on pyrevm: transactions, calls, custom errors and events by name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import Any

import pyrevm
from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dem.chain.artifacts import current

GAS_LIMIT = 16_777_216
"""Gas of one transaction at most (EIP-7825)."""
EVM_VERSION = "PARIS"
NOBODY = "0x" + "00" * 20

_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")
_PANIC = bytes.fromhex("4e487b71")
_MESSAGE = bytes.fromhex("08c379a0")


@dataclass(frozen=True, slots=True)
class Event:
    """One event with its arguments by name, as the replay takes it."""

    contract: str
    name: str
    args: Mapping[str, Any]
    transaction: str


class Refused(Exception):
    """A contract reverted with this custom error."""

    def __init__(self, error: str, arguments: Sequence[Any]) -> None:
        super().__init__(f"{error}{tuple(arguments)}")
        self.error = error
        self.arguments = tuple(arguments)


class Broken(AssertionError):
    """A transaction ended as no caller may make it end: out of gas, a panic, a revert without a reason."""


def abi_type(entry: Mapping[str, Any]) -> str:
    """The type of an ABI entry, tuples spelled out."""
    kind = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(abi_type, entry['components']))}){kind.removeprefix('tuple')}"


def _plain(entry: Mapping[str, Any], value: Any) -> Any:
    """Addresses with their checksum, structs by name."""
    if entry["type"] == "address":
        return _checksum(value)
    if entry["type"] == "tuple":
        return {c["name"]: _plain(c, v) for c, v in zip(entry["components"], value, strict=True)}
    if entry["type"] == "tuple[]":
        return [_plain({**entry, "type": "tuple"}, one) for one in value]
    return value


@cache
def _checksum(address: str) -> str:
    return to_checksum_address(address)


@dataclass(frozen=True)
class Signature:
    """A function, error or event of an ABI, ready to encode and decode."""

    entry: Mapping[str, Any]

    @cached_property
    def name(self) -> str:
        return self.entry["name"]

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(abi_type(i) for i in self.entry["inputs"])

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(abi_type(o) for o in self.entry.get("outputs", ()))

    @cached_property
    def hash(self) -> bytes:
        return keccak(text=f"{self.name}({','.join(self.inputs)})")

    @property
    def selector(self) -> bytes:
        return self.hash[:4]

    @cached_property
    def indexed(self) -> list[tuple[Mapping[str, Any], tuple[str]]]:
        """Of an event's arguments those in topics of their own, each with its type."""
        return [(i, (abi_type(i),)) for i in self.entry["inputs"] if i.get("indexed")]

    @cached_property
    def plain(self) -> list[Mapping[str, Any]]:
        """Of an event's arguments those in its data."""
        return [i for i in self.entry["inputs"] if not i.get("indexed")]

    @cached_property
    def data_types(self) -> tuple[str, ...]:
        return tuple(abi_type(i) for i in self.plain)


@dataclass(frozen=True)
class Artifact:
    """A compiled contract."""

    name: str
    code: bytes
    constructor: list[str]
    functions: Mapping[str, Signature]
    events: Mapping[bytes, Signature]
    errors: Mapping[bytes, Signature]

    @property
    def writers(self) -> set[str]:
        """Names of the functions that may change something."""
        return {f.name for f in self.functions.values() if f.entry["stateMutability"] in ("nonpayable", "payable")}


@cache
def artifacts() -> dict[str, Artifact]:
    """All contracts of the project."""
    found = {}
    for name, compiled in current().items():
        by_kind: dict[str, list[Signature]] = {"function": [], "event": [], "error": []}
        constructor: list[str] = []
        for entry in compiled.abi:
            if entry["type"] == "constructor":
                constructor = [abi_type(i) for i in entry["inputs"]]
            elif entry["type"] in by_kind:
                by_kind[entry["type"]].append(Signature(entry))
        found[name] = Artifact(
            name=name,
            code=bytes.fromhex(compiled.bytecode.removeprefix("0x")),
            constructor=constructor,
            functions={f.name: f for f in by_kind["function"]},
            events={e.hash: e for e in by_kind["event"]},
            errors={e.selector: e for e in by_kind["error"]},
        )
    return found


@cache
def _errors() -> dict[bytes, Signature]:
    return {selector: error for artifact in artifacts().values() for selector, error in artifact.errors.items()}


@lru_cache(maxsize=20_000)
def _decoded(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    """Random runs ask for the same state after each action, and most of it is as before."""
    return decode(types, data)


@lru_cache(maxsize=20_000)
def _encoded(types: tuple[str, ...], values: tuple[Any, ...]) -> bytes:
    return encode(types, values)


def refusal(data: bytes) -> Refused:
    """The custom error in revert data.

    Raises:
        Broken: no reason, a panic, a text, or an error no contract declares.
    """
    error = _errors().get(data[:4])
    if error is None:
        if data[:4] == _PANIC:
            raise Broken(f"panic 0x{data[-1]:02x}")
        if data[:4] == _MESSAGE:
            raise Broken(decode(["string"], data[4:])[0])
        raise Broken(f"reverted with 0x{data.hex()}")
    return Refused(error.name, decode(error.inputs, data[4:]))


def reason_of(event: Event) -> str:
    """Name of the error for which a message of a batch was refused."""
    return refusal(event.args["reason"]).error


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract."""

    artifact: Artifact
    address: str

    def encode(self, function: str, *arguments: Any) -> bytes:
        """Call data."""
        signature = self.artifact.functions[function]
        return signature.selector + encode(signature.inputs, arguments)


class Chain:
    """One EVM with its clock; every transaction is a block of its own.

    What gas it says a transaction used is not what a node would charge: to pyrevm all calls are one transaction, so
    accounts and storage stay warm, and the value before a second write is not the one before the first. A transaction
    may be a third too cheap. So nothing here counts gas. Where a test asserts gas, it does so under forge with isolated
    transactions (tests/forge), or on a node.
    """

    def __init__(self, chain_id: int, now: int) -> None:
        environment = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id))
        self.evm = pyrevm.EVM(env=environment, gas_limit=GAS_LIMIT, spec_id=EVM_VERSION)
        self.id = chain_id
        self._names: dict[str, Contract] = {}
        self._block = 0
        self.now = now
        self.gas = GAS_LIMIT
        """What a transaction is given."""

    @property
    def now(self) -> int:
        """Unix time of the next transaction."""
        return self._now

    @now.setter
    def now(self, time: int) -> None:
        self._now = time
        self._block += 1
        self.evm.set_block_env(pyrevm.BlockEnv(number=self._block, timestamp=time, gas_limit=2 * GAS_LIMIT))

    def deploy(self, sender: str, name: str, *arguments: Any) -> tuple[Contract, list[Event]]:
        """Deploy a contract of the project; returns it and its constructor's events."""
        artifact = artifacts()[name]
        address = self.evm.deploy(sender, artifact.code + encode(artifact.constructor, arguments), gas=GAS_LIMIT)
        contract = self.at(name, address)
        # What it deploys in its turn nobody calls by itself.
        logs = [log for log in self.evm.result.logs if log.address.lower() in self._names]
        return contract, self._finish(logs)

    def at(self, name: str, address: str) -> Contract:
        """A contract that is there already."""
        contract = Contract(artifacts()[name], to_checksum_address(address))
        self._names[contract.address.lower()] = contract
        return contract

    def rename(self, contract: Contract, name: str) -> Contract:
        """A deployed contract whose events carry another name than its code's."""
        renamed = Contract(replace(contract.artifact, name=name), contract.address)
        self._names[renamed.address.lower()] = renamed
        return renamed

    def send(self, sender: str, contract: Contract, function: str, *arguments: Any) -> list[Event]:
        """A transaction's events.

        Raises:
            Refused: the contract reverts with a custom error; nothing changed.
            Broken: it ends in any other way but well.
        """
        self._execute(sender, contract.address, contract.encode(function, *arguments))
        return self._finish()

    def pass_on(self, sender: str, through: str, contract: Contract, function: str, *arguments: Any) -> list[Event]:
        """As `send`, by a contract that passes on what it is told to call (thief.py)."""
        target = bytes.fromhex(contract.address.removeprefix("0x")).rjust(32, bytes(1))
        self._execute(sender, through, target + contract.encode(function, *arguments))
        return self._finish()

    def execute(self, sender: str, contract: Contract, function: str, *arguments: Any) -> Any:
        """What a transaction answers, as another contract would see it."""
        data = self._execute(sender, contract.address, contract.encode(function, *arguments))
        self._finish()
        values = decode(contract.artifact.functions[function].outputs, data)
        return values[0] if len(values) == 1 else values

    def call(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """What a view function answers: its value, or a tuple of them."""
        signature = contract.artifact.functions[function]
        question = signature.selector + _encoded(signature.inputs, arguments)
        values = _decoded(signature.outputs, self._execute(NOBODY, contract.address, question, is_static=True))
        return values[0] if len(values) == 1 else values

    def _execute(self, sender: str, to: str, data: bytes, is_static: bool = False) -> bytes:
        try:
            return self.evm.message_call(sender, to, calldata=data, gas=self.gas, is_static=is_static)
        except RuntimeError as error:
            found = _REVERT.search(str(error))
            if found is None:
                raise Broken(str(error)) from error
            raise refusal(bytes.fromhex(found[1])) from None

    def _finish(self, logs: Iterable[Any] | None = None) -> list[Event]:
        """Events of the transaction that went well; if not of all its logs, of these."""
        self._block += 1
        of = self.evm.result.logs if logs is None else logs
        return [event for log in of if (event := self._event(log)) is not None]

    def _event(self, log: Any) -> Event | None:
        contract = self._names[log.address.lower()]
        topics, data = log.data
        signature = contract.artifact.events.get(topics[0])
        if signature is None:
            return None
        args = {
            i["name"]: _plain(i, _decoded(types, topic)[0])
            for (i, types), topic in zip(signature.indexed, topics[1:], strict=True)
        }
        values = decode(signature.data_types, data)
        args.update({i["name"]: _plain(i, value) for i, value in zip(signature.plain, values, strict=True)})
        return Event(contract.artifact.name, signature.name, args, str(self._block))
