"""Databases by their URL: SQLite or PostgreSQL, prepared alike wherever they are opened."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from dem.errors import InputError
from dem.index import Place, place_of

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_DRIVERS = {SQLITE: "sqlite", POSTGRESQL: "postgresql+psycopg"}
_SECRETS = ("password", "sslpassword")
"""Of the part of a URL behind the question mark."""
_POOL = {"pool_size": 40}
"""Connections that stay open: one for each thread of a server that answers. A file is never away, and not asked for."""
AWAY = (OperationalError, InterfaceError)
"""What is raised while a database cannot be reached: it may be there again in a moment."""


def url_of(where: str, place: Place) -> URL:
    """The URL of a place. where: it was named.

    Raises:
        InputError: it is no URL.
    """
    if isinstance(found := place_of(str(place), Path()), Path):
        return URL.create(SQLITE, database=str(found.resolve()))
    return _parsed(where, found)


def _parsed(where: str, url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # which tell all of it, so they go no further
        raise InputError(where, None, "is no URL of a database, such as postgresql://user@host/name") from None


def engine_of(where: str, url: str | URL, is_read_only: bool = False, **options: Any) -> Engine:
    """The engine of a database. where: its URL was named. is_read_only: nothing is changed by it, file or table.

    Raises:
        InputError: the URL is none, or of another kind of database.
    """
    parsed = _parsed(where, url) if isinstance(url, str) else url
    kind = parsed.get_backend_name()
    if kind not in _DRIVERS:
        raise InputError(where, kind, f"is no database that is known here: {' and '.join(_DRIVERS)} are")
    parsed = parsed.set(drivername=_DRIVERS[kind])
    if kind == SQLITE and is_read_only:
        parsed = parsed.set(database=f"file:{quote(parsed.database or '')}", query={"mode": "ro", "uri": "true"})
    try:
        engine = create_engine(parsed, **_POOL | {"pool_pre_ping": kind != SQLITE} | options)
    except ModuleNotFoundError as error:
        why = f"needs {error.name}, which is not installed: `make setup`, or pip install 'dem[gateway]'"
        raise InputError(where, kind, why) from None
    prepare = {(SQLITE, False): _prepare_sqlite, (POSTGRESQL, True): _only_read}.get((kind, is_read_only))
    if prepare is not None:
        event.listen(engine, "connect", prepare)
    return engine


def shown(url: URL) -> str:
    """A database as people are told of it: the path of a file, or a URL without what is secret."""
    if url.get_backend_name() == SQLITE:
        return url.database or ""
    return url.set(drivername=url.get_backend_name()).difference_update_query(_SECRETS).render_as_string()


def said(error: DBAPIError) -> str:
    """What a database says of a failure: the first line, without the question, which may tell of people."""
    return next(iter(str(error.orig).splitlines()), type(error.orig).__name__)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")


def _only_read(connection: Any, _record: object) -> None:
    connection.execute("SET default_transaction_read_only = on")
    connection.commit()
