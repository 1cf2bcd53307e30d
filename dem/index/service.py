"""`ape run index`: the market of a manifest into a database, once or for as long as the chain goes on."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dem.chain.connection import Chain
from dem.chain.events import Event
from dem.deployment.market import Manifest, Market, connect, require_history
from dem.deployment.plan import STEPS
from dem.deployment.roles import TOKEN
from dem.errors import ChainError
from dem.index.follow import Follower, Progress
from dem.index.store import CHAIN, RECORD, Origin, Store
from dem.index.tables import tables_of

_POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


def index(
    chain: Chain, manifest: Path, path: Path, depth: int | None, follow: bool, members: Mapping[str, str]
) -> Iterator[Progress]:
    """Bring the index at `path` to the newest block, or make it; what changed, each time something did.

    members: their names by the account they applied with.
    depth: blocks behind the newest one from which a block is final; None: see Store.
    follow: do not end, look for new blocks every second.

    Raises:
        ChainError: the manifest is not of this chain, the index not of this market, or the chain was reorganised deeper
            than it may be.
    """
    read = manifest.read_bytes() if manifest.exists() else b""
    market = connect(chain, {}, manifest)
    require_history(market)
    first_block = market.manifest.first_block
    store = _open(chain, market.manifest, path, depth)
    try:
        store.name(members)
        follower, warned = Follower(store, chain.reader, first_block), set[str]()
        while True:
            progress = follower.advance(_same_market(store, market))
            chain.notice(progress.head, progress.time)
            for stranger in set(store.unknown_markets()) - warned:
                warned.add(stranger)
                _log.warning(
                    "the schedule has a market at %s that %s does not name: its events are not in the index, "
                    "until a manifest names it",
                    stranger,
                    manifest,
                )
            if not progress.is_none or not follow:
                yield progress
            if not follow:
                return
            if progress.is_none:
                time.sleep(_POLL_SECONDS)
            if (now := manifest.read_bytes()) != read:  # a pool was added
                market, read = connect(chain, {}, manifest), now
    finally:
        store.close()


def index_record(
    chain: Chain, manifest_path: Path, path: Path, events: Iterable[Event], members: Mapping[str, str]
) -> int:
    """Make the index at `path` of the events that a run recorded, whose chain is gone; returns how many there are.

    Raises:
        ChainError: there is no manifest, or the index at `path` is one of a chain, or of another market.
    """
    manifest = Manifest.load(manifest_path)
    if path.exists():
        _open(chain, manifest, path, None, RECORD).close()
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    store = _open(chain, manifest, draft, None, RECORD)
    try:
        store.name(members)
        count = store.record({name: entry["address"] for name, entry in manifest.contracts.items()}, events)
    finally:
        store.close()
    draft.replace(path)
    return count


def _open(chain: Chain, manifest: Manifest, path: Path, depth: int | None, source: str = CHAIN) -> Store:
    types = [*(step.contract for step in STEPS), TOKEN, "PoolMembers"]
    tables = tables_of(codec for name in types for codec in chain.event_codecs(name))
    registry = manifest.contracts["ParticipantRegistry"]["address"]
    return Store(path, tables, Origin(manifest.chain_id, manifest.genesis, registry, manifest.calendar), depth, source)


def _same_market(store: Store, market: Market) -> dict[str, str]:
    """The market's addresses, none of which may have changed."""
    for name, address in store.contracts().items():
        if market.addresses.get(name) != address:
            raise ChainError(
                f"{store.path}: has the events of {name} at {address}, but {market.manifest.path} says "
                f"{market.addresses.get(name)}; index anew into another file"
            )
    return market.addresses
