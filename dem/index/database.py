"""Databases by their URL: SQLite or PostgreSQL, prepared alike wherever they are opened."""

from typing import Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError

from dem.errors import InputError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


def engine_of(where: str, url: str, **options: Any) -> Engine:
    """The engine of a database. where: its URL was named.

    Raises:
        InputError: the URL is none, or of another kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError(where, None, "is no URL of a database, such as postgresql://user@host/name") from None
    kind = parsed.get_backend_name()
    if kind not in _DRIVERS:
        raise InputError(where, kind, f"is no database that is known here: {' and '.join(_DRIVERS)} are")
    engine = create_engine(parsed.set(drivername=_DRIVERS[kind]), pool_pre_ping=True, **options)
    if kind == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")
