"""The Austrian layouts: the table of energy data that metering operators give communities, and its XML message.

The table has a column of values for each metering point and meter code, below a block of rows that say which. The
message (ConsumptionRecord of ebUtilities) has an element for each. Only what the meter itself counted is taken; shares
in a community's generation are computed from it, and left alone.
"""

import re
from collections import Counter
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from dem.errors import InputError
from dem.metering.record import PER_KWH, Delivery, Direction, Quality, Reading, collect
from dem.metering.rows import Table, energy, instant, placed
from dem.metering.xml import Element
from dem.tables import Cell

POINT, DIRECTION, CODE, INTERVAL = "meteringpointid", "energy direction", "metercode", "metering interval"
_QUALITY = re.compile(r"quality|qualität", re.IGNORECASE)
_DIRECTIONS = {"CONSUMPTION": Direction.IMPORT, "GENERATION": Direction.EXPORT}
_COUNTED = (
    (re.compile(r"1-1:1\.9\.0 G\.01\Z|Gesamtverbrauch lt\. Messung", re.IGNORECASE), Direction.IMPORT),
    (re.compile(r"1-1:2\.9\.0 G\.01\Z|Gesamte gemeinschaftliche Erzeugung", re.IGNORECASE), Direction.EXPORT),
)
"""What the meter counted, by code or by name."""
_QUALITIES = {"L1": Quality.MEASURED, "L2": Quality.SUBSTITUTED, "L3": Quality.ESTIMATED}
_LENGTHS = {"QH": 900, "H": 3_600}
_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}|\d{4}-\d\d-\d\d")
_UNITS = {"KWH": PER_KWH, "MWH": 1_000 * PER_KWH, "WH": PER_KWH // 1_000}
MESSAGE = "ConsumptionRecord"


class _Column(NamedTuple):
    meter: str
    direction: Direction
    seconds: int
    quality: int | None
    """Its column."""


def is_energy_data(table: Table) -> bool:
    """Whether one of the first rows names metering points."""
    return any(values[0].lower() == POINT for _, values in table.rows[:20])


def read_energy_data(path: Path, table: Table, zone: tzinfo) -> Delivery:
    """The table of energy data. zone: of its local times; each is the beginning of its quarter-hour.

    Raises:
        InputError: a row of the head is missing, or a value will not do.
    """
    head: dict[str, tuple[int, list[str]]] = {}
    columns: dict[int, _Column] = {}
    left_alone: Counter[str] = Counter()
    found = []
    for line, values in table.rows:
        if not _DATE.match(values[0]):
            if columns and not values[0].lower().startswith(("spaltensumme", "total", "summe")):
                raise InputError(f"{path}, {table.lines} {line}", values[0][:80], "is no time, nor a row of the head")
            head[values[0].lower()] = line, values
            continue
        columns = columns or _columns(path, table.lines, head, left_alone)
        when = Cell(path, line, "time", values[0], table.lines)
        for place, (meter, direction, seconds, quality) in columns.items():
            cell = Cell(path, line, f"{place + 1} ({meter})", _at(values, place), table.lines)
            known = _quality(cell, _at(values, quality)) if quality is not None else Quality.MEASURED
            value = energy(cell, table.has_comma or "," in cell.text, PER_KWH) if cell.text else 0
            reading = Reading(0, value, known if cell.text else Quality.MISSING, line)
            found.append(((meter, direction, seconds, None), when, instant(when, zone), reading))
    return Delivery(path, "Austrian energy data", table.lines, collect(placed(found, zone)), left_alone).checked()


def _columns(
    path: Path, lines: str, head: dict[str, tuple[int, list[str]]], left_alone: Counter[str]
) -> dict[int, _Column]:
    """What is in which column, from the rows above the first time."""
    for name in (POINT, DIRECTION, CODE):
        if name not in head:
            raise InputError(str(path), None, f"lacks the row {name} above the first time")
    (_, points), (at, directions), (code_line, codes) = head[POINT], head[DIRECTION], head[CODE]
    intervals = head.get(INTERVAL, (0, []))[1]
    columns = {}
    for place in range(1, len(points)):
        meter, code = points[place], _at(codes, place)
        if not meter or meter.upper() == "TOTAL" or _QUALITY.fullmatch(code):
            continue
        told = _at(directions, place).upper()
        if told not in _DIRECTIONS:
            raise InputError(f"{path}, {lines} {at}, column {place + 1}", told, f"is none of {', '.join(_DIRECTIONS)}")
        counted = [direction for pattern, direction in _COUNTED if pattern.match(code)]
        if not counted:
            left_alone[code or "a column without metercode"] += 1
            continue
        if counted != [_DIRECTIONS[told]]:
            raise InputError(f"{path}, {lines} {code_line}, column {place + 1}", code[:80], f"is no {told}")
        if (unit := re.search(r"\[(\w+)\]", code)) and unit[1].upper() != "KWH":
            raise InputError(f"{path}, {lines} {code_line}, column {place + 1}", unit[1], "is not kWh")
        seconds = _LENGTHS.get(_at(intervals, place) or "QH")
        if seconds is None:
            why = f"is none of {', '.join(_LENGTHS)}"
            raise InputError(f"{path}, {INTERVAL}, column {place + 1}", intervals[place], why)
        quality = place + 1 if _QUALITY.fullmatch(_at(codes, place + 1)) else None
        columns[place] = _Column(meter, counted[0], seconds, quality)
    if not columns:
        raise InputError(f"{path}, {lines} {code_line}", None, "names no column of what a meter counted")
    return columns


def _at(values: list[str], place: int) -> str:
    return values[place] if place < len(values) else ""


def _quality(cell: Cell, code: str) -> Quality:
    if code not in _QUALITIES and (code or cell.text):
        raise cell.wrong(f"has the quality {code!r}, which is none of {', '.join(_QUALITIES)}")
    return _QUALITIES.get(code, Quality.MISSING)


def read_message(path: Path, root: Element) -> Delivery:
    """A ConsumptionRecord.

    Raises:
        InputError: an element is missing or will not do.
    """
    issued = int(root.one("CreationDateTime", "DocumentCreationDateTime").time())
    meter = root.one("MeteringPoint").text
    left_alone: Counter[str] = Counter()
    found = []
    for data in root.all("EnergyData"):
        code = data.attribute("MeterCode")
        counted = [direction for pattern, direction in _COUNTED if pattern.match(code)]
        if not counted:
            left_alone[code] += 1
            continue
        unit = data.attribute("UOM").upper()
        if unit not in _UNITS:
            raise data.wrong(f"has the unit {unit}, which is none of {', '.join(_UNITS)}")
        for point in data.all("EP"):
            begin, end = point.one("DTF").time(), point.one("DTT").time()
            method = point.one("MM").text
            if method not in _QUALITIES:
                raise point.one("MM").wrong(f"is none of {', '.join(_QUALITIES)}")
            reading = Reading(int(begin), point.one("BQ").energy(_UNITS[unit]), _QUALITIES[method], point.line)
            found.append(((meter, counted[0], int(end - begin), issued), reading))
    return Delivery(path, "Austrian energy message", "line", collect(found), left_alone).checked()
