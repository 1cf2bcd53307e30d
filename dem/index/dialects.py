"""What SQLite and PostgreSQL say each in its own way. All else of an index is one text that both understand."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from dem.index.database import POSTGRESQL, SQLITE

_WORDS = (
    (r"\bINTEGER\b", "BIGINT"),
    (r"\bANY\b", "NUMERIC"),  # exact, of any size
    (r"\) STRICT\b.*", ")"),
)
"""Of the definition of a table in SQLite, and what PostgreSQL has instead."""
_DATETIME = (
    "CREATE FUNCTION datetime(seconds BIGINT, unit TEXT) RETURNS TEXT LANGUAGE sql STABLE "
    "RETURN to_char(to_timestamp(seconds) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
)
"""What views take from SQLite. The unit is always 'unixepoch'."""
_ALONE = {SQLITE: "BEGIN IMMEDIATE", POSTGRESQL: "SELECT pg_advisory_xact_lock(20482)"}
"""Only one transaction changes an index at a time, from its first look on. The number is any."""


def definitions(kind: str, tables: Iterable[str]) -> list[str]:
    """Statements that come before all views: tables as SQLite defines them, in words of a kind of database."""
    if kind == SQLITE:
        return [*tables]
    found = [_DATETIME]
    for table in tables:
        for theirs, ours in _WORDS:
            table = re.sub(theirs, ours, table)
        found.append(table)
    return found


@contextmanager
def changes(engine: Engine) -> Iterator[Connection]:
    """A transaction that changes an index: all of it or nothing, and nobody else's meanwhile."""
    with engine.begin() as connection:
        connection.exec_driver_sql(_ALONE[engine.dialect.name])
        yield connection


def put(connection: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert whole rows into a table, as fast as each can."""
    if not rows:
        return
    if connection.dialect.name == SQLITE:
        connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", [*rows])
    else:
        _copy(connection, f"COPY {table} FROM STDIN", rows)


def _copy(connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    driver: Any = connection.connection
    errors: Any = connection.dialect.dbapi
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except errors.Error as error:  # past SQLAlchemy, which would have said so itself
        kind = OperationalError if isinstance(error, errors.OperationalError) else DBAPIError
        raise kind(statement, None, error) from error


def note_sizes(connection: Connection, table: str = "") -> None:
    """After a table was filled, or all: PostgreSQL plans by what it knows of them; SQLite's plans are made without."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql(f"ANALYZE {table}")


def plain_numbers(connection: Any, _record: object) -> None:
    """Have PostgreSQL give numbers as SQLite does: sums of integers as integers, fractions as floats."""
    from psycopg.adapt import Buffer, Loader

    class Number(Loader):
        def load(self, data: Buffer) -> int | float:
            text = bytes(data).decode()
            return float(text) if "." in text else int(text)

    connection.adapters.register_loader("numeric", Number)
