"""CSV tables, plain or gzipped: whatever is wrong is an `InputError` that names file, line, column and value.

Tables over time may be in any order, in local time or with offsets, and of any resolution, also of one that changes on
the way. `Series` brings them to the market's periods: energy so that no Wh is lost, prices and shares as means.
"""

import csv
import gzip
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Generic, NamedTuple, TextIO, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from dem.errors import InputError, Mistakes
from dem.model.units import Money, parse_money

START = "start"
"""Column of every table over time: ISO time, when the period begins."""
DAY_SECONDS = 86_400
FRACTIONS = 10**6
"""Parts of a Wh that readings are taken in: decimals of kWh, exactly, and without what floats add."""
_LARGEST = 10**15
_NOISE = 1e-6
"""What floats may add to a whole number."""
_FEWEST_ROWS, _LEAST_SECONDS = 4, 23 * 3_600
"""So many lines over so many seconds of another resolution are a change of it; fewer are lines that are missing."""
_MOST_GAPS = 3

_INTEGER = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
Integers: TypeAlias = npt.NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table, and where it stands. lines: what the file calls its lines."""

    path: Path
    line: int
    column: str
    text: str
    lines: str = "line"

    def wrong(self, why: str) -> InputError:
        """The error that refuses this value."""
        return InputError(f"{self.path}, {self.lines} {self.line}, column {self.column}", self.text, why)

    def integer(self) -> int:
        """A whole number, not negative."""
        if not _INTEGER.fullmatch(self.text):
            raise self.wrong("must be a whole number, at least 0")
        return int(self.text)

    def multiple(self, per_one: int, unit: str) -> int:
        """A decimal number, negative or not, counted in a unit of which `per_one` make 1.

        What a float adds to a decimal number in its last places (53.790000000000006) is left away.
        """
        if not _NUMBER.fullmatch(self.text):
            raise self.wrong(f"must be a plain decimal number such as -12.34{hint(self.text)}")
        exact = Decimal(self.text)
        if abs(exact) * per_one >= _LARGEST:
            raise self.wrong("is too large")
        count = int((exact * per_one).to_integral_value())
        if not math.isclose(float(exact), count / per_one, rel_tol=1e-13, abs_tol=1e-12):
            raise self.wrong(f"must be a whole number of {unit}")
        return count

    def address(self) -> str:
        """An account, with its checksum (EIP-55)."""
        # Tables of a simulation have none, and do without the library.
        from eth_utils.address import to_checksum_address

        try:
            return to_checksum_address(self.text)
        except ValueError:
            raise self.wrong("must be an address of 20 bytes") from None

    def money(self) -> Money:
        """An amount of currency, not negative."""
        try:
            return parse_money(self.text)
        except InputError as error:
            raise self.wrong(error.why) from error

    def time(self, zone: tzinfo) -> datetime:
        """An ISO time, as it is written: with its offset, or local where the zone has a name."""
        try:
            start = datetime.fromisoformat(self.text)
        except ValueError as error:
            raise self.wrong("must be an ISO time such as 2016-05-08T00:00+02:00") from error
        if start.tzinfo is None and not isinstance(zone, ZoneInfo):
            raise self.wrong("must say its offset from UTC, such as +02:00; or calendar.timezone has to name the zone")
        return start


Row: TypeAlias = dict[str, Cell]


def hint(text: str) -> str:
    """What probably is the matter with a number."""
    if not text.strip():
        return ": it is missing"
    if text.startswith("="):
        return ": write the value in place of the formula"
    return ": write a decimal point for the comma" if re.fullmatch(r"[+-]?[0-9.]*,[0-9]+", text) else ""


def read_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), mistakes: Mistakes | None = None
) -> Iterator[Row]:
    """A table's rows. Its columns are the given ones in any order; a row lacks the optional ones its table lacks.

    Raises:
        InputError: the file cannot be read, or has other columns or a line of another length.
    """
    lines = _lines(path, columns, mistakes or Mistakes())
    _, header = next(lines)
    for column in header:
        if column not in {*columns, *optional}:
            raise InputError(f"{path}, line 1", column, f"is none of {', '.join([*columns, *optional])}")
    for line, values in lines:
        yield {name: Cell(path, line, name, text) for name, text in zip(header, values, strict=True)}


class Kept(Generic[T]):
    """What a file says, read again when it has another time or length.

    A file that is not there says what it said last, or nothing: it may be about to be replaced.
    """

    def __init__(self, path: Path, read: Callable[[Path], T], nothing: T) -> None:
        self._path, self._read, self._found = path, read, nothing
        self._mark: tuple[int, int] | None = None

    def __call__(self) -> T:
        """What it says now.

        Raises:
            InputError: it will not do.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return self._found
        mark = status.st_mtime_ns, status.st_size
        if mark != self._mark:
            self._found, self._mark = self._read(self._path), mark
        return self._found


