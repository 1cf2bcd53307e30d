"""Server-sent events: the journal as it grows, to everybody who listens. Each goes on from the entry that it names."""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from dem.errors import RequestError
from dem.gateway.state import Entry, Store

_log = logging.getLogger(__name__)
_POLL_SECONDS, _AWAY_SECONDS = 0.25, 1.0
"""Between two looks, and while the database is away."""
_BEAT_SECONDS = 15.0
_AT_ONCE, _TURN_SECONDS = 10, 0.004
"""So many listeners are woken together; then what else is asked has its turn. 500 hear within 0.3 s."""
_ENTRIES = 1_000
"""Read at once, and waiting for a slow listener at most; who is slower is cut off, and comes again."""


Told = tuple[Entry, str]
"""An entry, and what is sent of it."""


class Streams:
    """All listeners of one gateway. The journal is read once for all of them, and an entry is put into words once."""

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._listeners: dict[str | None, set[asyncio.Queue[Told | None]]] = defaultdict(set)
        """By whose entries they hear besides everybody's."""

    @property
    def count(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    async def run(self) -> None:
        """Tell everybody what happens, until cancelled."""
        last: int | None = None
        while True:
            try:
                if last is None:
                    last = await run_in_threadpool(self._store.newest)
                found = await run_in_threadpool(self._store.journal, last, _ENTRIES, None, True)
            except SQLAlchemyError as error:
                _log.warning("nothing can be told now: %s", error)
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            for entry in found:
                last = entry.number
                await self._tell(entry)
            if not found:
                await asyncio.sleep(_POLL_SECONDS)

    async def _tell(self, entry: Entry) -> None:
        """Those whom it concerns; nobody else is woken. Between some of them others have their turn."""
        told = entry, _text(entry)
        hearing = [*self._listeners] if entry.owner is None else [entry.owner]
        for turn, whose in enumerate(hearing):
            if turn % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(_TURN_SECONDS)
            queues = self._listeners.get(whose, set())
            for queue in [*queues]:
                if queue.full():
                    queues.discard(queue)
                    queue.get_nowait()
                    queue.put_nowait(None)
                else:
                    queue.put_nowait(told)

    def require_room(self) -> None:
        """Refuse a listener too many.

        Raises:
            RequestError: there are as many as there may be.
        """
        if self.count >= self._most:
            raise RequestError(503, "TooManyStreams", f"{self._most} streams are open: try again later")

    async def listen(self, after: int | None, owner: str | None) -> AsyncIterator[str]:
        """What happened after an entry, and what happens. owner: whose entries to tell besides everybody's."""
        queue: asyncio.Queue[Told | None] = asyncio.Queue(_ENTRIES)
        whose = owner and owner.lower()
        self._listeners[whose].add(queue)
        try:
            last = await run_in_threadpool(self._store.newest) if after is None else after
            yield "retry: 2000\n\n"
            while after is not None:
                found = await run_in_threadpool(self._store.journal, last, _ENTRIES, owner)
                for old in found:
                    last = old.number
                    yield _text(old)
                if len(found) < _ENTRIES:
                    break
            while True:
                try:
                    async with asyncio.timeout(_BEAT_SECONDS):
                        told = await queue.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if told is None:
                    return
                entry, text = told
                if entry.number > last:
                    last = entry.number
                    yield text
        finally:
            queues = self._listeners[whose]
            queues.discard(queue)
            if not queues:
                del self._listeners[whose]


def _text(entry: Entry) -> str:
    return f"id: {entry.number}\nevent: {entry.kind}\ndata: {json.dumps(entry.data, separators=(',', ':'))}\n\n"
