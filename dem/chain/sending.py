"""Many transactions of one account under way at once, none lost and none twice, whatever becomes of the node.

A transaction is signed once and keeps its nonce, so offering it again is harmless: a node takes it only once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from eth_utils.crypto import keccak
from web3.types import RPCEndpoint, RPCResponse

from dem.chain.abi import as_int
from dem.chain.transport import PATIENCE_SECONDS, Backoff
from dem.errors import BlocksLostError, ChainError

GAS_LIMIT = 15_000_000
"""Gas every transaction may use: below the cap of EIP-7825, and two fit a block of 30 million. What is not used is not
paid."""

Request = tuple[RPCEndpoint, Sequence[Any]]

_REQUESTS = 100
_REQUEST_BYTES = 1_000_000
"""Requests and bytes in one batch: anvil takes 2 MB, go-ethereum 1,000 requests and 5 MB."""
_BURST_GAS = 2 * GAS_LIMIT
_WINDOW_GAS = 80 * GAS_LIMIT
"""Planned gas of what is under way: 40 blocks of 30 million, so that no fee is older."""
_FIRST_WINDOW = 512
_LARGEST_WINDOW = 4096
"""Transactions under way. anvil that mines at once stalls for good above about 2,000: only a node that seals blocks by
the clock, and takes all there is into each, is given more than the first."""
_SEALING_SECONDS = 0.2
"""A node that lets a window lie for so long before it takes all of it seals by the clock."""
_SHORTEST_POLL, _LONGEST_POLL = 0.002, 0.25
_NUDGE_SECONDS = 0.03
_CHECK_SECONDS = 1.0
"""After so long without a new block for us, ask whether the node still has what it was given."""
_RECEIPT_SECONDS = 2.0
"""A receipt may be there a moment after its block."""
_TAKEN = (
    "already known",
    "already imported",
    "known transaction",
    "nonce too low",
    "replacement transaction underpriced",
)
"""A node's words where the place of a nonce is filled: by what we offer again, or else, as the receipt shows."""
_FEE = "fee"
_PASSING = ("full", "limit exceeded", "too many", _FEE)
"""A node's words where it has no room now, or wants more for it."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one transaction does: a call, or code to deploy where `to` is empty.

    gas: limit it is sent with; planned: gas the sender thinks it uses at most; items: how much of its work it does.
    is_checked: whether its receipt is read. If not, it counts as a success once its nonce is used, and the sender asks
    the chain in its own way: a receipt takes anvil the longer the more transactions there are in the block.
    """

    what: str
    to: str
    data: bytes
    gas: int = GAS_LIMIT
    planned: int = 0
    items: int = 1
    is_checked: bool = True

    @property
    def most_gas(self) -> int:
        """Gas it uses at most: plans are estimates from above, and may be above its limit."""
        return min(self.planned, self.gas)


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction that is in a block; or that the node does not take, with its words in `refusal`."""

    transaction: Transaction
    succeeded: bool
    hash: str = ""
    block: int = 0
    gas_used: int = 0
    contract: str = ""
    refusal: str = ""

    @property
    def ran_out_of_gas(self) -> bool:
        """Whether it failed for want of gas; a call inside it may have, of which each level keeps a 64th."""
        return not self.succeeded and self.gas_used > 0.9 * self.transaction.gas


@dataclass(slots=True)
class _Sent:
    """A signed transaction under way. is_filler: it only fills the place of a nonce."""

    transaction: Transaction
    nonce: int
    raw: bytes
    is_filler: bool = False
    is_taken: bool = False
    refusal: str = ""

    @property
    def hash(self) -> str:
        return f"0x{keccak(self.raw).hex()}"


class Sender:
    """Sends one account's transactions.

    ask: the node's answers to some requests; sign: the raw transaction for a nonce; nudge: called when transactions lie
    in the node for a moment.
    """

    def __init__(
        self,
        address: str,
        ask: Callable[[Sequence[Request]], Sequence[RPCResponse]],
        sign: Callable[[Transaction, int], bytes],
        nudge: Callable[[], None],
    ) -> None:
        self._address = address
        self._ask = ask
        self._sign = sign
        self._nudge = nudge

    def send(self, transactions: Iterable[Transaction]) -> Iterator[Landed]:
        """Each transaction when it has landed, in their order; they are drawn and signed as there is room for them.

        Raises:
            BlocksLostError: the chain no longer has what it had.
            ChainError: the node neither takes nor mines anything for PATIENCE_SECONDS.
        """
        waiting = iter(transactions)
        flight: deque[_Sent] = deque()
        mined: deque[_Sent] = deque()
        window = _FIRST_WINDOW
        first = self._count("latest")
        idle = Backoff(_SHORTEST_POLL, _LONGEST_POLL)
        while True:
            is_held_up = any(sent.refusal for sent in flight)
            fresh = [] if is_held_up else _burst(waiting, flight, window)
            for nonce, transaction in enumerate(fresh, start=first + len(flight)):
                flight.append(_Sent(transaction, nonce, self._sign(transaction, nonce)))
            if not flight and not mined:
                return
            self._offer(flight)
            count = self._count("latest")
            if count < first:
                raise BlocksLostError(f"the chain has lost transactions of {self._address}: had {first}, has {count}")
            if count > first:
                gone = [flight.popleft() for _ in range(min(count - first, len(flight)))]
                if len(gone) == window and idle.waited > _SEALING_SECONDS:
                    window = min(2 * window, _LARGEST_WINDOW)
                mined.extend(gone)
                first = count
                idle.reset()
            if mined:
                # Some at a time: to read what a full block did takes as long as to fill the next one.
                landed, displaced = self._land([mined.popleft() for _ in range(min(_REQUESTS, len(mined)))])
                waiting = chain(displaced, waiting)
                yield from landed
            elif flight[0].refusal and not _passes(flight[0].refusal):
                yield from self._give_up(flight)
            elif not fresh:
                self._wait(flight, idle)

    def _offer(self, flight: Iterable[_Sent]) -> None:
        """Give the node what it does not have; anew signed if it wants a higher fee than when that was signed."""
        offered = [sent for sent in flight if not sent.is_taken]
        for sent in offered:
            if _FEE in sent.refusal.lower():
                sent.raw = self._sign(sent.transaction, sent.nonce)
        for some in _batches(offered):
            answers = self._ask([(RPCEndpoint("eth_sendRawTransaction"), [f"0x{sent.raw.hex()}"]) for sent in some])
            for sent, answer in zip(some, answers, strict=True):
                sent.refusal = _refusal(answer)
                sent.is_taken = not sent.refusal
            if not all(sent.is_taken for sent in some):
                return

    def _land(self, gone: Sequence[_Sent]) -> tuple[list[Landed], list[Transaction]]:
        """What became of transactions whose nonces are used; and those whose nonce somebody else used."""
        landed, displaced = [], []
        own = [(sent.transaction, sent.hash) for sent in gone if not sent.is_filler]
        receipts = self._receipts([hash_ for transaction, hash_ in own if transaction.is_checked])
        for transaction, hash_ in own:
            if not transaction.is_checked:
                landed.append(Landed(transaction, succeeded=True))
            elif (receipt := receipts.get(hash_)) is not None:
                landed.append(
                    Landed(
                        transaction,
                        succeeded=as_int(receipt["status"]) == 1,
                        hash=hash_,
                        block=as_int(receipt["blockNumber"]),
                        gas_used=as_int(receipt["gasUsed"]),
                        contract=receipt["contractAddress"] or "",
                    )
                )
            else:
                displaced.append(transaction)
        return landed, displaced

    def _receipts(self, hashes: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        idle = Backoff(_SHORTEST_POLL, _LONGEST_POLL)
        while missing := [hash_ for hash_ in hashes if hash_ not in found]:
            for start in range(0, len(missing), _REQUESTS):
                some = missing[start : start + _REQUESTS]
                answers = self._ask([(RPCEndpoint("eth_getTransactionReceipt"), [hash_]) for hash_ in some])
                pairs = zip(some, answers, strict=True)
                found |= {hash_: answer["result"] for hash_, answer in pairs if answer.get("result")}
            if idle.waited > _RECEIPT_SECONDS:
                break
            idle.sleep()
        return found

    def _give_up(self, flight: deque[_Sent]) -> Iterator[Landed]:
        """The node refuses the first in line: fill its place, so that what is behind it does not wait for ever.

        Raises:
            ChainError: the node refuses even that.
        """
        refused = flight.popleft()
        if refused.is_filler:
            raise ChainError(f"account {self._address} can send nothing: {refused.refusal}")
        if flight:
            filler = Transaction("nothing", self._address, b"", gas=21_000)
            flight.appendleft(_Sent(filler, refused.nonce, self._sign(filler, refused.nonce), is_filler=True))
        yield Landed(refused.transaction, succeeded=False, refusal=refused.refusal)

    def _wait(self, flight: Sequence[_Sent], idle: Backoff) -> None:
        if idle.is_over:
            raise ChainError(
                f"{len(flight)} transactions of {self._address} are in no block after {PATIENCE_SECONDS:.0f} s "
                f"(the first: {flight[0].refusal or 'taken by the node'}); is the node sealing? "
                "Once it is, the same command goes on where this one stopped"
            )
        idle.sleep()
        if idle.waited > _NUDGE_SECONDS:
            self._nudge()
        if idle.waited > _CHECK_SECONDS:
            known = self._count("pending")
            for sent in flight:
                if sent.nonce >= known:
                    sent.is_taken = False

    def _count(self, block: str) -> int:
        [answer] = self._ask([(RPCEndpoint("eth_getTransactionCount"), [self._address, block])])
        if "error" in answer:
            raise ChainError(f"the node does not count the transactions of {self._address}: {answer['error']}")
        return as_int(answer["result"])


def _burst(waiting: Iterator[Transaction], flight: Sequence[_Sent], window: int) -> list[Transaction]:
    """The next transactions to sign and send before looking at what has become of the others."""
    burst: list[Transaction] = []
    planned = 0
    most = min(_BURST_GAS, _WINDOW_GAS - sum(sent.transaction.most_gas for sent in flight))
    room = min(_REQUESTS, window - len(flight))
    while planned < most and len(burst) < room and (transaction := next(waiting, None)) is not None:
        burst.append(transaction)
        planned += transaction.most_gas
    return burst


def _batches(flight: Iterable[_Sent]) -> Iterator[list[_Sent]]:
    batch: list[_Sent] = []
    size = 0
    for sent in flight:
        if batch and (len(batch) == _REQUESTS or size + 2 * len(sent.raw) > _REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(sent)
        size += 2 * len(sent.raw)
    if batch:
        yield batch


def _refusal(answer: RPCResponse) -> str:
    """Why a node does not have a transaction it was offered; empty if it has it."""
    error = answer.get("error")
    if error is None:
        return ""
    message = str(error.get("message", error) if isinstance(error, dict) else error)
    return "" if any(words in message.lower() for words in _TAKEN) else message


def _passes(refusal: str) -> bool:
    return any(words in refusal.lower() for words in _PASSING)
