"""Brings queued messages to the chain, and follows what becomes of them until it is final.

The only writer of a message's state after it was queued. It may end at any moment: what was on its way is looked for
on the chain by its signature before it is brought again.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import requests
from hexbytes import HexBytes
from web3.types import RPCEndpoint

from dem.chain.abi import as_int
from dem.deployment.market import RELAYER
from dem.errors import DemError
from dem.gateway.protocol import KINDS, Checked, Envelope, check
from dem.gateway.state import Record, State, Store
from dem.messages.contracts import Acceptance, Proposal, Revocation
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signed import AcceptedProposal, Received, for_contract, sheet_for_contract
from dem.relay.batches import GAS_PER_LINE, GAS_PER_SHEET, Relay
from dem.relay.bilateral import GAS_PER_CONTRACT, arguments
from dem.relay.settlement import finish_settlement

BATCH = 200
"""Messages brought before others are looked at."""
_GAS_PER_MESSAGE = 400_000
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.2, 30.0
_log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What became of a message. refusal: the contract's error in words; else it is in the block."""

    id: str
    block: int
    transaction: str
    refusal: str = ""


class Port(Protocol):
    """A chain that messages are brought to."""

    def head(self) -> int:
        """The newest block."""

    def bring(self, messages: Sequence[Checked]) -> Iterator[Outcome]:
        """Bring messages, in their order; what became of each, in any order."""

    def block_of(self, transaction: str) -> int | None:
        """The block that a transaction is in; None if the chain does not have it."""

    def find(self, message: Checked, first: int) -> Outcome | None:
        """What brought a message, in blocks from one on; None if nothing did."""


