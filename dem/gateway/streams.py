"""Server-sent events: the journal as it grows, to everybody who listens. Each goes on from the entry that it names."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from dem.errors import RequestError
from dem.gateway.state import Entry, Store

_POLL_SECONDS = 0.25
_BEAT_SECONDS = 15.0
_ENTRIES = 1_000
"""Read at once, and waiting for a slow listener at most; who is slower is cut off, and comes again."""


class Streams:
    """All listeners of one gateway. The journal is read once for all of them."""

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._listeners: set[asyncio.Queue[Entry | None]] = set()

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def run(self) -> None:
        """Tell everybody what happens, until cancelled."""
        last = await run_in_threadpool(self._store.newest)
        while True:
            found = await run_in_threadpool(self._store.journal, last, _ENTRIES, None, True)
            for entry in found:
                last = entry.number
                for queue in [*self._listeners]:
                    if queue.full():
                        self._listeners.discard(queue)
                        queue.get_nowait()
                        queue.put_nowait(None)
                    else:
                        queue.put_nowait(entry)
            if not found:
                await asyncio.sleep(_POLL_SECONDS)

    def require_room(self) -> None:
        """Refuse a listener too many.

        Raises:
            RequestError: there are as many as there may be.
        """
        if len(self._listeners) >= self._most:
            raise RequestError(503, "TooManyStreams", f"{self._most} streams are open: try again later")

    async def listen(self, after: int | None, owner: str | None) -> AsyncIterator[str]:
        """What happened after an entry, and what happens. owner: whose entries to tell besides everybody's."""
        queue: asyncio.Queue[Entry | None] = asyncio.Queue(_ENTRIES)
        self._listeners.add(queue)
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
            mine = {None, owner and owner.lower()}
            while True:
                try:
                    async with asyncio.timeout(_BEAT_SECONDS):
                        entry = await queue.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if entry is None:
                    return
                if entry.number > last and entry.owner in mine:
                    last = entry.number
                    yield _text(entry)
        finally:
            self._listeners.discard(queue)


def _text(entry: Entry) -> str:
    return f"id: {entry.number}\nevent: {entry.kind}\ndata: {json.dumps(entry.data, separators=(',', ':'))}\n\n"
