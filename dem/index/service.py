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
from dem.index import Place
from dem.index.database import AWAY, said
from dem.index.follow import Follower, Progress
from dem.index.store import CHAIN, RECORD, Origin, Store
from dem.index.tables import tables_of

_POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


def index(
    chain: Chain, manifest: Path, place: Place, depth: int | None, follow: bool, members: Mapping[str, str]
) -> Iterator[Progress]:
    """Bring the index at a place (see Store) to the newest block, or make it; what changed, each time something did.

    members: their names by the account they applied with.
    depth: blocks behind the newest one from which a block is final; None: see Store.
    follow: do not end, look for new blocks every second, and wait for a database that is away.

    Raises:
        ChainError: the manifest is not of this chain, the index not of this market, or the chain was reorganised deeper
            than it may be.
    """
    read = manifest.read_bytes() if manifest.exists() else b""
    market = connect(chain, {}, manifest)
    require_history(market)
    first_block = market.manifest.first_block
    store = _open(chain, market.manifest, place, depth)
    try:
        store.name(members)
        follower, warned, trouble = Follower(store, chain.reader, first_block), set[str](), ""
        while True:
            try:
                progress = follower.advance(_same_market(store, market))
                strangers = store.unknown_markets()
            except AWAY as error:
                if not follow:
                    raise
                if said(error) != trouble:
                    trouble = said(error)
                    _log.warning("the database cannot be reached, the index waits for it: %s", trouble)
                time.sleep(_POLL_SECONDS)
                continue
            trouble = ""
            chain.notice(progress.head, progress.time)
            for stranger in set(strangers) - warned:
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
    chain: Chain, manifest_path: Path, place: Place, events: Iterable[Event], members: Mapping[str, str]
) -> int:
    """Make the index at a place of the events that a run recorded, whose chain is gone; returns how many there are.

    Raises:
        ChainError: there is no manifest, or the index there is one of a chain, or of another market.
    """
    manifest = Manifest.load(manifest_path)
    store = _open(chain, manifest, place, None, RECORD)
    try:
        store.name(members)
        return store.record({name: entry["address"] for name, entry in manifest.contracts.items()}, events)
    finally:
        store.close()


def _open(chain: Chain, manifest: Manifest, place: Place, depth: int | None, source: str = CHAIN) -> Store:
    types = [*(step.contract for step in STEPS), TOKEN, "PoolMembers"]
    tables = tables_of(codec for name in types for codec in chain.event_codecs(name))
    registry = manifest.contracts["ParticipantRegistry"]["address"]
    return Store(place, tables, Origin(manifest.chain_id, manifest.genesis, registry, manifest.calendar), depth, source)


def _same_market(store: Store, market: Market) -> dict[str, str]:
    """The market's addresses, none of which may have changed."""
    for name, address in store.contracts().items():
        if market.addresses.get(name) != address:
            raise ChainError(
                f"{store.where}: has the events of {name} at {address}, but {market.manifest.path} says "
                f"{market.addresses.get(name)}; index anew into another one"
            )
    return market.addresses
