"""The one connection to a chain: transactions, calls, events, errors in words, and the clock."""

import ast
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import Any, cast

import ape
from ape.api import AccountAPI, ProviderAPI, TestAccountAPI
from ape.logging import LogLevel, logger
from coincurve import PrivateKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from rlp.codec import encode_raw
from web3 import IPCProvider, Web3
from web3.contract import Contract
from web3.types import RPCEndpoint, RPCResponse, TxReceipt

from dem.chain.abi import EventCodec, FunctionCodec, as_int
from dem.chain.accounts import Account
from dem.chain.artifacts import ROOT, Artifact, Artifacts, is_current, shipped
from dem.chain.blocks import BlockReader
from dem.chain.events import Event
from dem.chain.ranges import Ranges
from dem.chain.sending import Landed, Request, Sender, Transaction
from dem.chain.transport import Backoff, PatientProvider
from dem.chain.watch import Watch
from dem.errors import BlocksLostError, ChainError, RefusedError

NODES = "DEM_NODES"
"""Environment variable with the addresses of a network's nodes, separated by commas."""
_BYTES_LITERAL = re.compile(r"""b(['"]).*\1$""", re.DOTALL)
"""How eth-tester shows the data of a revert."""
_POLL_SECONDS, _LONG_POLL_SECONDS = 0.05, 0.5
_WITHOUT_BASE_FEE, _WITH_BASE_FEE = b"\x01", b"\x02"
"""Types of transactions: EIP-2930, and EIP-1559 where the chain has a base fee."""
_QUESTIONS = 500
"""Calls in one request."""
_NO_FUNDS = "insufficient funds", "cannot afford"
"""In what nodes say of a sender that cannot pay for gas: geth and anvil; py-evm."""
_BASE_FEES = 100
"""A transaction pays the base fee of its block, up to so many times the newest one: what 39 full blocks make of it."""
_FEE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Chain:
    """A connected chain. Every transaction is signed here and sent raw, so any account ape knows will do."""

    def __init__(self, provider: ProviderAPI) -> None:
        self._provider = provider
        self.web3: Web3 = provider.web3
        self._node = self.web3.provider
        if not self.is_embedded and not isinstance(self._node, IPCProvider) and provider.http_uri:
            network = provider.network
            headers = provider.network_manager.get_request_headers(network.ecosystem.name, network.name, provider.name)
            others = [url for url in nodes_of(provider) if url != provider.http_uri]
            self.web3.provider = PatientProvider([provider.http_uri, *others], headers)
        self.artifacts = compiled()
        self.gas_used = 0
        self.transactions = 0
        self.most_gas = 0
        self._contracts: dict[tuple[str, str], Contract] = {}
        self._functions: dict[tuple[str, str], FunctionCodec] = {}
        self._events: dict[str, list[EventCodec]] = {}
        self._last: Mapping[str, Any] | None = None
        self._ranges = Ranges()
        self._watch = Watch()

    @staticmethod
    def connected() -> "Chain":
        """The chain of the network ape is connected to (--network).

        Raises:
            ChainError: ape is not connected.
        """
        provider = ape.networks.active_provider
        if provider is None:
            raise ChainError("not connected to a network: use --network ecosystem:network:provider")
        return Chain(provider)

    @property
    def network(self) -> str:
        """Name of the network and its provider."""
        return f"{self._provider.network.choice}"

    @property
    def nodes(self) -> list[str]:
        """Addresses of the network's nodes, where they are told: in the environment, else in ape-config.yaml."""
        return nodes_of(self._provider)

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

    @property
    def genesis(self) -> str:
        """Hash of block 0: tells chains with the same id apart.

        Asked of block 1 where there is one: anvil makes another block 0 at every start, and goes on with the old chain.
        """
        first, second = self._block_headers(["0x0", "0x1"])
        return HexBytes(second["parentHash"] if second else first["hash"]).to_0x_hex()

    @property
    def block(self) -> int:
        """Number of the newest block."""
        return as_int(self._newest()["number"])

    def await_final(self) -> None:
        """Wait until what is in the newest block is there to stay: as many blocks later as the network's
        `required_confirmations` say; none on a development network.

        Raises:
            BlocksLostError: it has not stayed.
        """
        final = self.block + self._provider.network.required_confirmations
        while self.block < final:
            time.sleep(_LONG_POLL_SECONDS)

    def _newest(self, remember: bool = True) -> Mapping[str, Any]:
        """The newest block, after a look whether the chain still has the one that was the newest before.

        remember: the next look is for this one; not while waiting, when nothing depends on what is in it.

        Raises:
            BlocksLostError: it does not, or its time is later.
        """
        newest: Mapping[str, Any]
        last = self._last
        if last is None or self.is_embedded:
            [newest] = self._block_headers(["latest"])
        else:
            newest, same = self._block_headers(["latest", hex(as_int(last["number"]))])
            number = as_int(last["number"])
            self._last = None
            if same is None or same["hash"] != last["hash"]:
                raise BlocksLostError(f"the chain has lost block {number}")
            if as_int(newest["timestamp"]) < as_int(last["timestamp"]):
                raise BlocksLostError(f"the chain's clock has gone back since block {number}")
        self._last = newest if remember or last is None else last
        self.notice(as_int(newest["number"]), as_int(newest["timestamp"]))
        return newest

    def notice(self, number: int, timestamp: int) -> None:
        """Tell what is odd about a newest block, on a chain whose blocks come by the clock."""
        if not self.is_development and (oddity := self._watch.look(number, timestamp)):
            _log.warning(oddity)

    def _block_headers(self, numbers: Sequence[str]) -> list[Any]:
        answers = self.ask([(RPCEndpoint("eth_getBlockByNumber"), [number, False]) for number in numbers])
        return [answer.get("result") for answer in answers]

    def ask(self, requests: Sequence[Request], is_divisible: bool = False) -> list[RPCResponse]:
        """Answers to requests, all in one where the chain is not in this process.

        is_divisible: see `PatientProvider`.
        """
        provider = self.web3.provider
        if isinstance(provider, PatientProvider):
            return provider.make_batch_request(list(requests), is_divisible)
        ask = provider.request_func(self.web3, self.web3.middleware_onion)
        answers: list[RPCResponse] = []
        for method, params in requests:
            try:
                answers.append(ask(method, params))
            except Exception as error:
                answers.append({"error": {"code": 0, "message": str(error)}})
        return answers

    def ask_node(self, method: str, parameters: list[Any]) -> RPCResponse:
        """The answer of the connected node and no other: for what is about it, not about the chain."""
        answer: RPCResponse = self._node.make_request(RPCEndpoint(method), parameters)
        return answer

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
        return as_int(self._newest()["timestamp"])

    def wait_until(self, when: int, waiting: Callable[[int], None] = lambda _: None) -> None:
        """Let the chain's clock reach a time: set it where that is possible, else wait for it.

        waiting: called with the chain's time while waiting.
        """
        if self.now() < when and self._set_clock(when):
            return
        while (now := as_int(self._newest(remember=False)["timestamp"])) < when:
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

    def connect_anew(self) -> None:
        """In a process that was forked: share no connection with the one that it came from."""
        if isinstance(self.web3.provider, PatientProvider):
            self.web3.provider.forget_connections()

    # ----------------------------------------------------------------------------------------- transactions

    def contract(self, name: str, address: str) -> Contract:
        """A contract at an address, with the project's ABI; made once, as web3 makes a class for each."""
        if (name, address) not in self._contracts:
            made = self.web3.eth.contract(address=to_checksum_address(address), abi=self.artifacts[name].abi)
            self._contracts[name, address] = made
        return self._contracts[name, address]

    def deploy(self, sender: Account, name: str, arguments: Sequence[Any]) -> str:
        """Deploy a contract and return its address.

        Raises:
            RefusedError: its constructor reverts.
        """
        artifact = self.artifacts[name]
        factory = self.web3.eth.contract(abi=artifact.abi, bytecode=HexBytes(artifact.bytecode))
        code = HexBytes(factory.constructor(*arguments).data_in_transaction)
        return to_checksum_address(self._send(sender, Transaction(f"deploy {name}", "", code)).contract)

    def transaction(self, contract: Contract, function: str, *arguments: Any, **told: Any) -> Transaction:
        """A call of a function as a transaction; told: its gas, planned, items, is_checked."""
        data = self._codec(contract, function).encode(arguments)
        return Transaction(function, contract.address, data, **told)

    def multicall(self, contract: Contract, calls: Iterable[tuple[str, tuple[Any, ...]]], **told: Any) -> Transaction:
        """Several calls of one contract as one transaction, all or nothing; told: as for `transaction`."""
        batch = [self._codec(contract, function).encode(arguments) for function, arguments in calls]
        return self.transaction(contract, "multicall", batch, **told)

    def send(self, sender: Account, contract: Contract, function: str, *arguments: Any) -> TxReceipt:
        """Call a function in a transaction and wait until it is in a block.

        Raises:
            RefusedError: the contract reverts; the message names the error and its arguments.
        """
        landed = self._send(sender, self.transaction(contract, function, *arguments))
        return self.web3.eth.get_transaction_receipt(HexBytes(landed.hash))

    def send_many(self, sender: Account, contract: Contract, calls: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Several calls of one contract in one transaction.

        Raises:
            RefusedError: one of them reverts.
        """
        self._send(sender, self.multicall(contract, calls))

    def send_all(
        self, sender: Account, transactions: Iterable[Transaction]
    ) -> Iterator[tuple[Landed, RefusedError | None]]:
        """Send transactions, many under way at once; each when it is in a block, with the reason if it was refused.

        They are drawn as there is room for them. One that is refused does not keep up those behind it.

        Raises:
            BlocksLostError: the chain lost blocks it had.
            ChainError: the node takes or mines nothing.
        """
        sign = self._signer(sender)
        for landed in Sender(sender.address, self.ask, sign, self._nudge).send(transactions):
            self.gas_used += landed.gas_used
            self.most_gas = max(self.most_gas, landed.gas_used)
            self.transactions += landed.succeeded
            yield landed, None if landed.succeeded else self._reason(sender, landed)
        self._newest()

    def _nudge(self) -> None:
        """Seal a block where the node does so when it is told, or leaves lying what did not fit the one before."""
        if self._seals_when_told:
            self.ask([(RPCEndpoint("evm_mine"), [])])

    @cached_property
    def _seals_when_told(self) -> bool:
        """Whether a node of a development chain makes blocks with transactions or by command, not by the clock."""
        if not self.is_development:
            return False
        [answer] = self.ask([(RPCEndpoint("anvil_getIntervalMining"), [])])
        return "error" not in answer and not answer["result"]

    def _send(self, sender: Account, transaction: Transaction) -> Landed:
        [(landed, refusal)] = self.send_all(sender, [transaction])
        if refusal is not None:
            raise refusal
        return landed

    def _signer(self, sender: Account) -> Callable[[Transaction, int], bytes]:
        """Makes signed transactions that pay what a block costs by now; nothing where a chain has no base fee."""
        # Test accounts show their keys, and with one it takes a tenth of the time.
        shown = getattr(sender, "private_key", None)
        key = PrivateKey(bytes(HexBytes(shown))) if shown else None
        max_fee = self._max_fee()
        asked = time.monotonic()

        def sign(transaction: Transaction, nonce: int) -> bytes:
            nonlocal max_fee, asked
            if time.monotonic() > asked + _FEE_SECONDS:
                max_fee, asked = self._max_fee(), time.monotonic()
            type_, fees = (_WITHOUT_BASE_FEE, (0,)) if max_fee is None else (_WITH_BASE_FEE, (0, max_fee))
            numbers = map(_shortest, (self.id, nonce, *fees, transaction.gas))
            fields = [*numbers, bytes.fromhex(transaction.to.removeprefix("0x")), b"", transaction.data, []]
            if key is not None:
                signature = key.sign_recoverable(keccak(type_ + encode_raw(fields)), hasher=None)
                r, s, v = signature[:32], signature[32:64], signature[64]
            else:
                r, s, v = self._signature(sender, transaction, nonce, max_fee)
            return type_ + bytes(encode_raw([*fields, _shortest(v), r.lstrip(b"\0"), s.lstrip(b"\0")]))

        return sign

    def _max_fee(self) -> int | None:
        """Most that a transaction pays for a gas; None on a chain without base fee."""
        base_fee = self._newest().get("baseFeePerGas")
        return None if base_fee is None else _BASE_FEES * as_int(base_fee)

    def _signature(
        self, sender: Account, transaction: Transaction, nonce: int, max_fee: int | None
    ) -> tuple[bytes, bytes, int]:
        """By an account that keeps its key to itself."""
        fees = (
            {"type": 1, "gasPrice": 0}
            if max_fee is None
            else {"type": 2, "maxFeePerGas": max_fee, "maxPriorityFeePerGas": 0}
        )
        filled = self._provider.network.ecosystem.create_transaction(
            **({"to": transaction.to} if transaction.to else {}),
            data=transaction.data,
            chainId=self.id,
            nonce=nonce,
            gas=transaction.gas,
            value=0,
            **fees,
        )
        keeper = cast(AccountAPI, sender)  # others show their key
        with logger.at_level(LogLevel.ERROR):  # ape warns of an unlocked key at every use
            signed = keeper.sign_transaction(filled)
        if signed is None or signed.signature is None:
            raise ChainError(f"account {sender.address} did not sign")
        return bytes(signed.signature.r), bytes(signed.signature.s), signed.signature.v

    def _codec(self, contract: Contract, function: str) -> FunctionCodec:
        """The coder of a function. web3's own looks at every value twice, which takes 20 times as long."""
        key = contract.address, function
        if key not in self._functions:
            self._functions[key] = FunctionCodec(contract.get_function_by_name(function).abi)
        return self._functions[key]

    def ask_many(self, contract: Contract, function: str, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers of a function that changes nothing to many arguments, in few requests (by `multicall`)."""
        codec, multicall = self._codec(contract, function), self._codec(contract, "multicall")
        answers: list[Any] = []
        for start in range(0, len(arguments), _QUESTIONS):
            calls = [codec.encode(some) for some in arguments[start : start + _QUESTIONS]]
            data = HexBytes(multicall.encode([calls]))
            answers += map(codec.decode, multicall.decode(self.web3.eth.call({"to": contract.address, "data": data})))
        return answers

    def refusal_of(self, sender: Account, contract: Contract, function: str, *arguments: Any) -> str:
        """Why the contract would refuse a call in the newest block, in words; empty if it would not."""
        data = HexBytes(self._codec(contract, function).encode(arguments))
        try:
            self.web3.eth.call({"from": to_checksum_address(sender.address), "to": contract.address, "data": data})
        except ChainError:
            raise
        except Exception as error:
            reason = _revert_data(error)
            return str(error) if reason is None else self.artifacts.describe(reason)
        return ""

    def _reason(self, sender: Account, landed: Landed) -> RefusedError:
        """Why a transaction failed: it is repeated as a call."""
        transaction = landed.transaction
        call = {"from": sender.address, "gas": transaction.gas, "data": HexBytes(transaction.data)}
        if transaction.to:
            call["to"] = transaction.to
        # Before the block as the transaction found it; in it, where it was the time that had moved on.
        for block in (landed.block - 1, landed.block) if landed.block else ("latest",):
            try:
                self.web3.eth.call(call, block)  # type: ignore[arg-type]
            except ChainError:
                raise
            except Exception as error:
                data = _revert_data(error)
                why = str(error) if data is None else self.artifacts.describe(data)
                break
        else:
            why = landed.refusal or f"ran out of gas: used {landed.gas_used} of {transaction.gas}"
        if any(words in why.lower() for words in _NO_FUNDS):
            why = f"{sender.address} cannot pay for gas: give it some of the chain's currency"
        return RefusedError(transaction.what, why)

    def wait_for_pending(self, senders: Iterable[Account]) -> None:
        """Wait until whatever these accounts sent before, perhaps by a driver that was killed, is in a block.

        Raises:
            ChainError: it lies in the node for PATIENCE_SECONDS.
        """
        count = self.web3.eth.get_transaction_count
        for address in {to_checksum_address(sender.address) for sender in senders}:
            idle = Backoff(_POLL_SECONDS, 1.0)
            while count(address, "pending") > count(address, "latest"):
                if idle.is_over:
                    raise ChainError(f"transactions of {address} lie in the node, in no block; is it sealing?")
                self._nudge()
                idle.sleep()

    # ----------------------------------------------------------------------------------------------- events

    def topics(self, contract: str, event: str, day: int | None = None) -> list[bytes | None]:
        """Topics of one event, about one day or any."""
        [codec] = (codec for codec in self.event_codecs(contract) if codec.name == event)
        if day is None:
            return [codec.topic]
        return [codec.topic, *(day.to_bytes(32, "big") if i["name"] == "day" else None for i in codec.indexed)]

    def events(
        self, contracts: Mapping[str, str], first: int, last: int | None = None, topics: Sequence[bytes | None] = ()
    ) -> Iterator[Event]:
        """Events of these contracts (name -> address) in the blocks from `first` to `last` (now), in the chain's order.

        Some blocks are asked for at a time, so that memory does not grow with the chain.

        topics: as eth_getLogs takes them; None for any.

        Raises:
            BlocksLostError: the chain lost blocks it had.
        """
        newest = self.block
        for stretch in self.reader(contracts).stretches(first, newest if last is None else min(last, newest), topics):
            yield from stretch.events
        self._newest()

    def reader(self, contracts: Mapping[str, str]) -> BlockReader:
        """Reads blocks and the events of these contracts (name -> address) in them."""
        known = {name: (address, self.event_codecs(name)) for name, address in contracts.items()}
        return BlockReader(self.ask, known, self._ranges, partial(self.ask, is_divisible=True))

    def event_codecs(self, contract: str) -> list[EventCodec]:
        """The events a contract declares."""
        if contract not in self._events:
            entries = self.artifacts[contract].abi
            self._events[contract] = [EventCodec(contract, entry) for entry in entries if entry["type"] == "event"]
        return self._events[contract]


@cache
def compiled() -> Artifacts:
    """The contracts that come with the package; of a checkout in which they have changed, as ape compiles them."""
    if is_current():
        return shipped()
    found = {}
    contracts = ape.Project(ROOT).contracts
    for name in contracts:
        contract = contracts[name]
        abi = [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in contract.abi]
        code = contract.deployment_bytecode
        bytecode = str(code.bytecode) if code and code.bytecode else ""
        found[name] = Artifact(name, str(contract.source_id), abi, bytecode)
    return Artifacts(found)


def nodes_of(provider: ProviderAPI) -> list[str]:
    """Addresses of the nodes of a live network, where they are told: in the environment, else in ape-config.yaml."""
    if provider.network.is_dev:
        return []
    told = os.environ.get(NODES, "")
    return told.split(",") if told else list(provider.network.config.get("nodes") or ())


def _shortest(number: int) -> bytes:
    """A number as RLP has it: big endian, without leading zeros."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


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
