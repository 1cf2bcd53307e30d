"""The database: what of the chain is in it, put in and taken out by whole blocks."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from dem.chain.blocks import Header
from dem.chain.events import Event
from dem.errors import ChainError, IndexMovedError
from dem.index import DEPTH, Place, clearings, dialects
from dem.index.clearings import Clearing
from dem.index.database import SQLITE, engine_of, said, shown, url_of
from dem.index.tables import Table, type_name
from dem.model.calendar import CalendarParameters

_VIEWS = Path(__file__).with_name("views.sql")
_FRAME = (
    "CREATE TABLE index_of (what TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
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
    "CREATE INDEX escrow_bought_by ON escrow_trades_funded (buyer)",
    "CREATE INDEX escrow_sold_by ON escrow_trades_funded (seller)",
    "CREATE INDEX escrow_funded_as ON escrow_trades_funded (number)",
    "CREATE INDEX escrow_released_as ON escrow_trades_released (number)",
    "CREATE INDEX escrow_expired_as ON escrow_trades_released_by_readings (number)",
    "CREATE INDEX credited_of ON nrg_coin_credited (id)",
    "CREATE INDEX coins_corrected_of ON nrg_coin_coins_corrected (id, day)",
    'CREATE INDEX coins_given_by ON nrg_coin_coins_moved ("from")',
    'CREATE INDEX coins_given_to ON nrg_coin_coins_moved ("to")',
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
    """An index. Every change is a transaction of the database, so that a process may end at any time.

    A change is made on top of what was seen here last. If another process has changed the index since, nothing changes,
    and an IndexMovedError says so: two that keep one index do it no harm.
    """

    def __init__(
        self,
        place: Place,
        tables: Mapping[tuple[str, str], Sequence[Table]],
        origin: Origin,
        depth: int | None = None,
        source: str = CHAIN,
    ) -> None:
        """Open the index at `place`, the path of a file or the URL of a database, or make one.

        depth: blocks behind the newest one from which a block is final; None: as made, DEPTH for a new one.
        source: of its events.

        Raises:
            InputError: the place is no URL, or of another kind of database.
            ChainError: it cannot be opened, is no index, or that of another market, depth or version.
        """
        self._tables = tables
        names = [table.name for event in tables.values() for table in event]
        self._by_block = [*names, *clearings.TABLES]
        url = url_of("index", place)
        self.where = shown(url)
        self._engine = engine_of("index", url)
        if url.get_backend_name() == SQLITE:
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        self._newest: Header | None = None
        self._followed: Mapping[str, str] = {}
        try:
            self._prepare(origin, depth, source)
        except DBAPIError as error:
            raise ChainError(f"{self.where}: cannot be used as an index ({said(error)}); name another one") from error

    def close(self) -> None:
        """Let go of it."""
        self._engine.dispose()

    def _prepare(self, origin: Origin, depth: int | None, source: str) -> None:
        tables = [*_FRAME, *(table.definition for event in self._tables.values() for table in event)]
        tables += clearings.DEFINITIONS
        views = _VIEWS.read_text(encoding="utf-8")
        made = [*dialects.definitions(self._engine.dialect.name, tables), *_INDEXES, *_statements(views)]
        wanted = {
            "chain_id": str(origin.chain_id),
            "genesis": origin.genesis,
            "registry": origin.registry,
            "schema": hashlib.sha256("\n".join(made).encode()).hexdigest(),
            "source": source,
        }
        if depth is not None:
            wanted["depth"] = str(depth)
        with dialects.changes(self._engine) as connection:
            there = inspect(connection).get_table_names()
            if not there:
                connection.execution_options(no_parameters=True)  # a % is a % here
                for statement in made:
                    connection.exec_driver_sql(statement)
                dialects.put(connection, "index_of", [*({"depth": str(DEPTH)} | wanted).items()])
                calendar = origin.calendar
                row = calendar.opening, calendar.period_length, calendar.periods_per_day
                dialects.put(connection, "calendar", [row])
                dialects.note_sizes(connection, "calendar")
            elif "index_of" not in there:
                raise ChainError(f"{self.where}: cannot be used as an index (it has other tables); name another one")
            found = _pairs(connection, "SELECT what, value FROM index_of")
        for what, value in wanted.items():
            if found.get(what) != value:
                raise ChainError(
                    f"{self.where}: is an index with {what} {found.get(what)}, not {value}; give what it was made "
                    "with, or index anew into another one"
                )
        self.depth = int(found["depth"])
        """Blocks behind the newest one from which a block is final."""

    @contextmanager
    def _changes(self) -> Iterator[Connection]:
        """All of it or nothing, on top of what was seen last."""
        with dialects.changes(self._engine) as connection:
            seen = self._newest, self._followed
            self._newest, self._followed = now = _newest(connection), _contracts(connection)
            if now != seen:
                raise IndexMovedError(f"{self.where}: another process has changed this index")
            yield connection
            left = _newest(connection), _contracts(connection)
        self._newest, self._followed = left

    # -------------------------------------------------------------------------------------------------- blocks

    def headers(self) -> list[Header]:
        """The last blocks that are in the index, in their order; those before the first one are final."""
        with self._engine.connect() as connection:
            found = _headers(connection, "ASC")
        self._newest = found[-1] if found else None
        return found

    def append(
        self, headers: Sequence[Header], final: int, with_events: Sequence[Header], events: Iterable[Event]
    ) -> None:
        """Put blocks on top: those headers to be kept, and all events with their blocks. Headers below `final` go.

        Raises:
            IndexMovedError: another process has changed the index.
        """
        with self._changes() as connection:
            self._insert(connection, with_events, events)
            dialects.put(connection, "header", [(h.number, h.hash, h.parent, h.time) for h in headers])
            connection.execute(text("DELETE FROM header WHERE number < :final"), {"final": final})

    def drop_above(self, number: int) -> None:
        """Take out whatever blocks above this one brought.

        Raises:
            IndexMovedError: another process has changed the index.
        """
        with self._changes() as connection:
            for table, column in (("header", "number"), ("block", "number"), *((t, "block") for t in self._by_block)):
                connection.exec_driver_sql(f"DELETE FROM {table} WHERE {column} > {number:d}")

    def _insert(self, connection: Connection, blocks: Sequence[Header], events: Iterable[Event]) -> None:
        _put_blocks(connection, [{"number": b.number, "hash": b.hash, "time": b.time} for b in blocks])
        rows: dict[str, list[tuple[object, ...]]] = {}
        cleared: list[Clearing] = []
        for event in events:
            for table in self._tables[type_name(event.contract), event.name]:
                rows.setdefault(table.name, []).extend(table.rows(event))
            if (clearing := Clearing.of(event)) is not None:
                cleared.append(clearing)
        for name, some in rows.items():
            dialects.put(connection, name, some)
        clearings.keep(connection, cleared)

    # ----------------------------------------------------------------------------------------------- contracts

    def record(self, contracts: Mapping[str, str], events: Iterable[Event]) -> int:
        """Put in all events that a run recorded, in the place of what there was; returns how many."""
        count, waiting = 0, iter(events)
        with dialects.changes(self._engine) as connection:
            for table in ("contract", "block", *self._by_block):
                connection.exec_driver_sql(f"DELETE FROM {table}")
            dialects.put(connection, "contract", [*contracts.items()])
            while some := list(islice(waiting, _ROWS)):
                numbers = {event.block for event in some}
                _put_blocks(connection, [{"number": number, "hash": None, "time": None} for number in numbers])
                self._insert(connection, (), some)
                count += len(some)
            dialects.note_sizes(connection)
        return count

    def name(self, members: Mapping[str, str]) -> None:
        """What members are called, by the account they applied with."""
        statement = (
            "INSERT INTO member VALUES (:account, :name) ON CONFLICT (account) DO UPDATE SET name = excluded.name"
        )
        with dialects.changes(self._engine) as connection:
            if members:
                connection.execute(text(statement), [{"account": a, "name": name} for a, name in members.items()])

    def contracts(self) -> dict[str, str]:
        """Addresses of the contracts whose events are in the index, by name."""
        with self._engine.connect() as connection:
            found = _contracts(connection)
        self._followed = found
        return found

    def include(self, contracts: Mapping[str, str], known: Iterable[tuple[Sequence[Header], Iterable[Event]]]) -> None:
        """Follow more contracts from now on; known: the blocks, and in them the events, of the past.

        Raises:
            IndexMovedError: another process has changed the index.
        """
        with self._changes() as connection:
            dialects.put(connection, "contract", [*contracts.items()])
            for blocks, events in known:
                self._insert(connection, blocks, events)

    def unknown_markets(self) -> list[str]:
        """Addresses of markets that were added to the schedule and whose events are not followed."""
        question = (
            "SELECT DISTINCT market FROM schedule_market_added WHERE market NOT IN (SELECT address FROM contract)"
        )
        with self._engine.connect() as connection:
            return [*connection.execute(text(question)).scalars()]


def _pairs(connection: Connection, question: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(text(question))}


def _contracts(connection: Connection) -> dict[str, str]:
    return _pairs(connection, "SELECT name, address FROM contract")


def _headers(connection: Connection, order: str) -> list[Header]:
    question = f"SELECT number, hash, parent, time FROM header ORDER BY number {order}"
    return [Header(*row) for row in connection.execute(text(question))]


def _newest(connection: Connection) -> Header | None:
    return next(iter(_headers(connection, "DESC LIMIT 1")), None)


def _put_blocks(connection: Connection, blocks: Sequence[Mapping[str, object]]) -> None:
    """A contract that comes later may have events in blocks that are known."""
    if blocks:
        connection.execute(text("INSERT INTO block VALUES (:number, :hash, :time) ON CONFLICT DO NOTHING"), blocks)


def _statements(script: str) -> list[str]:
    """The statements of a script, in none of which, nor in a comment, there is a semicolon."""
    return [statement for part in script.split(";") if (statement := part.strip())]
