"""Keeps an index at the chain's newest block.

Blocks at least `depth` behind the newest one are final. They are read by ranges, which a node answers from the fork it
is on; the blocks above are read one by one, by their hashes, and each must be the parent of the next. Where the
chain has replaced blocks, the index goes back to the last one that both have.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dem.chain.blocks import BlockReader, Header
from dem.chain.events import Event
from dem.errors import BlocksLostError, ChainError, IndexMovedError
from dem.index.store import Store

_TRIES = 5
"""So often blocks may be replaced while they are being read."""
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """What changed: blocks put in, events in them, blocks taken out because the chain replaced them; and the newest.

    time: of the newest block, unix time.
    """

    head: int
    time: int
    blocks: int = 0
    events: int = 0
    replaced: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing has."""
        return not self.blocks and not self.replaced


class Follower:
    """Brings an index up to date, as often as it is told to."""

    def __init__(self, store: Store, reader: Callable[[Mapping[str, str]], BlockReader], first_block: int) -> None:
        """reader: of contracts (name -> address); first_block: from which on the market can have events."""
        self._store, self._reader = store, reader
        # Nothing happens in block 0, and anvil makes another one at every start.
        self._first = max(1, first_block)

    def advance(self, contracts: Mapping[str, str]) -> Progress:
        """Bring the index to the newest block; contracts: those to follow, some perhaps since now.

        Raises:
            ChainError: blocks that were final have been replaced, or the node's answers do not fit together.
        """
        lost = 0
        while True:
            try:
                return self._advance(contracts)
            except IndexMovedError:  # by another process, which may have come further: go on from there
                continue
            except BlocksLostError:  # they are being replaced just now
                lost += 1
                if lost == _TRIES:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _advance(self, contracts: Mapping[str, str]) -> Progress:
        reader = self._reader(contracts)
        newest = reader.newest()
        replaced = self._drop_replaced(reader, newest)
        known = self._store.headers()
        self._include(contracts, known)
        below = known[-1] if known else None
        first = below.number + 1 if below else self._first
        count = 0
        final = newest.number - self._store.depth
        for stretch in reader.stretches(first, final):
            _require_parent(stretch.first, below)
            self._store.append([stretch.last], stretch.last.number, _blocks_of(reader, stretch.hashes), stretch.events)
            below, count = stretch.last, count + len(stretch.events)
        fresh = reader.headers(range(below.number + 1 if below else self._first, newest.number + 1))
        for header in fresh:
            _require_parent(header, below)
            below = header
        if fresh:
            events = reader.events_in(fresh)
            [still] = reader.headers([newest.number])
            if still != fresh[-1]:
                raise BlocksLostError(f"block {newest.number} was replaced while it was read")
            with_events = [header for header, own in zip(fresh, events, strict=True) if own]
            self._store.append(fresh, final, with_events, [event for own in events for event in own])
            count += sum(map(len, events))
        return Progress(newest.number, newest.time, max(0, newest.number + 1 - first), count, replaced)

    def _include(self, contracts: Mapping[str, str], known: Sequence[Header]) -> None:
        """What contracts that are not followed yet have told in the blocks that are known."""
        followed = self._store.contracts()
        if strangers := followed.keys() - contracts.keys():
            why = "has the events of contracts that are not followed here"
            raise ChainError(f"{self._store.where}: {why}: {', '.join(sorted(strangers))}")
        added = {name: address for name, address in contracts.items() if name not in followed}
        if not added:
            return
        reader = self._reader(added)

        def past() -> Iterator[tuple[Sequence[Header], Sequence[Event]]]:
            for stretch in reader.stretches(self._first, known[0].number):
                yield _blocks_of(reader, stretch.hashes), stretch.events
            for header, events in zip(known[1:], reader.events_in(known[1:]), strict=True):
                yield [header] if events else [], events

        self._store.include(added, past() if known else ())

    def _drop_replaced(self, reader: BlockReader, newest: Header) -> int:
        """Go back to the last block that the chain still has; returns how many were taken out."""
        known = self._store.headers()
        if not known or known[-1] == newest:
            return 0
        head = known[-1].number
        if head < newest.number and reader.headers([head]) == known[-1:]:
            return 0
        shared = [header for header in known if header.number <= newest.number]
        theirs = reader.headers([header.number for header in shared])
        common = [ours.number for ours, its in zip(shared, theirs, strict=True) if ours.hash == its.hash]
        final = known[0]
        if not common and final.number == self._first > head - self._store.depth:
            common = [self._first - 1]  # so young that none of it is final
        if not common:
            raise ChainError(
                f"block {final.number} ({final.hash}) was final, and the node, whose newest block is {newest.number}, "
                "does not have it. If the node is still catching up, wait for it. If it follows the wrong fork, mend "
                f"it. If the chain was reorganised more than {self._store.depth} blocks deep, index anew, with a "
                f"larger --depth, and delete what is in {self._store.where}"
            )
        self._store.drop_above(common[-1])
        return head - common[-1]


def _require_parent(header: Header, below: Header | None) -> None:
    if below is not None and header.parent != below.hash:
        raise BlocksLostError(
            f"the node's block {header.number} has the parent {header.parent}, which is not its block {below.number} "
            f"({below.hash})"
        )


def _blocks_of(reader: BlockReader, hashes: Mapping[int, str]) -> list[Header]:
    """The blocks of these numbers, which must have these hashes."""
    found = reader.headers(sorted(hashes))
    for header in found:
        if header.hash != hashes[header.number]:
            raise BlocksLostError(
                f"the node's block {header.number} is {header.hash}, but its events are of {hashes[header.number]}"
            )
    return found