@dataclass(frozen=True, eq=False)
class Series:
    """Numbers over time, one after another without a gap.

    edges: unix time at which each line begins, and at which the last one ends. lines: where each stands in the file.
    values: shape (lines, columns).
    """

    path: Path
    edges: Integers
    lines: Integers
    columns: tuple[str, ...]
    values: Integers

    @cached_property
    def lengths(self) -> Integers:
        """Seconds of each line."""
        return np.diff(self.edges)

    def periods(self, seconds: int) -> range:
        """Numbers of the periods of that length which it holds as a whole."""
        return range(-(-int(self.edges[0]) // seconds), int(self.edges[-1]) // seconds)

    def lines_of(self, periods: range, seconds: int) -> list[int]:
        """The line of the file that each period begins in."""
        places = np.searchsorted(self.edges, np.array(periods) * seconds, side="right") - 1
        numbers: list[int] = self.lines[places].tolist()
        return numbers

    def energy(self, seconds: int) -> Integers:
        """Wh by period, from fractions by line: what a register that counts whole Wh shows at their ends.

        A line that several periods share is divided evenly. The rest of a Wh is carried, so none is lost.
        """
        at, since = self._marks(seconds)
        sums = np.concatenate([np.zeros_like(self.values[:1]), np.cumsum(self.values, axis=0)])
        begun = self.values[at] * since[:, np.newaxis] // self.lengths[at][:, np.newaxis]
        return np.diff((sums[at] + begun + FRACTIONS // 2) // FRACTIONS, axis=0)

    def mean(self, seconds: int) -> Integers:
        """The mean over each period, to the nearest whole number."""
        at, since = self._marks(seconds)
        sums = np.concatenate(
            [np.zeros_like(self.values[:1]), np.cumsum(self.values * self.lengths[:, np.newaxis], axis=0)]
        )
        return nearest(np.diff(sums[at] + self.values[at] * since[:, np.newaxis], axis=0), seconds)

    def _marks(self, seconds: int) -> tuple[Integers, Integers]:
        """Of all ends of periods the line they are in, and the seconds since it began."""
        periods = self.periods(seconds)
        marks = np.arange(periods.start, periods.stop + 1, dtype=np.int64) * seconds
        at = np.minimum(np.searchsorted(self.edges, marks, side="right") - 1, len(self.values) - 1)
        return at, marks - self.edges[at]

    def parts(self) -> tuple["Series", "Series"]:
        """What is positive in it, and what is negative, as a positive number."""
        return replace(self, values=np.maximum(self.values, 0)), replace(self, values=np.maximum(-self.values, 0))


def nearest(numerator: Integers, denominator: int) -> Integers:
    """numerator / denominator to the nearest whole number, from halfway to the even one."""
    quotient, rest = np.divmod(numerator, denominator)
    whole: Integers = quotient + np.where(2 * rest + quotient % 2 > denominator, 1, 0)
    return whole


def read_series(
    path: Path,
    zone: tzinfo,
    *,
    scale: int,
    only: Iterable[str] | None = None,
    until: int | None = None,
    negative: bool = False,
    single: int = DAY_SECONDS,
    unit: str = "",
    mistakes: Mistakes | None = None,
) -> Series:
    """A table over time of numbers, each below 10^14 / scale; values are in units of which `scale` make 1.

    zone: of times without offset, if it has a name. only: columns to read, if not all. until: unix time from which on
    lines are left alone. negative: whether numbers may be. single: seconds of a line that stands alone.
    unit: of which numbers must be whole ones, if given; else they are rounded.

    Raises:
        InputError: the file cannot be read, has no lines, lacks a column, or a time or number will not do.
    """
    asked = _Asked(zone, scale, None if only is None else frozenset(only), until, negative, single, unit)
    if mistakes is None or not mistakes.is_patient:
        with suppress(OSError):
            state = path.stat()
            return _known_series(path, (state.st_mtime_ns, state.st_size), asked)
    return _read_series(path, asked, mistakes or Mistakes())


class _Asked(NamedTuple):
    """How a table is read, see `read_series`."""

    zone: tzinfo
    scale: int
    wanted: frozenset[str] | None
    until: int | None
    negative: bool
    single: int
    unit: str


@lru_cache(maxsize=4)
def _known_series(path: Path, _state: tuple[int, int], asked: _Asked) -> Series:
    """As `read_series`, of a file that is not read again while it is the same: scenarios share large ones."""
    return _read_series(path, asked, Mistakes())


def _read_series(path: Path, asked: _Asked, mistakes: Mistakes) -> Series:
    zone, scale, wanted, until, negative, single, unit = asked
    if wanted and START in wanted:
        raise InputError(f"{path}, line 1", START, "is the column of times, not of numbers")
    lines = _lines(path, [START, *sorted(wanted or ())], mistakes)
    _, header = next(lines)
    start = header.index(START)
    places = [i for i, name in enumerate(header) if name != START and (wanted is None or name in wanted)]
    times: list[tuple[Cell, datetime]] = []
    texts: list[list[str]] = []
    for line, values in lines:
        with mistakes:
            cell = Cell(path, line, START, values[start])
            times.append((cell, cell.time(zone)))
            texts.append([values[i] for i in places])
    starts, order = in_order(times, zone)
    if until is not None:
        order = [i for i in order if starts[i] < until]
    if not order:
        raise InputError(str(path), None, "has no rows" + ("" if until is None else " before the scenario's end"))
    cells = [times[i][0] for i in order]
    edges = _edges(cells, [starts[i] for i in order], zone, single, mistakes)
    columns = [header[i] for i in places]
    numbers = _numbers(cells, columns, [texts[i] for i in order], mistakes)
    wrong = [(~(abs(numbers) * scale < _LARGEST / 10), "is too large")]
    if not negative:
        wrong.append((numbers < 0, "must be at least 0"))
    if unit:
        wrong.append((abs(numbers * scale - np.rint(numbers * scale)) > _NOISE, f"must be a whole number of {unit}"))
    for places_of, why in wrong:
        for place, column in np.argwhere(places_of):
            text = texts[order[place]][column]
            mistakes.add(replace(cells[place], column=columns[column], text=text).wrong(why))
            numbers[place, column] = 0
    # Below 2^53 the nearest binary fraction, scaled, rounds to the very number that was written.
    values = np.rint(numbers * scale).astype(np.int64)
    return Series(path, edges, np.array([cell.line for cell in cells]), tuple(columns), values)


def in_order(times: list[tuple[Cell, datetime]], zone: tzinfo) -> tuple[list[int], list[int]]:
    """Unix times, and the places of the lines from the oldest to the newest.

    An hour that clocks show twice is first the one before they go back.
    """
    places = list(range(len(times)))
    wall = [when.replace(tzinfo=None) for _, when in times]
    if wall and wall[0] > wall[-1]:  # newest first
        places.reverse()
    seen: Counter[datetime] = Counter()
    starts = [0] * len(times)
    for i in places:
        cell, when = times[i]
        local = when
        if when.tzinfo is None:
            local = when.replace(tzinfo=zone, fold=min(1, seen[when]))
            seen[when] += 1
            there = datetime.fromtimestamp(local.timestamp(), zone).replace(tzinfo=None)
            if there != when:
                raise cell.wrong(f"is no time in {zone}: clocks go from there to {there:%H:%M}")
        starts[i] = int(local.timestamp())
    return starts, sorted(places, key=lambda i: starts[i])


def _edges(cells: Sequence[Cell], starts: Sequence[int], zone: tzinfo, single: int, mistakes: Mistakes) -> Integers:
    """When lines begin, and the last one ends, where they follow one another."""
    steps = [after - before for before, after in pairwise(starts)]
    runs = [(step, len(list(same))) for step, same in groupby(steps)]
    solid = [step for step, rows in runs if rows >= _FEWEST_ROWS and step * rows >= _LEAST_SECONDS]
    usual = solid[0] if solid else Counter(steps).most_common(1)[0][0] if steps else single
    place = gaps = 0
    for step, rows in runs:
        is_solid = rows >= _FEWEST_ROWS and step * rows >= _LEAST_SECONDS and DAY_SECONDS % step == 0
        if is_solid or (0 < step < usual and usual % step == 0):
            usual = step
        elif step != usual:
            gaps += 1
            if gaps <= _MOST_GAPS:
                with mistakes:
                    raise cells[place + 1].wrong(_gap(step, usual, starts[place], zone))
        place += rows
    if gaps > _MOST_GAPS:
        mistakes.add(InputError(str(cells[0].path), None, f"has {gaps - _MOST_GAPS} more gaps"))
    return np.array([*starts, starts[-1] + usual], dtype=np.int64)


def _gap(step: int, usual: int, before: int, zone: tzinfo) -> str:
    if step == 0:
        return "is there twice"
    why = f"must follow the line before by {usual} s"
    missing = step // usual - 1
    if step % usual or missing < 1:
        return why
    first = datetime.fromtimestamp(before, zone) + timedelta(seconds=usual)
    return f"{why}: {missing} line{'s are' if missing > 1 else ' is'} missing, the first of {first:%Y-%m-%d %H:%M}"


def _numbers(
    cells: Sequence[Cell], columns: Sequence[str], texts: Sequence[Sequence[str]], mistakes: Mistakes
) -> npt.NDArray[np.float64]:
    row = re.compile(rf"({_NUMBER.pattern}\0)*")
    values = np.zeros((len(texts), len(columns)), dtype=np.float64)
    for place, (cell, numbers) in enumerate(zip(cells, texts, strict=True)):
        if row.fullmatch("\0".join([*numbers, ""])):  # a row at once is five times as fast as cell by cell
            values[place] = np.array(numbers, dtype=np.float64)
            continue
        for column, text in zip(columns, numbers, strict=True):
            if not _NUMBER.fullmatch(text):
                mistakes.add(replace(cell, column=column, text=text).wrong(f"must be a number{hint(text)}"))
    return values


def _lines(path: Path, columns: Sequence[str], mistakes: Mistakes) -> Iterator[tuple[int, list[str]]]:
    """Number and values of each line, first the header, which must hold these columns; blank lines are none."""
    opened: Callable[..., TextIO] = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            for column in columns:
                if column not in header:
                    advice = ": separate columns with commas" if len(header) == 1 and ";" in header[0] else ""
                    raise InputError(f"{path}, line 1", header, f"lacks the column {column}{advice}")
            for column, times in Counter(header).items():
                if times > 1:
                    raise InputError(f"{path}, line 1", column, "is there twice")
            yield 1, header
            for values in reader:
                line = reader.line_num
                if not any(value.strip() for value in values):
                    continue
                if len(values) != len(header):
                    why = f"has {len(values)} values for {len(header)} columns"
                    mistakes.add(InputError(f"{path}, line {line}", ",".join(values)[:80], why))
                    continue
                yield line, values
    except UnicodeDecodeError as error:
        raise InputError(str(path), None, f"is not UTF-8 (byte {error.start}): save it as CSV UTF-8") from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(str(path), None, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
