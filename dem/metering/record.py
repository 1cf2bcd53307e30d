"""What a metering operator says of meters, whatever format it came in: one record, exact to a millionth of a Wh."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from dem.errors import InputError
from dem.tables import FRACTIONS

PER_KWH = 1_000 * FRACTIONS
"""Millionths of a Wh in a kWh: what a value is counted in, so that nothing is rounded before a register shows it."""
MOST_BYTES = 64 << 20
"""Of a file, and four times as many of what is packed inside one."""
MOST_READINGS = 1_000_000
"""In one file: 170 meters for a month of quarter-hours, in and out."""
LENGTHS = (300, 900, 1_800, 3_600)
"""Seconds that a period may have, as markets do."""

_METER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_LATEST = 1 << 32


class Direction(StrEnum):
    """Which way energy went: out of the grid, or into it."""

    IMPORT = "import"
    EXPORT = "export"


class Quality(StrEnum):
    """How the operator knows a value. substituted: not measured, but as good for a bill. missing: there is none."""

    MEASURED = "measured"
    SUBSTITUTED = "substituted"
    ESTIMATED = "estimated"
    MISSING = "missing"


class Reading(NamedTuple):
    """Energy of one period. energy: millionths of a Wh, none of a missing one. line: where in the file it stands."""

    start: int
    energy: int
    quality: Quality
    line: int


Key = tuple[str, Direction, int, int | None]
"""Meter, direction, seconds of a period and time of issue of a series."""


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one meter and direction that were issued together. seconds: of a period.

    issued: unix time at which the operator made them; None where the format does not say.
    """

    meter: str
    direction: Direction
    seconds: int
    issued: int | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Delivery:
    """A file, read whole. lines: what its places are called. left_alone: what else is in it, and how often."""

    path: Path
    format: str
    lines: str
    series: tuple[Series, ...]
    left_alone: Counter[str] = field(default_factory=Counter)

    def wrong(self, line: int, value: object, why: str) -> InputError:
        """The error that refuses what stands at a place."""
        return InputError(f"{self.path}, {self.lines} {line}", value, why)

    def checked(self) -> "Delivery":
        """The same, if every reading in it can be.

        Raises:
            InputError: the first that cannot, with its place.
        """
        count = sum(len(series.readings) for series in self.series)
        if not count:
            raise InputError(str(self.path), None, "holds no readings of energy")
        if count > MOST_READINGS:
            raise InputError(str(self.path), None, f"holds {count} readings: at most {MOST_READINGS}, so divide it")
        for series in self.series:
            self._check(series)
        return self

    def _check(self, series: Series) -> None:
        line = series.readings[0].line if series.readings else 1
        if not _METER.fullmatch(series.meter):
            why = "is no meter: 1 to 64 letters, digits, dots, hyphens or underscores, none of these at an end"
            raise self.wrong(line, series.meter[:80], why)
        if series.seconds not in LENGTHS:
            raise self.wrong(line, series.seconds, f"s is no length of a period: {', '.join(map(str, LENGTHS))} s are")
        if series.issued is not None and not 0 <= series.issued < _LATEST:
            raise self.wrong(line, series.issued, "is no time of issue")
        for start, energy, quality, at in series.readings:
            if start % series.seconds or not 0 <= start < _LATEST:
                why = f"is no beginning of a period of {series.seconds // 60} minutes"
                raise self.wrong(at, shown(start), why)
            if energy < 0:
                raise self.wrong(at, energy / PER_KWH, "kWh is negative: the direction says which way energy went")
            if quality is Quality.MISSING and energy:
                raise self.wrong(at, energy / PER_KWH, "kWh is there though it is said to be missing")


def shown(start: int) -> str:
    """A unix time for people."""
    try:
        return f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%MZ}"
    except (OverflowError, ValueError, OSError):
        return str(start)


def kwh(energy: int) -> str:
    """Millionths of a Wh as a decimal number of kWh, exactly."""
    whole, rest = divmod(energy, PER_KWH)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def collect(found: Iterable[tuple[Key, Reading]]) -> tuple[Series, ...]:
    """Series of single readings, in their order."""
    together: dict[Key, list[Reading]] = {}
    for key, reading in found:
        together.setdefault(key, []).append(reading)
    return tuple(Series(*key, tuple(readings)) for key, readings in together.items())