class Relaying:
    """The work of one gateway. depth: blocks behind the newest one from which what is in a block is final."""

    def __init__(self, store: Store, port: Port, chain_id: int, contracts: dict[str, str], depth: int) -> None:
        self._store, self._port, self._depth = store, port, depth
        self._chain_id, self._contracts = chain_id, contracts
        self._head = -1
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.trouble = ""
        """Why nothing can be brought now."""

    def step(self) -> bool:
        """Do what is due; whether anything was."""
        head = self._port.head()
        is_new = head != self._head
        if is_new:
            self._head = head
            self._store.tell("block", {"number": head})
            self._follow(head)
        self._store.release()
        waiting = self._store.messages(State.QUEUED, BATCH)
        if not waiting:
            return is_new
        known = {record.id: record for record in waiting}
        fresh: list[Checked] = []
        for record in waiting:
            message = self._message(record)
            if record.attempts and record.first_block is not None:
                found = self._port.find(message, record.first_block)
                if found is not None:
                    self._settle(record, found)
                    continue
            fresh.append(message)
        self._store.begin([message.id for message in fresh], head)
        for outcome in self._port.bring(fresh):
            self._settle(known[outcome.id], outcome)
        return True

    def _message(self, record: Record) -> Checked:
        made = check(Envelope.model_validate(record.envelope), self._chain_id, self._contracts)
        if isinstance(made.message, Acceptance):
            offer = self._store.offer(f"0x{made.message.proposal.hex()}")
            assert offer is not None  # else the acceptance was not taken
            return replace(made, accepted=self._message(offer.record))
        return made

    def _settle(self, record: Record, outcome: Outcome) -> None:
        if outcome.refusal:
            self._store.move(record, State.REFUSED, refusal=outcome.refusal[:1_000])
        else:
            self._store.move(record, State.IN_BLOCK, block=outcome.block, transaction=outcome.transaction)

    def _follow(self, head: int) -> None:
        """Look again at what is in blocks that the chain may still replace."""
        for record in self._store.messages(State.IN_BLOCK, 100 * BATCH):
            assert record.block is not None  # it is in one
            assert record.transaction is not None
            block = self._port.block_of(record.transaction)
            if block is None:
                self._store.move(record, State.QUEUED)
            elif block <= head - self._depth:
                self._store.move(record, State.FINAL, block=block, transaction=record.transaction)
            elif block != record.block:
                self._store.move(record, State.IN_BLOCK, block=block, transaction=record.transaction)

    # ------------------------------------------------------------------------------------------------ thread

    def start(self) -> None:
        """Go on working, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="relaying", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._end.is_set():
            try:
                has_worked = self.step()
                self.trouble, pause = "", _PAUSE_SECONDS
                if has_worked:
                    continue
            except (DemError, OSError, requests.RequestException) as error:
                self.trouble, pause = str(error), min(2 * pause, _LONGEST_PAUSE)
                _log.warning("nothing is brought now: %s", error)
            self._end.wait(pause)


class ChainPort:
    """The market's own chain, by the relay of the package."""

    def __init__(self, relay: Relay) -> None:
        self._relay, self._chain, self._market = relay, relay.chain, relay.market

    def head(self) -> int:
        """The newest block."""
        return self._chain.block

    def bring(self, messages: Sequence[Checked]) -> Iterator[Outcome]:
        """Each in a transaction of its own, so that what is refused is refused alone and says why."""
        if any(isinstance(one.message, OrderSheet) for one in messages):
            finish_settlement(self._relay)  # until then whom it has paid may order nothing
        transactions = []
        for one in messages:
            contract, function = self._market.contract(one.contract), KINDS[type(one.message)].function
            made = self._chain.transaction(contract, function, *_arguments(one), planned=_gas(one))
            transactions.append(replace(made, what=one.id))
        for landed, refusal in self._chain.send_all(self._market.keys[RELAYER], transactions):
            yield Outcome(landed.transaction.what, landed.block, landed.hash, refusal.why if refusal else "")

    def block_of(self, transaction: str) -> int | None:
        """The block that a transaction is in; None if the chain does not have it."""
        [answer] = self._chain.ask([(RPCEndpoint("eth_getTransactionReceipt"), [transaction])])
        receipt = answer.get("result")
        return as_int(receipt["blockNumber"]) if receipt else None

    def find(self, message: Checked, first: int) -> Outcome | None:
        """The transaction that carries its signature, whoever sent it."""
        mark = message.signature[:32].hex()
        for number in range(first, self._chain.block + 1):
            [answer] = self._chain.ask([(RPCEndpoint("eth_getBlockByNumber"), [hex(number), True])])
            block = answer.get("result") or {"transactions": []}
            for transaction in block["transactions"]:
                # An embedded chain calls it by another name.
                if mark in HexBytes(transaction.get("input") or transaction["data"]).hex():
                    [told] = self._chain.ask([(RPCEndpoint("eth_getTransactionReceipt"), [transaction["hash"]])])
                    if as_int((told.get("result") or {"status": 0})["status"]) == 1:
                        return Outcome(message.id, number, transaction["hash"])
        return None


def _arguments(one: Checked) -> tuple[Any, ...]:
    """Of the function that takes a message."""
    message, signed = one.message, Received(one.message, one.signature)
    if isinstance(message, OrderSheet | ReadingSheet):
        return (sheet_for_contract(Received(message, one.signature)),)
    if isinstance(message, Revocation):
        return message.message, one.sender, one.signature
    if isinstance(message, Acceptance):
        assert one.accepted is not None
        assert isinstance(one.accepted.message, Proposal)
        proposal = Received(one.accepted.message, one.accepted.signature)
        return arguments(AcceptedProposal(proposal, one.sender, Received(message, one.signature)))
    return for_contract(signed)


def _gas(one: Checked) -> int:
    message = one.message
    if isinstance(message, OrderSheet):
        return GAS_PER_SHEET + GAS_PER_LINE * len(message.lines)
    if isinstance(message, ReadingSheet):
        return GAS_PER_SHEET + GAS_PER_LINE * 16
    if isinstance(message, Acceptance):
        return GAS_PER_CONTRACT
    return _GAS_PER_MESSAGE
