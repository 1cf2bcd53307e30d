"""The one connection to a chain: transactions, calls, events, errors in words, and the clock."""

import ast
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ape
from ape.api import AccountAPI, ProviderAPI, TestAccountAPI
from eth_abi.abi import decode
from eth_utils.abi import event_abi_to_log_topic, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.types import RPCEndpoint, TxReceipt

from dem.errors import ChainError, RefusedError
from dem.history import Event, in_order

ROOT = Path(__file__).resolve().parent.parent
"""Where ape-config.yaml and contracts/ are."""

GAS_LIMIT = 16_700_000
"""Gas every transaction may use: just under the cap of EIP-7825. What is not used is not paid."""

_BYTES_LITERAL = re.compile(r"""b(['"]).*\1$""", re.DOTALL)
"""How eth-tester shows the data of a revert."""
_POLL_SECONDS = 0.05
_RECEIPT_TIMEOUT_SECONDS = 120.0
_QUESTIONS = 500
"""Calls in one request."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract."""

    name: str
    abi: list[Any]
    bytecode: str


class Artifacts:
    """The project's compiled contracts, and the errors and events they declare."""

    def __init__(self) -> None:
        project = ape.Project(ROOT)
        self._types = project.contracts

        self._read: dict[str, Artifact] = {}

    def __getitem__(self, name: str) -> Artifact:
        if name not in self._read:
            self._read[name] = self._artifact(name)
        return self._read[name]

    def _artifact(self, name: str) -> Artifact:
        contract = self._types.get(name)
        if contract is None:
            raise ChainError(f"the project has no contract {name}")
        abi = [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in contract.abi]
        code = contract.deployment_bytecode
        return Artifact(name, abi, str(code.bytecode) if code and code.bytecode else "")

    @cached_property
    def errors(self) -> dict[bytes, Any]:
        """ABI of every custom error by its selector."""
        found = {}
        for name in self._types:
            for entry in self[name].abi:
                if entry["type"] == "error":
                    found[bytes(function_abi_to_4byte_selector(entry))] = entry
        return found

    def error_name(self, data: bytes) -> str:
        """Name of an ABI-encoded error, empty if the project knows none such."""
        entry = self.errors.get(data[:4])
        return str(entry["name"]) if entry else ""

    def describe(self, data: bytes) -> str:
        """An ABI-encoded error in words: name and arguments."""
        if not data:
            return "no reason given"
        entry = self.errors.get(data[:4])
        if entry is None:
            if data[:4] == bytes.fromhex("08c379a0"):
                return str(decode(["string"], data[4:])[0])
            return f"error 0x{data.hex()}"
        inputs = entry.get("inputs", [])
        values = decode([_canonical(i) for i in inputs], data[4:])
        arguments = ", ".join(f"{i['name']}={_readable(v)}" for i, v in zip(inputs, values, strict=True))
        return f"{entry['name']}({arguments})"


