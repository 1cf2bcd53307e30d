"""The formats of the files that a run writes and a tool reads back, by number.

A number goes up when a version that knows only the number before would read the file wrongly. A file without one was
written before there were numbers, and is of format 1.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dem.errors import FormatError, InputError

Settings = TypeVar("Settings", bound=BaseModel)

KEY = "format"

MANIFEST = 1
"""manifest.json: what was deployed where."""
RECORD = 1
"""events.jsonl and balances.json, whose number speaks for both: without balances the events are not read back."""
RUN = 1
"""run.json, and the CSV tables beside it."""
BOOK = 1
"""book.json: whose clearing a folder holds."""
BILLS = 1
"""book.jsonl: the bills that were issued."""


def require_format(path: Path, record: Mapping[str, Any], newest: int) -> None:
    """Refuse a file of a format that this version does not know.

    Raises:
        FormatError: its format is newer, or no number.
    """
    number = record.get(KEY, 1)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise FormatError(f"{path}: {KEY}", number, "is no number of a format")
    if number > newest:
        raise FormatError(
            f"{path}: {KEY}", number, f"is newer than this version of dem reads (up to {newest}): use a newer version"
        )


def read_settings(path: Path, kind: type[Settings], context: Mapping[str, Any] | None = None) -> Settings:
    """Settings from a TOML file. context: for their validators.

    Raises:
        InputError: it cannot be read, or a key is missing, unknown or will not do.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(str(path), None, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), None, f"is no TOML: {error}") from error
    try:
        return kind.model_validate(record, context=dict(context or {}))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        value = None if first["type"] == "missing" else first["input"]
        raise InputError(f"{path}, {where}", value, first["msg"]) from error
