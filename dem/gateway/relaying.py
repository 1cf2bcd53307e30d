"""Brings queued messages to the chain, and follows what becomes of them until it is final.

The only writer of a message's state after it was queued. It may end at any moment: what was on its way is looked for
on the chain by its signature before it is brought again.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import requests
from hexbytes import HexBytes
from sqlalchemy.exc import SQLAlchemyError
from web3.types import RPCEndpoint

from dem.chain.abi import as_int
from dem.deployment.market import RELAYER
from dem.errors import DemError
from dem.gateway.processes import Notice
from dem.gateway.protocol import JOINT, KINDS, Checked, unsealed
from dem.gateway.state import Move, Record, State, Store
from dem.messages.contracts import Acceptance, EscrowRelease, EscrowTrade, Proposal, Revocation
from dem.messages.members import Opening
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signed import AcceptedProposal, Received, arguments, sheet_for_contract
from dem.messages.signing import struct
from dem.relay import bilateral, escrow
from dem.relay.batches import GAS_PER_LINE, GAS_PER_SHEET, Relay, batches
from dem.relay.settlement import finish_settlement

BATCH = 200
"""Messages brought before others are looked at."""
_QUESTIONS = 100
"""To a node at once."""
_MOVES = 50
"""Noted together."""
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

    def hashes(self, blocks: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Hashes of blocks and of their parents by their numbers, of those that there are."""

    def blocks_of(self, transactions: Sequence[str]) -> list[int | None]:
        """The block that each transaction is in; None if the chain does not have it."""

    def find(self, message: Checked, first: int) -> Outcome | None:
        """What brought a message, in blocks from one on; None if nothing did."""

    def paid_out(self, ids: Sequence[str]) -> Iterator[Outcome]:
        """Of withdrawals to banks, those that the treasurer has brought."""


