"""The formats of the files that a run writes and a tool reads back, by number.

A number goes up when a version that knows only the number before would read the file wrongly. A file without one was
written before there were numbers, and is of format 1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dem.errors import FormatError

KEY = "format"

MANIFEST = 1
"""manifest.json: what was deployed where."""
RECORD = 1
"""events.jsonl and balances.json, whose number speaks for both: without balances the events are not read back."""
RUN = 1
"""run.json, and the CSV tables beside it."""
BOOK = 1
"""book.json: whose clearing a folder holds."""


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