class Chain:
    """A connected chain. Every transaction is signed here and sent raw, so any account ape knows will do."""

    def __init__(self, provider: ProviderAPI) -> None:
        self._provider = provider
        self.web3: Web3 = provider.web3
        self.artifacts = Artifacts()
        self.gas_used = 0
        self.transactions = 0
        self.most_gas = 0

    @staticmethod
    def connected() -> "Chain":
        """The chain of the network ape is connected to (`ape run ... --network`).

        Raises:
            ChainError: ape is not connected.
        """
        provider = ape.networks.active_provider
        if provider is None:
            raise ChainError("not connected to a network: use `ape run ... --network ecosystem:network:provider`")
        return Chain(provider)

    @property
    def network(self) -> str:
        """Name of the network and its provider."""
        return f"{self._provider.network.choice}"

    @property
    def is_embedded(self) -> bool:
        """Whether the chain lives in this process and ends with it."""
        return bool(self._provider.name == "test")

    @property
    def is_development(self) -> bool:
        """Whether the clock can be set."""
        return bool(self._provider.network.is_dev)

    @cached_property
    def id(self) -> int:
        """EIP-155 chain id."""
        return int(self.web3.eth.chain_id)

    @cached_property
    def genesis(self) -> str:
        """Hash of block 0: tells chains with the same id apart."""
        return HexBytes(self.web3.eth.get_block(0)["hash"]).to_0x_hex()

    @property
    def block(self) -> int:
        """Number of the newest block."""
        return int(self.web3.eth.block_number)

    def accounts(self, alias: str | None) -> "Iterator[AccountAPI]":
        """Accounts to act with: ape's test accounts on a development network, else the one of that alias repeated.

        Raises:
            ChainError: no alias given on a live network, or ape does not know it.
        """
        if alias is None and self.is_development:
            yield from ape.accounts.test_accounts
            return
        if alias is None:
            raise ChainError("name the account to act with: --account ALIAS (see `ape accounts list`)")
        try:
            account = ape.accounts.load(alias)
        except KeyError:
            raise ChainError(f"ape knows no account {alias!r}: see `ape accounts list`") from None
        if not isinstance(account, TestAccountAPI):
            account.set_autosign(True)
        while True:
            yield account

    # ------------------------------------------------------------------------------------------------- time

    def now(self) -> int:
        """Unix time of the newest block."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def wait_until(self, when: int, waiting: Callable[[int], None] = lambda _: None) -> None:
        """Let the chain's clock reach a time: set it where that is possible, else wait for it.

        waiting: called with the chain's time while waiting.
        """
        if self.now() < when and self._set_clock(when):
            return
        while (now := self.now()) < when:
            waiting(now)
            time.sleep(min(1.0, max(_POLL_SECONDS, (when - now) / 10)))

    def _set_clock(self, when: int) -> bool:
        """Mine a block at that time, on chains that allow it."""
        if self.is_embedded:
            self._provider.set_timestamp(when)
            self._provider.mine()
            return True
        if not self.is_development:
            return False
        answer = self.web3.provider.make_request(RPCEndpoint("evm_setNextBlockTimestamp"), [when])
        if "error" in answer:
            return False
        self.web3.provider.make_request(RPCEndpoint("evm_mine"), [])
        return True

    # ----------------------------------------------------------------------------------------- transactions

    def contract(self, name: str, address: str) -> Contract:
        """A contract at an address, with the project's ABI."""
        return self.web3.eth.contract(address=to_checksum_address(address), abi=self.artifacts[name].abi)

    def deploy(self, sender: AccountAPI, name: str, arguments: Sequence[Any]) -> str:
        """Deploy a contract and return its address.

        Raises:
            RefusedError: its constructor reverts.
        """
        artifact = self.artifacts[name]
        factory = self.web3.eth.contract(abi=artifact.abi, bytecode=HexBytes(artifact.bytecode))
        receipt = self._send(sender, {"data": factory.constructor(*arguments).data_in_transaction}, f"deploy {name}")
        return str(receipt["contractAddress"])

    def send(self, sender: AccountAPI, contract: Contract, function: str, *arguments: Any) -> TxReceipt:
        """Call a function in a transaction and wait until it is in a block.

        Raises:
            RefusedError: the contract reverts; the message names the error and its arguments.
        """
        data = contract.encode_abi(function, args=arguments)
        return self._send(sender, {"to": contract.address, "data": data}, function)

    def send_many(self, sender: AccountAPI, contract: Contract, calls: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Several calls of one contract in one transaction, all or nothing (its `multicall`).

        Raises:
            RefusedError: one of them reverts.
        """
        batch = [HexBytes(contract.encode_abi(function, args=arguments)) for function, arguments in calls]
        if batch:
            self.send(sender, contract, "multicall", batch)

    def ask_many(self, contract: Contract, function: str, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers of a function that changes nothing to many arguments, in few requests (by `multicall`)."""
        types = [_canonical(entry) for entry in contract.get_function_by_name(function).abi["outputs"]]
        answers: list[Any] = []
        for start in range(0, len(arguments), _QUESTIONS):
            calls = [contract.encode_abi(function, args=some) for some in arguments[start : start + _QUESTIONS]]
            for answer in contract.functions.multicall(calls).call():
                values = decode(types, answer)
                answers.append(values[0] if len(values) == 1 else values)
        return answers

    def _send(self, sender: AccountAPI, fields: dict[str, Any], what: str) -> TxReceipt:
        base_fee = self.web3.eth.get_block("latest").get("baseFeePerGas", 0)
        transaction = self._provider.network.ecosystem.create_transaction(
            **fields,
            chainId=self.id,
            nonce=self.web3.eth.get_transaction_count(sender.address),
            gas=GAS_LIMIT,
            maxFeePerGas=2 * base_fee,
            maxPriorityFeePerGas=0,
            type=2,
            value=0,
        )
        signed = sender.sign_transaction(transaction)
        if signed is None:
            raise ChainError(f"{what}: account {sender.address} did not sign")
        try:
            hash_ = self.web3.eth.send_raw_transaction(signed.serialize_transaction())
            receipt = self.web3.eth.wait_for_transaction_receipt(
                hash_, timeout=_RECEIPT_TIMEOUT_SECONDS, poll_latency=_POLL_SECONDS
            )
        except Exception as error:
            # Some nodes refuse at once what would revert; others put it into a block. Ask for the reason either way.
            self._raise_reason(sender, fields, what, "latest")
            raise ChainError(f"{what}: {error}") from error
        if receipt["status"] != 1:
            # Before the block as the transaction found it; in it, where it was the time that had moved on.
            self._raise_reason(sender, fields, what, receipt["blockNumber"] - 1)
            self._raise_reason(sender, fields, what, receipt["blockNumber"])
            raise RefusedError(what, f"ran out of gas: used {receipt['gasUsed']} of {GAS_LIMIT}")
        self.gas_used += receipt["gasUsed"]
        self.most_gas = max(self.most_gas, receipt["gasUsed"])
        self.transactions += 1
        return receipt

    def _raise_reason(self, sender: AccountAPI, fields: dict[str, Any], what: str, block: Any) -> None:
        """Repeat a failed transaction as a call to learn why it fails; return if it does not."""
        call = {"from": sender.address, "gas": GAS_LIMIT, **fields}
        try:
            self.web3.eth.call(call, block)  # type: ignore[arg-type]
        except Exception as error:
            data = _revert_data(error)
            if data is None:
                raise ChainError(f"{what}: {error}") from error
            raise RefusedError(what, self.artifacts.describe(data)) from None

    def wait_for_pending(self, senders: Iterable[AccountAPI]) -> None:
        """Wait until whatever these accounts sent before, perhaps by a driver that was killed, is in a block."""
        count = self.web3.eth.get_transaction_count
        for address in {to_checksum_address(sender.address) for sender in senders}:
            while count(address, "pending") > count(address, "latest"):
                time.sleep(_POLL_SECONDS)

    # ----------------------------------------------------------------------------------------------- events

    def day_topics(self, contract: str, event: str, day: int) -> list[bytes | None]:
        """Topics of one event about one day."""
        entry = next(e for e in self.artifacts[contract].abi if e["type"] == "event" and e["name"] == event)
        indexed = [i["name"] for i in entry["inputs"] if i.get("indexed")]
        return [
            bytes(event_abi_to_log_topic(entry)),
            *(day.to_bytes(32, "big") if name == "day" else None for name in indexed),
        ]

    def events(self, contracts: Mapping[str, str], since: int = 0, topics: Sequence[bytes | None] = ()) -> list[Event]:
        """Events of these contracts (name -> address) from a block on, in the chain's order.

        topics: as eth_getLogs takes them; None for any.
        """
        decoders = {}
        names = {to_checksum_address(address): name for name, address in contracts.items()}
        for name in contracts:
            for entry in self.artifacts[name].abi:
                if entry["type"] == "event":
                    decoders[name, bytes(event_abi_to_log_topic(entry))] = entry
        logs = self.web3.eth.get_logs(
            {
                "address": list(names),
                "fromBlock": since,
                "toBlock": "latest",
                "topics": [None if topic is None else HexBytes(topic).to_0x_hex() for topic in topics],
            }
        )
        events = []
        for log in logs:
            name = names[to_checksum_address(log["address"])]
            decoder = decoders.get((name, bytes(log["topics"][0])))
            if decoder is not None:
                events.append(_event(name, decoder, log))
        return in_order(events)


def _event(contract: str, entry: Any, log: Any) -> Event:
    indexed = [i for i in entry["inputs"] if i.get("indexed")]
    plain = [i for i in entry["inputs"] if not i.get("indexed")]
    args = {
        i["name"]: _plain(i, decode([_canonical(i)], bytes(topic))[0])
        for i, topic in zip(indexed, log["topics"][1:], strict=True)
    }
    values = decode([_canonical(i) for i in plain], bytes(log["data"]))
    args.update({i["name"]: _plain(i, value) for i, value in zip(plain, values, strict=True)})
    return Event(
        contract=contract,
        name=entry["name"],
        args=args,
        block=log["blockNumber"],
        transaction=HexBytes(log["transactionHash"]).to_0x_hex(),
        log_index=log["logIndex"],
    )


def _canonical(entry: dict[str, Any]) -> str:
    """The ABI type of an input, tuples spelled out."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(_canonical(component) for component in entry["components"])
    return f"({members}){kind.removeprefix('tuple')}"


def _plain(entry: dict[str, Any], value: Any) -> Any:
    """Addresses with their checksum, structs by name."""
    if entry["type"] == "address":
        return to_checksum_address(value)
    if entry["type"] == "tuple":
        return {c["name"]: _plain(c, v) for c, v in zip(entry["components"], value, strict=True)}
    return value


def _readable(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _revert_data(error: BaseException) -> bytes | None:
    """The data a contract reverted with, wherever the node or its library put it; None if it is another error."""
    for source in (getattr(error, "data", None), *error.args):
        if isinstance(source, bytes):
            return source
        if isinstance(source, dict):
            source = source.get("data")
        if isinstance(source, str) and source.startswith("0x"):
            return bytes(HexBytes(source))
        if isinstance(source, str) and (literal := _BYTES_LITERAL.search(source)):
            return bytes(ast.literal_eval(literal[0]))
    cause = error.__cause__ or error.__context__
    return _revert_data(cause) if cause is not None else None