class Relaying:
    """The work of one gateway. depth: blocks behind the newest one from which what is in a block is final."""

    def __init__(self, store: Store, port: Port, contracts: dict[str, str], depth: int) -> None:
        self._store, self._port, self._depth = store, port, depth
        self._contracts = contracts
        self._head = -1
        self._hashes: dict[int, str] = {}
        """Of the blocks that the chain may still replace, as they were when it was last looked at what is in them."""

    def step(self) -> bool:
        """Do what is due; whether anything was."""
        head = self._port.head()
        is_new = head != self._head
        if is_new:
            self._head = head
            self._store.tell("block", {"number": head})
            self._follow(head)
            self._look_for_payouts()
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
                    self._store.move_all([_move(record, found)])
                    continue
            fresh.append(message)
        self._store.begin([message.id for message in fresh], head)
        moves: list[Move] = []
        try:
            for outcome in self._port.bring(fresh):
                moves.append(_move(known[outcome.id], outcome))
                if len(moves) == _MOVES:
                    self._store.move_all(moves)
                    moves = []
        finally:
            self._store.move_all(moves)
        return True

    def _hashes_until(self, head: int) -> dict[int, str]:
        """Of the blocks that are known, if there are not too many new ones, and of the new ones."""
        known, last = self._hashes, max(self._hashes, default=-1)
        is_near = known and head <= last + self._depth
        if is_near and head > last:
            new = self._port.hashes(range(last + 1, head + 1))
            found = known | {number: hash_ for number, (hash_, _) in new.items()}
            if len(new) == head - last and all(found[number - 1] == parent for number, (_, parent) in new.items()):
                return found
        first = min(known) if is_near else max(0, head - self._depth + 1)
        return {number: hash_ for number, (hash_, _) in self._port.hashes(range(first, head + 1)).items()}

    def _look_for_payouts(self) -> None:
        waiting = {record.id: record for record in self._store.messages(State.PAYOUT, 100 * BATCH)}
        if waiting:
            self._store.move_all([_move(waiting[one.id], one) for one in self._port.paid_out([*waiting])])

    def _message(self, record: Record) -> Checked:
        made = unsealed(record.id, record.sender, record.envelope, self._contracts)
        if isinstance(made.message, Acceptance):
            offer = self._store.offer(f"0x{made.message.proposal.hex()}")
            assert offer is not None  # else the acceptance was not taken
            return replace(made, accepted=self._message(offer.record))
        if isinstance(made.message, JOINT):
            kept = self._store.joint(record.id)
            assert kept is not None  # it is kept for as long as it is under way
            return replace(made, signatures=kept.signatures)
        return made

    def _follow(self, head: int) -> None:
        """Look again at what is in blocks that are new or that the chain has replaced.

        All else is where it was, and is not asked about: of many messages in few blocks, the blocks are asked for.
        """
        known, final = self._hashes, head - self._depth
        hashes = self._hashes_until(head)
        same = {number for number, hash_ in hashes.items() if known.get(number) == hash_}
        changed = min(hashes.keys() - same, default=head + 1)
        records = self._store.in_blocks(final, changed)
        doubtful = [record for record in records if record.block not in same]
        blocks = self._port.blocks_of([record.transaction or "" for record in doubtful])
        found = {record.id: record.block for record in records}
        found |= {record.id: block for record, block in zip(doubtful, blocks, strict=True)}
        moves: list[Move] = []
        for record in records:
            block = found[record.id]
            there = {"block": block, "transaction": record.transaction}
            if block is None:
                moves.append((record, record.waits, {}))
            elif block <= final:
                moves.append((record, State.FINAL, there))
            elif block != record.block:
                moves.append((record, State.IN_BLOCK, there))
        self._store.move_all(moves)
        self._hashes = {number: hash_ for number, hash_ in hashes.items() if number > final}

    def run(self, notice: Notice) -> None:
        """Go on working for as long as the process lives. notice: told why nothing can be brought now."""
        pause = _PAUSE_SECONDS
        while True:
            try:
                has_worked = self.step()
                notice.trouble, pause = "", _PAUSE_SECONDS
                if has_worked:
                    continue
            except (DemError, OSError, requests.RequestException, SQLAlchemyError) as error:
                notice.trouble, pause = str(error), min(2 * pause, _LONGEST_PAUSE)
                _log.warning("nothing is brought now: %s", error)
            time.sleep(pause)


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

    def hashes(self, blocks: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Hashes of blocks and of their parents by their numbers, of those that there are."""
        found = self._each("eth_getBlockByNumber", [[hex(number), False] for number in blocks])
        return {
            number: (HexBytes(block["hash"]).hex(), HexBytes(block["parentHash"]).hex())
            for number, block in zip(blocks, found, strict=True)
            if block
        }

    def blocks_of(self, transactions: Sequence[str]) -> list[int | None]:
        """The block that each transaction is in; None if the chain does not have it."""
        found = self._each("eth_getTransactionReceipt", [[hash_] for hash_ in transactions])
        return [as_int(receipt["blockNumber"]) if receipt else None for receipt in found]

    def paid_out(self, ids: Sequence[str]) -> Iterator[Outcome]:
        """Their payments' references are their ids."""
        accounts, name = self._market.accounts, "Accounts"
        references = [bytes.fromhex(id_[2:]) for id_ in ids]
        used = self._chain.ask_many(accounts, "isPaymentUsed", [(reference,) for reference in references])
        [topic] = self._chain.topics(name, "Withdrawn")
        first = self._market.manifest.first_block
        for id_, reference, is_used in zip(ids, references, used, strict=True):
            if is_used:
                for event in self._chain.events({name: accounts.address}, first, topics=[topic, None, reference]):
                    yield Outcome(id_, event.block, event.transaction)

    def _each(self, method: str, parameters: Sequence[list[Any]]) -> list[Any]:
        """What a method answers, some at a time."""
        return [
            answer.get("result")
            for some in batches(parameters, _QUESTIONS)
            for answer in self._chain.ask([(RPCEndpoint(method), own) for own in some])
        ]

    def find(self, message: Checked, first: int) -> Outcome | None:
        """The transaction that carries its signature, or an opening's salt, whoever sent it."""
        signed = message.message
        mark = (signed.salt if isinstance(signed, Opening) else message.signature[:32]).hex()
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


def _move(record: Record, outcome: Outcome) -> Move:
    if outcome.refusal:
        return record, State.REFUSED, {"refusal": outcome.refusal[:1_000]}
    return record, State.IN_BLOCK, {"block": outcome.block, "transaction": outcome.transaction}


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
        return bilateral.arguments(AcceptedProposal(proposal, one.sender, Received(message, one.signature)))
    if one.signatures is not None:
        told = struct(message)
        return (*(told if isinstance(message, EscrowRelease) else (told,)), *one.signatures)
    return arguments(signed)


def _gas(one: Checked) -> int:
    message = one.message
    if isinstance(message, OrderSheet):
        return GAS_PER_SHEET + GAS_PER_LINE * len(message.lines)
    if isinstance(message, ReadingSheet):
        return GAS_PER_SHEET + GAS_PER_LINE * 16
    if isinstance(message, Acceptance):
        return bilateral.GAS_PER_CONTRACT
    if isinstance(message, EscrowTrade):
        return escrow.GAS_PER_TRADE
    return _GAS_PER_MESSAGE
