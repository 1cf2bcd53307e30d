"""The database: what of the chain is in it, put in and taken out by whole blocks."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dem.chain.blocks import Header
from dem.chain.events import Event
from dem.errors import ChainError
from dem.index import DEPTH, clearings
from dem.index.clearings import Clearing
from dem.index.tables import Table, type_name
from dem.model.calendar import CalendarParameters

_VIEWS = Path(__file__).with_name("views.sql")
_FRAME = (
    "CREATE TABLE index_of (what TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE calendar (opening INTEGER, period_seconds INTEGER, periods_per_day INTEGER) STRICT",
    "CREATE TABLE contract (name TEXT PRIMARY KEY, address TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE header (
  number INTEGER PRIMARY KEY,
  hash TEXT NOT NULL,
  parent TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT""",
    "CREATE TABLE block (number INTEGER PRIMARY KEY, hash TEXT, time INTEGER) STRICT",
    "CREATE TABLE member (account TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
"""What every index has: of which market it is, the last headers, the blocks that have events, and members' names.

Of blocks that only a run recorded nothing but the number is known.
"""
_INDEXES = (
    "CREATE INDEX reading_of ON reading (id, day)",
    "CREATE INDEX estimate_of ON estimate (id, day)",
    "CREATE INDEX scheduled_of ON scheduled (id, day)",
    "CREATE INDEX order_lane_of ON order_lane (day, id)",
    "CREATE INDEX order_at_price_of ON order_at_price (day, id)",
    "CREATE INDEX settled_of ON settlement_settled (id, day)",
    "CREATE INDEX admitted_of ON participant_registry_admitted (id)",
    "CREATE INDEX admitted_as ON participant_registry_admitted (lower(account))",
    "CREATE INDEX replaced_as ON participant_registry_account_replaced (lower(account))",
    "CREATE INDEX replaced_of ON participant_registry_account_replaced (id)",
    "CREATE INDEX meter_replaced_of ON participant_registry_meter_replaced (id)",
    "CREATE INDEX applied_as ON participant_registry_applied (account)",
    "CREATE INDEX status_of ON participant_registry_status_changed (id)",
    "CREATE INDEX connection_of ON participant_registry_connection_changed (id)",
    "CREATE INDEX deposited_of ON accounts_deposited (id)",
    "CREATE INDEX withdrawn_of ON accounts_withdrawn (id)",
    "CREATE INDEX posted_of ON accounts_posted (id)",
    "CREATE INDEX arrears_of ON accounts_arrears_changed (id)",
    "CREATE INDEX credit_limit_of ON accounts_credit_limit_set (id)",
    "CREATE INDEX taken_back_of ON shortfalls_taken_back (id)",
    "CREATE INDEX made_good_of ON shortfalls_made_good (id)",
    "CREATE INDEX restored_of ON shortfalls_restored (id)",
    "CREATE INDEX rewarded_of ON balancing_fund_rewarded (id)",
    "CREATE INDEX orders_refused_of ON call_auction_sheet_rejected (lower(participant))",
    "CREATE INDEX readings_refused_of ON meter_readings_readings_rejected (lower(meter))",
    "CREATE INDEX bought_by ON bilateral_contracts_concluded (buyer)",
    "CREATE INDEX sold_by ON bilateral_contracts_concluded (seller)",
    "CREATE INDEX concluded_as ON bilateral_contracts_concluded (proposal)",
    "CREATE INDEX ended_as ON bilateral_contracts_ended (number)",
    "CREATE INDEX revoked_as ON bilateral_contracts_revoked (message)",
    # Of a day.
    "CREATE INDEX settled_at ON settlement_settled (day)",
    "CREATE INDEX order_lane_at ON order_lane (place, day, contract)",
    "CREATE INDEX cleared_at ON call_auction_cleared (day, contract, slot)",
    "CREATE INDEX traders_at ON cleared_traders (day, contract)",
    "CREATE INDEX strip_read_at ON strip_read (day, id, strip)",
    "CREATE INDEX scheduled_at ON scheduled_day (day, id)",
    "CREATE INDEX tariff_at ON tariff (day)",
    "CREATE INDEX sheet_at ON call_auction_sheet_accepted (day)",
    "CREATE INDEX tariffs_published_at ON fallback_supply_tariffs_published (day)",
    "CREATE INDEX metering_closed_at ON meter_readings_metering_closed (day)",
)
"""By which what is asked of one member, or of one day, is found."""
CHAIN, RECORD = "chain", "record"
"""Where the events of an index come from."""
_ROWS = 10_000
"""Events put in at once."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The market that an index is of."""

    chain_id: int
    genesis: str
    registry: str
    calendar: CalendarParameters


