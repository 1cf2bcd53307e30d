"""The market's events as tables of a database that follows the chain through its reorganisations."""

from pathlib import Path

DEPTH = 64
"""Blocks that a chain may reorganise, unless told otherwise."""
Place = str | Path
"""Where an index is: a file of SQLite by its path, or a database by its URL."""


def place_of(named: str, folder: Path) -> Place:
    """As settings name it, a path relative to a folder."""
    return named if "://" in named else folder / named
