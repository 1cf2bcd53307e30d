"""The template: a table, CSV or Excel, with a line for each value. docs/guide/meters.md describes it."""

from datetime import tzinfo
from pathlib import Path
from typing import TypeVar

from dem.errors import InputError
from dem.metering.record import PER_KWH, Delivery, Direction, Quality, Reading, collect
from dem.metering.rows import Table, energy, instant, placed
from dem.tables import Cell, Row

COLUMNS = ("meter", "direction", "start", "kwh")
OPTIONAL = ("quality", "minutes", "issued")
_MINUTES = 15
Word = TypeVar("Word", Quality, Direction)


def is_template(table: Table) -> bool:
    """Whether the first row is the template's."""
    return bool(table.rows) and {*COLUMNS} <= {name.lower() for name in table.rows[0][1]}


def read_template(path: Path, table: Table, zone: tzinfo) -> Delivery:
    """A filled-in template. zone: of times without offset.

    Raises:
        InputError: a column is unknown or there twice, a row has another length, or a value will not do.
    """
    first, names = table.rows[0]
    header = [name.lower() for name in names]
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{path}, {table.lines} {first}", name, "is there twice")
        if name not in (*COLUMNS, *OPTIONAL):
            raise InputError(f"{path}, {table.lines} {first}", name, f"is none of {', '.join((*COLUMNS, *OPTIONAL))}")
    found = []
    for line, values in table.rows[1:]:
        if len(values) != len(header):
            why = f"has {len(values)} values for {len(header)} columns"
            raise InputError(f"{path}, {table.lines} {line}", ",".join(values)[:80], why)
        row = {name: Cell(path, line, name, text, table.lines) for name, text in zip(header, values, strict=True)}
        direction = _word(row["direction"], Direction)
        quality = _word(row["quality"], Quality) if _has(row, "quality") else Quality.MEASURED
        seconds = 60 * (row["minutes"].integer() if _has(row, "minutes") else _MINUTES)
        issued = int(instant(row["issued"], zone).timestamp()) if _has(row, "issued") else None
        is_empty = quality is Quality.MISSING and not _has(row, "kwh")
        value = 0 if is_empty else energy(row["kwh"], table.has_comma, PER_KWH)
        key = row["meter"].text, direction, seconds, issued
        found.append((key, row["start"], instant(row["start"], zone), Reading(0, value, quality, line)))
    return Delivery(path, "template", table.lines, collect(placed(found, zone))).checked()


def _has(row: Row, column: str) -> bool:
    return column in row and bool(row[column].text)


def _word(cell: Cell, kind: type[Word]) -> Word:
    try:
        return kind(cell.text.lower())
    except ValueError:
        raise cell.wrong(f"is none of {', '.join(kind)}") from None
