"""All that operators have said of meters: every version of every period, the newest in force."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dem.errors import InputError
from dem.metering.record import Delivery, Direction, Quality, Reading, Series, kwh, shown

Place = tuple[str, Direction]


class Version(NamedTuple):
    """What was said of a period. issued: see `Series`."""

    energy: int
    quality: Quality
    issued: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a delivery changed: periods that were not known before, and those that it corrected."""

    new: int
    corrected: int


@dataclass(frozen=True, slots=True)
class News:
    """What a delivery would change. versions: of each period that it says something new of, in their order."""

    taken: Taken
    seconds: dict[Place, int]
    versions: dict[Place, dict[int, list[Version]]]


class Book:
    """Versions of readings by meter, direction and period, in the order in which they came."""

    def __init__(self) -> None:
        self.periods: dict[Place, dict[int, list[Version]]] = {}
        self.seconds: dict[Place, int] = {}

    def take(self, delivery: Delivery) -> Taken:
        """Add a delivery, or nothing of it.

        Raises:
            InputError: see `news`.
        """
        news = self.news(delivery)
        self.seconds |= news.seconds
        for place, changed in news.versions.items():
            known = self.periods.setdefault(place, {})
            for start, versions in changed.items():
                known.setdefault(start, []).extend(versions)
        return news.taken

    def news(self, delivery: Delivery) -> News:
        """What a delivery says that is not known; nothing is changed yet.

        A value takes the place of the one before unless it says that it was issued earlier: so a file that comes twice,
        or late, does no harm.

        Raises:
            InputError: it says two things of one period at once, or has periods of another length than those before.
        """
        lengths = dict(self.seconds)
        staged: dict[Place, dict[int, list[Version]]] = {}
        told: dict[tuple[Place, int, int | None], Version] = {}
        new = corrected = 0
        for series in delivery.series:
            place = series.meter, series.direction
            if lengths.setdefault(place, series.seconds) != series.seconds:
                why = f"has periods of {series.seconds // 60} minutes, and of {lengths[place] // 60} elsewhere"
                raise delivery.wrong(series.readings[0].line, f"{series.meter} {series.direction}", why)
            known, changed = self.periods.get(place, {}), staged.setdefault(place, {})
            for reading in series.readings:
                version = Version(reading.energy, reading.quality, series.issued)
                first = told.setdefault((place, reading.start, series.issued), version)
                if first != version:
                    raise _contradiction(delivery, series, reading, first)
                before = [*known.get(reading.start, ())[-1:], *changed.get(reading.start, ())]
                if _is_news(delivery, series, reading, before):
                    new += not before
                    corrected += bool(before)
                    changed.setdefault(reading.start, []).append(version)
        return News(Taken(new, corrected), lengths, staged)

    def newest(self, place: Place) -> Iterator[tuple[int, Version]]:
        """What holds of each period, by time."""
        for start, versions in sorted(self.periods[place].items()):
            yield start, versions[-1]


def _is_news(delivery: Delivery, series: Series, reading: Reading, before: list[Version]) -> bool:
    """Whether a reading says something else than what holds of its period, and later.

    Raises:
        InputError: it differs from another value that was issued at the same time.
    """
    if not before:
        return True
    last = before[-1]
    if (last.energy, last.quality) == (reading.energy, reading.quality):
        return False
    if series.issued is None or last.issued is None:
        return True
    if series.issued == last.issued:
        # A message that takes a value back may come with the one that tells the right value.
        if Quality.MISSING in (last.quality, reading.quality):
            return last.quality is Quality.MISSING
        raise _contradiction(delivery, series, reading, last)
    return series.issued > last.issued


def _contradiction(delivery: Delivery, series: Series, reading: Reading, other: Version) -> InputError:
    issued = "" if series.issued is None else f", both issued at {shown(series.issued)}"
    why = (
        f"kWh ({reading.quality}) for {series.meter} {series.direction} at {shown(reading.start)}, but elsewhere "
        f"{kwh(other.energy)} kWh ({other.quality}){issued}: only one of them can be right"
    )
    return delivery.wrong(reading.line, kwh(reading.energy), why)