class Store:
    """An index on disk. Every change is a transaction of the database, so that a process may end at any time."""

    def __init__(
        self,
        path: Path,
        tables: Mapping[tuple[str, str], Sequence[Table]],
        origin: Origin,
        depth: int | None = None,
        source: str = CHAIN,
    ) -> None:
        """Open the index at `path`, or make one.

        depth: blocks behind the newest one from which a block is final; None: as made, DEPTH for a new one.
        source: of its events.

        Raises:
            ChainError: the file is no index, or that of another market, depth or version.
        """
        self.path = path
        self._tables = tables
        self._definitions = [table.definition for event in tables.values() for table in event]
        self._definitions += clearings.DEFINITIONS
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")  # so that others read while this one writes
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._prepare(origin, depth, source)
        except sqlite3.Error as error:
            raise ChainError(f"{path}: cannot be used as an index ({error}); name another file") from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _prepare(self, origin: Origin, depth: int | None, source: str) -> None:
        views = _VIEWS.read_text(encoding="utf-8")
        schema = hashlib.sha256("\n".join([*_FRAME, *self._definitions, *_INDEXES, views]).encode()).hexdigest()
        wanted = {
            "chain_id": origin.chain_id,
            "genesis": origin.genesis,
            "registry": origin.registry,
            "schema": schema,
            "source": source,
        }
        if depth is not None:
            wanted["depth"] = depth
        if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with self._changes():
                for statement in (*_FRAME, *self._definitions, *_INDEXES, *_statements(views)):
                    self._db.execute(statement)
                self._db.executemany("INSERT INTO index_of VALUES (?, ?)", ({"depth": DEPTH} | wanted).items())
                calendar = origin.calendar
                row = calendar.opening, calendar.period_length, calendar.periods_per_day
                self._db.execute("INSERT INTO calendar VALUES (?, ?, ?)", row)
        found = dict(self._db.execute("SELECT what, value FROM index_of"))
        for what, value in wanted.items():
            if found.get(what) != value:
                raise ChainError(
                    f"{self.path}: is an index with {what} {found.get(what)}, not {value}; give what it was made with, "
                    "or index anew into another file"
                )

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """All of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -------------------------------------------------------------------------------------------------- blocks

    @property
    def depth(self) -> int:
        """Blocks behind the newest one from which a block is final."""
        return int(self._db.execute("SELECT value FROM index_of WHERE what = 'depth'").fetchone()[0])

    def headers(self) -> list[Header]:
        """The last blocks that are in the index, in their order; those before the first one are final."""
        return [
            Header(*row) for row in self._db.execute("SELECT number, hash, parent, time FROM header ORDER BY number")
        ]

    def append(
        self, headers: Sequence[Header], final: int, with_events: Sequence[Header], events: Iterable[Event]
    ) -> None:
        """Put blocks on top: those headers to be kept, and all events with their blocks. Headers below `final` go."""
        with self._changes():
            self._insert(with_events, events)
            self._db.executemany(
                "INSERT INTO header VALUES (?, ?, ?, ?)", [(h.number, h.hash, h.parent, h.time) for h in headers]
            )
            self._db.execute("DELETE FROM header WHERE number < ?", (final,))

    def drop_above(self, number: int) -> None:
        """Take out whatever blocks above this one brought."""
        with self._changes():
            self._db.execute("DELETE FROM header WHERE number > ?", (number,))
            self._db.execute("DELETE FROM block WHERE number > ?", (number,))
            names = [table.name for event in self._tables.values() for table in event]
            for name in (*names, *clearings.TABLES):
                self._db.execute(f"DELETE FROM {name} WHERE block > ?", (number,))

    def _insert(self, blocks: Sequence[Header], events: Iterable[Event]) -> None:
        # A contract that comes later may have events in blocks that are known.
        self._db.executemany(
            "INSERT OR IGNORE INTO block VALUES (?, ?, ?)", [(b.number, b.hash, b.time) for b in blocks]
        )
        rows: dict[str, list[tuple[object, ...]]] = {}
        cleared: list[Clearing] = []
        for event in events:
            for table in self._tables[type_name(event.contract), event.name]:
                rows.setdefault(table.name, []).extend(table.rows(event))
            if (clearing := Clearing.of(event)) is not None:
                cleared.append(clearing)
        for name, some in rows.items():
            if some:
                places = ", ".join("?" * len(some[0]))
                self._db.executemany(f"INSERT INTO {name} VALUES ({places})", some)
        clearings.keep(self._db, cleared)

    # ----------------------------------------------------------------------------------------------- contracts

    def record(self, contracts: Mapping[str, str], events: Iterable[Event]) -> int:
        """Put in all events that a run recorded; returns how many."""
        count, waiting = 0, iter(events)
        with self._changes():
            self._db.executemany("INSERT INTO contract VALUES (?, ?)", contracts.items())
            while some := list(islice(waiting, _ROWS)):
                blocks = {(event.block,) for event in some}
                self._db.executemany("INSERT OR IGNORE INTO block VALUES (?, NULL, NULL)", blocks)
                self._insert((), some)
                count += len(some)
        return count

    def name(self, members: Mapping[str, str]) -> None:
        """What members are called, by the account they applied with."""
        with self._changes():
            self._db.executemany("INSERT OR REPLACE INTO member VALUES (?, ?)", members.items())

    def contracts(self) -> dict[str, str]:
        """Addresses of the contracts whose events are in the index, by name."""
        return dict(self._db.execute("SELECT name, address FROM contract"))

    def include(self, contracts: Mapping[str, str], known: Iterable[tuple[Sequence[Header], Iterable[Event]]]) -> None:
        """Follow more contracts from now on; known: the blocks, and in them the events, of the past."""
        with self._changes():
            self._db.executemany("INSERT INTO contract VALUES (?, ?)", contracts.items())
            for blocks, events in known:
                self._insert(blocks, events)

    def unknown_markets(self) -> list[str]:
        """Addresses of markets that were added to the schedule and whose events are not followed."""
        question = (
            "SELECT DISTINCT market FROM schedule_market_added WHERE market NOT IN (SELECT address FROM contract)"
        )
        return [address for (address,) in self._db.execute(question)]


def _statements(script: str) -> list[str]:
    """The statements of a script, in none of which, nor in a comment, there is a semicolon."""
    return [statement for part in script.split(";") if (statement := part.strip())]
