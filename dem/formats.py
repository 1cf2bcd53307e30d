"""The formats of the files that a run writes and a tool reads back, by number.

A number goes up when a version that knows only the number before would read the file wrongly. A file without one was
written before there were numbers, and is of format 1.

Here is also how every settings file (TOML) is read, how what is wrong in one is said, and how a file is written whole.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
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

_LONGEST_SHOWN = 80
"""Characters of a wrong value that are shown."""


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


def read_settings(
    path: Path,
    kind: type[Settings],
    context: Mapping[str, Any] | None = None,
    *,
    missing: str = "name a file that is there",
) -> Settings:
    """Settings from a TOML file. context: for their validators. missing: what to say if it is not there.

    Raises:
        InputError: it cannot be read, or a key is missing, unknown or will not do.
    """
    record = read_toml(path, missing)
    try:
        return kind.model_validate(record, context=dict(context or {}))
    except ValidationError as error:
        raise first_mistake(str(path), error) from error


def read_toml(path: Path, missing: str = "") -> dict[str, Any]:
    """A TOML file, its decimals exact. missing: what to say if it is not there.

    Raises:
        InputError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except FileNotFoundError as error:
        raise InputError(str(path), None, f"does not exist{missing and f': {missing}'}") from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), None, f"is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise InputError(str(path), None, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(str(path), None, f"is not TOML: {error}") from error


def all_mistakes(where: str, error: ValidationError) -> Iterator[InputError]:
    """Pydantic's complaints in our words."""
    for one in error.errors():
        key = ".".join(str(part) for part in one["loc"])
        is_nested = isinstance(one["input"], dict)
        shown = (
            one["input"] if len(repr(one["input"])) <= _LONGEST_SHOWN else f"{repr(one['input'])[:_LONGEST_SHOWN]}..."
        )
        why = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            missing = [str(other["loc"][-1]) for other in error.errors() if other["type"] == "missing"]
            near = get_close_matches(str(one["loc"][-1]), missing, 1)
            why = f"is no key: did you mean {near[0]}?" if near else "is no key that is known"
        elif one["type"] == "missing":
            why = "must be given"
        yield InputError(f"{where}, {key}" if key else where, None if is_nested else shown, why)


def first_mistake(where: str, error: ValidationError) -> InputError:
    """The first of pydantic's complaints in our words."""
    return next(all_mistakes(where, error))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whenever this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
