"""Blocks and the events in them as a node tells, and a refusal of answers that do not fit together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hexbytes import HexBytes
from web3.types import RPCEndpoint, RPCResponse

from dem.chain.abi import EventCodec, as_bytes, as_int, checksum
from dem.chain.events import Event, in_order
from dem.chain.ranges import Ranges
from dem.chain.sending import Request
from dem.errors import BlocksLostError, ChainError, NotAnsweredError

Ask = Callable[[Sequence[Request]], Sequence[RPCResponse]]
"""Answers of a node to some requests."""
Topics = Sequence[bytes | None]
"""As eth_getLogs takes them; None for any."""

_CALLS = 100
"""In one request."""


@dataclass(frozen=True, slots=True)
class Header:
    """A block: its number, its hash and its parent's, unix time."""

    number: int
    hash: str
    parent: str
    time: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive blocks that were read at once: the first, the last, and all events, in the chain's order."""

    first: Header
    last: Header
    events: Sequence[Event]
    hashes: Mapping[int, str] = field(repr=False)
    """Of the blocks that have events, by number, as the events tell."""


class BlockReader:
    """Reads blocks and the events of some contracts."""

    def __init__(
        self,
        ask: Ask,
        contracts: Mapping[str, tuple[str, Sequence[EventCodec]]],
        ranges: Ranges | None = None,
        ask_once: Ask | None = None,
    ) -> None:
        """contracts: address and events of each, by name. ranges: what is known of the node's limits.

        ask_once: as `ask`, for what can be asked for in smaller parts where the node does not answer it.
        """
        self._ask = ask
        self._ask_once = ask_once or ask
        self._ranges = ranges or Ranges()
        self._codecs = {
            (checksum(address), codec.topic): codec for address, codecs in contracts.values() for codec in codecs
        }
        self._addresses = [checksum(address) for address, _ in contracts.values()]

    # ------------------------------------------------------------------------------------------------ headers

    def newest(self) -> Header:
        """The newest block."""
        [answer] = self._ask([_block("latest")])
        return _header(answer, None)

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """The blocks of these numbers.

        Raises:
            BlocksLostError: the node has one of them not.
        """
        answers = self._ask_many([_block(hex(number)) for number in numbers])
        return [_header(answer, number) for answer, number in zip(answers, numbers, strict=True)]

    # ------------------------------------------------------------------------------------------------- events

    def stretches(self, first: int, last: int, topics: Topics = ()) -> Iterator[Stretch]:
        """Events in the blocks from `first` to `last`, both of which are there; about 5,000 at a time.

        A range is answered by the chain as it is at that moment. The node tells the ends of each range in the same
        request, so that one that lags behind cannot answer for blocks it does not have. What it does not answer is
        asked for in halves, and of a single block it is asked for the receipts.

        Raises:
            BlocksLostError: the node does not have all these blocks.
            ChainError: it tells neither the events nor the receipts of a block.
        """
        while first <= last:
            until = min(first + self._ranges.blocks - 1, last)
            try:
                stretch, told = self._stretch(first, until, topics)
            except NotAnsweredError:
                if first == until:
                    raise
                self._ranges.refused(until - first + 1)
                continue
            yield stretch
            self._ranges.answered(until - first + 1, told)
            first = until + 1

    def _stretch(self, first: int, until: int, topics: Topics) -> tuple[Stretch, int]:
        """The events of some blocks, and how many the node told."""
        question = self._question(topics, fromBlock=hex(first), toBlock=hex(until))
        try:
            *ends, answer = self._ask_once([_block(hex(first)), _block(hex(until)), question])
        except NotAnsweredError as refusal:
            if first != until:
                raise
            ends, answer = 2 * [*self._ask([_block(hex(first))])], _refused(refusal)
        start, end = (_header(end, number) for end, number in zip(ends, (first, until), strict=True))
        logs = _logs(answer)
        if logs is None:
            if first != until:
                raise NotAnsweredError(f"the node gives no events of blocks {first} to {until}: {_why(answer)}")
            logs = self._logs_of_receipts(start, topics, _why(answer))
        hashes: dict[int, str] = {}
        for log in logs:
            number, hash_ = as_int(log["blockNumber"]), _hex(log["blockHash"])
            if not first <= number <= until or hashes.setdefault(number, hash_) != hash_:
                raise BlocksLostError(
                    f"asked for the events of blocks {first} to {until}, the node tells of block {number} ({hash_})"
                )
        return Stretch(start, end, self._decoded(logs), hashes), len(logs)

    def _logs_of_receipts(self, block: Header, topics: Topics, refusal: str) -> list[Mapping[str, Any]]:
        """The logs of a block by its receipts, where a node gives them in no other way.

        Raises:
            BlocksLostError: the node does not have the block.
            ChainError: it has no receipts of it.
        """
        [answer] = self._ask([(RPCEndpoint("eth_getBlockByHash"), [block.hash, False])])
        found: Any = answer.get("result")
        if found is None:
            raise BlocksLostError(f"the node has no block {block.number} ({block.hash}): {refusal}")
        hashes = [_hex(hash_) for hash_ in found["transactions"]]
        answers = self._ask_many([(RPCEndpoint("eth_getTransactionReceipt"), [hash_]) for hash_ in hashes])
        logs: list[Mapping[str, Any]] = []
        for answer in answers:
            receipt: Any = answer.get("result")
            if receipt is None:
                raise ChainError(
                    f"the node tells neither the events of block {block.number} ({refusal}) nor their receipts "
                    f"({_why(answer)}): it seems to have pruned them, so connect to a node that keeps them all"
                )
            logs += receipt["logs"]
        return [log for log in logs if checksum(log["address"]) in self._addresses and _matches(log, topics)]

    def events_in(self, blocks: Sequence[Header]) -> list[list[Event]]:
        """Events of each of these very blocks, asked for by their hashes, so that no other fork can answer.

        Raises:
            BlocksLostError: the node has one of them not, or tells of another.
        """
        answers = self._ask_many([self._question((), blockHash=block.hash) for block in blocks], self._ask_once)
        found = []
        for block, answer in zip(blocks, answers, strict=True):
            logs = _logs(answer)
            if logs is None:
                logs = self._logs_of_receipts(block, (), _why(answer))
            for log in logs:
                told = as_int(log["blockNumber"]), _hex(log["blockHash"])
                if told != (block.number, block.hash):
                    raise BlocksLostError(
                        f"asked for the events of block {block.number} ({block.hash}), the node tells of block "
                        f"{told[0]} ({told[1]})"
                    )
            found.append(self._decoded(logs))
        return found

    def _question(self, topics: Topics, **blocks: str) -> Request:
        which = [None if topic is None else HexBytes(topic).to_0x_hex() for topic in topics]
        return RPCEndpoint("eth_getLogs"), [{"address": self._addresses, "topics": which, **blocks}]

    def _ask_many(self, requests: Sequence[Request], ask_for_one: Ask | None = None) -> list[RPCResponse]:
        """Some at a time; fewer where the node does not answer so many, its refusal where it does not answer one."""
        count, answers = _CALLS, list[RPCResponse]()
        while some := requests[len(answers) : len(answers) + count]:
            try:
                answers += (ask_for_one or self._ask if len(some) == 1 else self._ask_once)(some)
            except NotAnsweredError as refusal:
                if len(some) == 1:
                    answers.append(_refused(refusal))
                count = max(1, len(some) // 2)
        return answers

    def _decoded(self, logs: Sequence[Mapping[str, Any]]) -> list[Event]:
        found = []
        for log in logs:
            # Without topics it is an anonymous event, and those have no codec.
            codec = self._codecs.get((checksum(log["address"]), as_bytes((log["topics"] or [b""])[0])))
            if codec is not None:
                found.append(codec.decode(log))
        return in_order(found)


def _block(which: str) -> Request:
    return RPCEndpoint("eth_getBlockByNumber"), [which, False]


def _header(answer: RPCResponse, number: int | None) -> Header:
    """The block of an answer, which must be the one that was asked for; None: the newest."""
    block: Any = answer.get("result")
    what = "newest block" if number is None else f"block {number}"
    if block is None:
        raise BlocksLostError(f"the node has no {what}: {answer.get('error', 'its answer is null')}")
    try:
        header = Header(
            as_int(block["number"]), _hex(block["hash"]), _hex(block["parentHash"]), as_int(block["timestamp"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ChainError(f"the node tells of its {what} what is no block: {error!r} in {str(block)[:80]}") from None
    if number not in (None, header.number):
        raise BlocksLostError(f"asked for block {number}, the node tells of block {header.number}")
    return header


def _logs(answer: RPCResponse) -> Sequence[Mapping[str, Any]] | None:
    """The logs of an answer; None if it has none."""
    logs: Any = answer.get("result")
    return logs if isinstance(logs, list | tuple) else None


def _refused(refusal: NotAnsweredError) -> RPCResponse:
    """What a node answers that refuses a request as a whole."""
    return {"error": str(refusal)}  # type: ignore[typeddict-item]


def _why(answer: RPCResponse) -> str:
    """What a node says instead of an answer."""
    return str(answer.get("error", f"its answer is {answer.get('result')!r}"))


def _matches(log: Mapping[str, Any], topics: Topics) -> bool:
    own = [as_bytes(topic) for topic in log["topics"]]
    return len(own) >= len(topics) and all(
        wanted is None or bytes(wanted) == topic for wanted, topic in zip(topics, own, strict=False)
    )


def _hex(data: bytes | str) -> str:
    return f"0x{as_bytes(data).hex()}"
