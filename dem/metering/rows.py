"""Tables as rows of text, out of CSV files and Excel workbooks; what a file hides is not unpacked beyond a limit."""

import csv
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

from dem.errors import InputError
from dem.metering.record import MOST_BYTES, Key, Reading
from dem.tables import Cell, in_order

MOST_UNPACKED = 4 * MOST_BYTES
_MOST_COLUMNS = 20_000
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, DefusedXmlException, NotImplementedError),
    *(RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError, AttributeError),
)
"""What openpyxl and what it uses raise for what is no workbook, an entity in one among it; zipfile raises
NotImplementedError for what is packed in a way it does not know."""
_ZIP = b"PK\x03\x04"


class Table(NamedTuple):
    """Rows with their numbers, and what a row is called in the file. has_comma: whether 0,5 is a number."""

    rows: list[tuple[int, list[str]]]
    lines: str
    has_comma: bool


def read_table(path: Path, content: bytes) -> Table:
    """The rows of a CSV file, or of an Excel workbook's first sheet; blank ones are left away.

    Raises:
        InputError: it is neither, or packs more than it may.
    """
    if content.startswith(_ZIP):
        return Table([*_of_workbook(path, content)], "row", has_comma=False)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), None, f"is not UTF-8 (byte {error.start}): save it as CSV UTF-8") from error
    if "\0" in text:
        raise InputError(str(path), None, "is no text: it holds bytes of zero")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    return Table([*_of_text(path, text, separator)], "line", has_comma=separator != ",")


def _of_text(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for values in reader:
            if any(value.strip() for value in values):
                yield reader.line_num, [value.strip() for value in values]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}", None, f"is no line of a table: {error}") from error


def _of_workbook(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        if unpacked > MOST_UNPACKED:
            why = f"unpacks to {unpacked >> 20} MiB: at most {MOST_UNPACKED >> 20}"
            raise InputError(str(path), None, why)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that a table of numbers does not need
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what a file says of its own size may be wrong
            for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
                if len(row) > _MOST_COLUMNS:
                    raise InputError(f"{path}, row {number}", None, f"has more than {_MOST_COLUMNS} columns")
                if any(value is not None for value in row):
                    yield number, [_text(value) for value in row]
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(str(path), None, f"is no Excel workbook that can be read ({type(error).__name__})") from error


def _text(value: object) -> str:
    """A cell as it would be written into a CSV file; a formula as such: what it gave when it was saved is no value."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, ArrayFormula | DataTableFormula):
        return "={...}"
    return str(value).strip()


def energy(cell: Cell, has_comma: bool, per_one: int) -> int:
    """A number of energy in a unit of which `per_one` millionths of a Wh make 1."""
    if has_comma and "." not in cell.text:
        cell = replace(cell, text=cell.text.replace(",", "."))
    return cell.multiple(per_one, "millionths of a Wh")


def instant(cell: Cell, zone: tzinfo) -> datetime:
    """A time as it is written: ISO, or day first (31.12.2026 23:45)."""
    for form in ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y"):
        try:
            return datetime.strptime(cell.text, form)  # noqa: DTZ007 - the zone is told apart from the file
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(cell.text)
    except ValueError as error:
        raise cell.wrong("must be a time such as 2026-05-08T00:00+02:00 or 08.05.2026 00:00") from error
    if found.tzinfo is None and zone is UTC:
        raise cell.wrong(
            "must say its offset from UTC, such as +02:00; or --timezone (timezone= of a gateway) has to name it"
        )
    return found


def placed(found: Iterable[tuple[Key, Cell, datetime, Reading]], zone: tzinfo) -> Iterator[tuple[Key, Reading]]:
    """Readings whose times may be local, with the real ones.

    An hour that occurs twice is first the one before clocks go back, in each series.
    """
    together: dict[Key, list[tuple[Cell, datetime, Reading]]] = {}
    for key, cell, when, reading in found:
        together.setdefault(key, []).append((cell, when, reading))
    for key, some in together.items():
        starts, order = in_order([(cell, when) for cell, when, _ in some], zone)
        for place in order:
            yield key, some[place][2]._replace(start=starts[place])
