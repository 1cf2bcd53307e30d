"""Validated historical data of CIM (ENTSO-E, EDDIE): documents of type A45, with periods and points."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from dem.metering.record import PER_KWH, Delivery, Direction, Key, Quality, Reading, collect
from dem.metering.xml import Element

_TYPE = "A45"
_DIRECTIONS = {"A01": Direction.EXPORT, "A02": Direction.IMPORT}
"""Up, what is brought to the grid, and down."""
_BUSINESS = {"A01": Direction.EXPORT, "A04": Direction.IMPORT}
"""Production and consumption; other kinds of business say nothing of the direction."""
_UNITS = {"KWH": PER_KWH, "MWH": 1_000 * PER_KWH, "WHR": PER_KWH // 1_000, "WH": PER_KWH // 1_000}
_QUALITIES = {
    "A01": Quality.SUBSTITUTED,  # adjusted
    "A02": Quality.MISSING,  # not available
    "A03": Quality.ESTIMATED,
    "A04": Quality.MEASURED,  # as provided
    "A05": Quality.ESTIMATED,  # incomplete
    "A06": Quality.SUBSTITUTED,  # calculated
}
_RESOLUTION = re.compile(r"P(?:0Y)?(?:0M)?(?:0D)?T(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:0+(?:\.0+)?S)?")
T = TypeVar("T")
_POSITION = re.compile(r"[0-9]{1,6}")


def is_cim(root: Element) -> bool:
    """Whether it has a market document, in an envelope or without."""
    return "MarketDocument" in root.name or any(True for _ in _documents(root))


def _documents(root: Element) -> Iterator[Element]:
    if root.name.endswith("MarketDocument"):
        yield root
        return
    for child in root.children:
        yield from _documents(child)


def read_cim(path: Path, root: Element) -> Delivery:
    """All documents of a file.

    Raises:
        InputError: one is not of type A45, or an element is missing or will not do.
    """
    found: list[tuple[Key, Reading]] = []
    for document in _documents(root):
        kind = document.one("type")
        if kind.text != _TYPE:
            raise kind.wrong(f"must be {_TYPE}, validated historical data")
        issued = int(document.one("createdDateTime").time())
        for series in document.all("TimeSeries"):
            found += _series(series, issued)
    return Delivery(path, f"CIM {_TYPE}", "line", collect(found)).checked()


def _series(series: Element, issued: int) -> Iterator[tuple[Key, Reading]]:
    point = series.one("marketEvaluationPoint.mRID")
    meter = point.one("value").text if point.children else point.text
    direction = _known(series.one("flowDirection.direction"), _DIRECTIONS)
    business = series.one("businessType")
    if _BUSINESS.get(business.text, direction) is not direction:
        raise business.wrong(f"is no {direction}, as flowDirection.direction says")
    per_one = _known(series.one("energy_Measurement_Unit.name"), _UNITS)
    for period in series.all("Period", "Series_Period"):
        seconds = _seconds(period.one("resolution"))
        start, end = period.one("start"), period.one("end")
        first, last = start.time(), end.time()
        if last <= first or (last - first) % seconds:
            raise end.wrong(f"must be whole periods of {seconds // 60} minutes after {start.text}")
        seen: set[int] = set()
        for reading in period.all("Point"):
            place = reading.one("position")
            number = int(place.text) if _POSITION.fullmatch(place.text) else 0
            if not 0 < number <= (last - first) // seconds:
                raise place.wrong(f"is no position: they count from 1 to {int(last - first) // seconds}")
            if number in seen:
                raise place.wrong("is there twice")
            seen.add(number)
            quality = Quality.MEASURED
            for told in reading.all("energy_Quantity.quality", "quality"):
                quality = _known(told, _QUALITIES)
            energy = 0
            if quality is not Quality.MISSING:
                energy = reading.one("energy_Quantity.quantity", "quantity").energy(per_one)
            at = int(first) + (number - 1) * seconds
            yield (meter, direction, seconds, issued), Reading(at, energy, quality, reading.line)


def _seconds(resolution: Element) -> int:
    found = _RESOLUTION.fullmatch(resolution.text)
    seconds = 3_600 * int(found[1] or 0) + 60 * int(found[2] or 0) if found else 0
    if not seconds:
        raise resolution.wrong("is no length of a period, such as PT15M")
    return seconds


def _known(element: Element, table: Mapping[str, T]) -> T:
    if element.text not in table:
        raise element.wrong(f"is none of {', '.join(table)}")
    return table[element.text]
