"""What is in an index."""

import sqlite3
from contextlib import closing
from pathlib import Path


def rows(path: Path, question: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(question).fetchall()


def dump(path: Path) -> list[str]:
    """All of it, as SQL."""
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())
