"""What operators said, as the tables that a scenario is made from: readings, and which days came late or wrong."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

from dem.errors import InputError
from dem.metering.book import Book, Place, Version
from dem.metering.record import Quality, kwh, shown

METERS, REPORTS = "meters.csv", "readings.csv"
_DAY = 86_400
_LONGEST = 3 * 366 * _DAY


@dataclass(frozen=True, slots=True)
class Span:
    """Local days of which to tell how meters reported them. deadline: seconds after a day's end until which values
    are in time."""

    zone: tzinfo
    deadline: int
    start: date | None = None
    days: int | None = None

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""
        if self.start is None:
            return True
        return self.start <= day and (self.days is None or day < self.start + timedelta(days=self.days))

    def end(self, day: date) -> int:
        """When a day is over."""
        after = day + timedelta(days=1)
        return int(datetime(after.year, after.month, after.day, tzinfo=self.zone).timestamp())


@dataclass(frozen=True, slots=True)
class Written:
    """What the tables hold. filled: periods without a value."""

    meters: int
    periods: int
    filled: int
    reports: int


def write_tables(book: Book, folder: Path, span: Span) -> Written:
    """Write both tables into a folder.

    Raises:
        InputError: meters have periods of different lengths.
    """
    lengths = {*book.seconds.values()}
    if len(lengths) != 1:
        raise InputError("deliveries", sorted(lengths), "s are the lengths of periods: bring those of one")
    [seconds] = lengths
    first = min(min(periods) for periods in book.periods.values())
    last = max(max(periods) for periods in book.periods.values())
    if last - first > _LONGEST:
        why = f"are more than {_LONGEST // _DAY} days apart: bring those of a shorter time"
        raise InputError("deliveries", f"{shown(first)}, {shown(last)}", why)
    folder.mkdir(parents=True, exist_ok=True)
    filled = 0
    with (folder / METERS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("time", "meter", "direction", "value"))
        for (meter, direction), periods in sorted(book.periods.items()):
            known: dict[int, int] = {}
            for start in range(first, last + seconds, seconds):
                versions = periods.get(start)
                has_value = versions is not None and versions[-1].quality is not Quality.MISSING
                filled += not has_value
                # What the chain puts in the place of a missing reading, too: the same time of the day before, or zero.
                known[start] = versions[-1].energy if versions and has_value else known.get(start - _DAY, 0)
                time = f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ}"
                table.writerow((time, meter, direction, kwh(known[start])))
    reports = [*_reports(book, span, range(first, last + seconds, seconds))]
    with (folder / REPORTS).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("participant", "date", "reading", "first_permille"), *reports]
        )
    meters = len({meter for meter, _ in book.periods})
    return Written(meters, sum(map(len, book.periods.values())), filled, len(reports))


def _reports(book: Book, span: Span, periods: range) -> Iterator[tuple[str, str, str, str]]:
    """Days that meters did not report in time, or not right at first, as a scenario describes them."""
    by_day: dict[date, list[int]] = {}
    for start in periods:
        by_day.setdefault(datetime.fromtimestamp(start, span.zone).date(), []).append(start)
    for meter in sorted({meter for meter, _ in book.periods}):
        places = [place for place in book.periods if place[0] == meter]
        for day, starts in by_day.items():
            if span.holds(day) and (told := _report(book, places, starts, span.end(day) + span.deadline)):
                yield meter, day.isoformat(), *told


def _report(book: Book, places: list[Place], starts: list[int], deadline: int) -> tuple[str, str] | None:
    """How a day was reported, if not in time and at once right, and what it said at first in thousandths of the end."""
    versions = [book.periods[place].get(start, []) for place in places for start in starts]
    if not all(own and own[-1].quality is not Quality.MISSING for own in versions):
        return "missing", ""
    in_time = [_in_time(own, deadline) for own in versions]
    known = [version for version in in_time if version is not None and version.quality is not Quality.MISSING]
    if not known:
        return "late", ""
    if all(first is not None and first.energy == own[-1].energy for first, own in zip(in_time, versions, strict=True)):
        return None
    said, last = sum(version.energy for version in known), sum(own[-1].energy for own in versions)
    return "corrected", str(min(1_000, said * 1_000 // last) if last else 1_000)


def _in_time(versions: list[Version], deadline: int) -> Version | None:
    """What held of a period at the deadline. Where nobody says when values were issued, the first was in time."""
    for place, version in reversed([*enumerate(versions)]):
        if (version.issued is None and place == 0) or (version.issued is not None and version.issued <= deadline):
            return version
    return None
