"""CSV tables, plain or gzipped: whatever is wrong is an `InputError` that names file, line, column and value."""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TextIO, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from dem.errors import InputError
from dem.units import Money, parse_money

START = "start"
"""Column of every table over time: ISO time with its offset, when the period begins."""

_INTEGER = re.compile(r"[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table, and where it stands."""

    path: Path
    line: int
    column: str
    text: str

    def wrong(self, why: str) -> InputError:
        """The error that refuses this value."""
        return InputError(f"{self.path}, line {self.line}, column {self.column}", self.text, why)

    def integer(self) -> int:
        """A whole number, not negative."""
        if not _INTEGER.fullmatch(self.text):
            raise self.wrong("must be a whole number, at least 0")
        return int(self.text)

    def multiple(self, per_one: int, unit: str) -> int:
        """A decimal number, negative or not, counted in a unit of which `per_one` make 1."""
        if not _DECIMAL.fullmatch(self.text):
            raise self.wrong("must be a plain decimal number such as -12.34")
        count = Decimal(self.text) * per_one
        if count != int(count):
            raise self.wrong(f"must be a whole number of {unit}")
        return int(count)

    def money(self) -> Money:
        """An amount of currency, not negative."""
        try:
            return parse_money(self.text)
        except InputError as error:
            raise self.wrong(error.why) from error

    def period(self, seconds: int) -> int:
        """Number of the period of that length which begins at this time."""
        try:
            start = datetime.fromisoformat(self.text)
        except ValueError as error:
            raise self.wrong("must be an ISO time such as 2016-05-08T00:00+02:00") from error
        if start.tzinfo is None:
            raise self.wrong("must say its offset from UTC, such as +02:00")
        period, rest = divmod(start.timestamp(), seconds)
        if rest:
            raise self.wrong(f"must be the start of a period of {seconds} s")
        return int(period)


Row: TypeAlias = dict[str, Cell]
T = TypeVar("T")


def read_rows(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """A table's rows. Its columns are the given ones in any order; a row lacks the optional ones its table lacks.

    Raises:
        InputError: the file cannot be read, or has other columns or a line of another length.
    """
    lines = _lines(path, columns)
    _, header = next(lines)
    for column in header:
        if column not in {*columns, *optional}:
            raise InputError(f"{path}, line 1", column, f"is none of {', '.join([*columns, *optional])}")
    for line, values in lines:
        yield {name: Cell(path, line, name, text) for name, text in zip(header, values, strict=True)}


def in_time(starts: Iterable[tuple[Cell, T]], seconds: int, until: int | None = None) -> Iterator[tuple[int, T]]:
    """What stands beside each start with the number of its period: one every `seconds`, without a gap.

    until: period at which to stop, whatever follows.

    Raises:
        InputError: a start is no time, or does not follow the one before.
    """
    following = None
    for start, beside in starts:
        period = start.period(seconds)
        if following is not None and period != following:
            raise start.wrong(f"must follow the line before by {seconds} s")
        if until is not None and period >= until:
            return
        yield period, beside
        following = period + 1


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Numbers over time. first: number of the first line's period. values: shape (periods, columns)."""

    first: int
    columns: tuple[str, ...]
    values: npt.NDArray[np.int64]


def read_series(
    path: Path,
    seconds: int,
    *,
    decimals: int = 0,
    only: Iterable[str] | None = None,
    until: int | None = None,
) -> Series:
    """A table over time of numbers that are not negative, each below 10^15 / 10^decimals.

    decimals: how many a number may have at most; values are in units of the last of them.
    only: columns to read, if not all. until: period from which on lines are left alone.

    Raises:
        InputError: the file cannot be read, has no lines, lacks a column, or a time or number will not do.
    """
    wanted = None if only is None else set(only)
    if wanted and START in wanted:
        raise InputError(f"{path}, line 1", START, "is the column of times, not of numbers")
    lines = _lines(path, [START, *sorted(wanted or ())])
    _, header = next(lines)
    places = [i for i, name in enumerate(header) if name != START and (wanted is None or name in wanted)]
    fraction = rf"(\.[0-9]{{1,{decimals}}})?" if decimals else ""
    number = re.compile(rf"[0-9]{{1,{15 - decimals}}}{fraction}")
    row = re.compile(rf"({number.pattern},)*")
    start = header.index(START)
    starts = ((Cell(path, line, START, texts[start]), (line, texts)) for line, texts in lines)
    first, values = None, []
    for period, (line, texts) in in_time(starts, seconds, until):
        first = period if first is None else first
        numbers = [texts[i] for i in places]
        if not row.fullmatch(",".join([*numbers, ""])):  # a row at once is five times as fast as cell by cell
            cells = (Cell(path, line, header[i], texts[i]) for i in places)
            kind = f"a number with at most {decimals} decimals" if decimals else "a whole number"
            raise next(cell for cell in cells if not number.fullmatch(cell.text)).wrong(f"must be {kind}, at least 0")
        values.append(np.array(numbers, dtype=np.float64))
    if first is None:
        raise InputError(str(path), None, "has no rows" + ("" if until is None else " before the scenario's end"))
    # Below 2^53 the nearest binary fraction, scaled, rounds to the very number that was written.
    return Series(first, tuple(header[i] for i in places), np.rint(np.array(values) * 10**decimals).astype(np.int64))


def _lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Number and values of each line, first the header, which must hold these columns."""
    opened: Callable[..., TextIO] = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            for column in columns:
                if column not in header:
                    raise InputError(f"{path}, line 1", header, f"lacks the column {column}")
            for column, times in Counter(header).items():
                if times > 1:
                    raise InputError(f"{path}, line 1", column, "is there twice")
            yield 1, header
            for values in reader:
                line = reader.line_num
                if len(values) != len(header):
                    why = f"has {len(values)} values for {len(header)} columns"
                    raise InputError(f"{path}, line {line}", ",".join(values)[:80], why)
                yield line, values
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(str(path), None, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
