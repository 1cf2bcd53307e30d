"""MSCONS, the EDIFACT message of German metering operators: courses of energy (Lastgang) with the state of each value.

Values are in UTC (format 303). An interchange that was cut off, or whose counts do not fit, is refused as a whole.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydifact.control.characters import Characters
from pydifact.exceptions import EDISyntaxError, ValidationError
from pydifact.parser import Parser
from pydifact.tokenizer import Tokenizer

from dem.errors import InputError
from dem.metering.record import PER_KWH, Delivery, Direction, Key, Quality, Reading, collect
from dem.tables import Cell

_MOST_BYTES = 16 << 20
_QUALITIES = {
    "220": Quality.MEASURED,  # true value
    "67": Quality.SUBSTITUTED,
    "201": Quality.ESTIMATED,  # proposed
    "187": Quality.ESTIMATED,  # forecast
    "Z18": Quality.ESTIMATED,  # preliminary
    "20": Quality.MISSING,  # not to be used
}
_UNITS = {"": PER_KWH, "KWH": PER_KWH, "MWH": 1_000 * PER_KWH, "WHR": PER_KWH // 1_000}
_CODE = re.compile(r"1-\d{1,2}:([1-9])\.(\d{1,2})\.\d{1,3}(?:\*\d{1,3})?")
_COURSES = ("9", "29")
"""Energy of a period; 8 is the register."""
_DIRECTIONS = {"1": Direction.IMPORT, "2": Direction.EXPORT}
_ADVICE, _USUAL = "UNA", ":+.? '"
"""What says which characters divide, and the usual ones."""
_ORIGINAL, _CANCELLED = "9", "1"
_MADE, _VERSION, _BEGIN, _END = "137", "293", "163", "164"
_TIME = re.compile(r"(\d{12})(\d\d)?([+-]\d\d)")
_FORMATS = ("303", "304")


class _Segment(NamedTuple):
    """number: counts from the UNB, which is 1."""

    path: Path
    number: int
    tag: str
    elements: Sequence[str | Sequence[str]]
    has_comma: bool

    def wrong(self, why: str) -> InputError:
        return InputError(f"{self.path}, segment {self.number}", self.tag, why)

    def at(self, element: int, component: int = 0) -> str:
        """A component; empty if it is not there."""
        if element >= len(self.elements):
            return ""
        parts = self.elements[element]
        parts = [parts] if isinstance(parts, str) else parts
        return str(parts[component]) if component < len(parts) else ""

    def time(self) -> int:
        """Of a DTM."""
        found = _TIME.fullmatch(self.at(0, 1))
        if self.at(0, 2) not in _FORMATS or not found:
            raise self.wrong(f"must tell a time as 202603012300?+00, in format 303: {self.at(0, 1)[:40]}")
        try:
            return int(datetime.strptime(f"{found[1]}{found[3]}00", "%Y%m%d%H%M%z").timestamp()) + int(found[2] or 0)
        except ValueError:
            raise self.wrong(f"tells no time of the calendar: {self.at(0, 1)}") from None


def is_edifact(content: bytes) -> bool:
    """Whether it begins as an interchange does."""
    return content.lstrip()[:3] in (b"UNA", b"UNB")


def read_mscons(path: Path, content: bytes) -> Delivery:
    """An interchange.

    Raises:
        InputError: it is cut off, of another kind, or a segment will not do.
    """
    if len(content) > _MOST_BYTES:
        raise InputError(str(path), None, f"is larger than {_MOST_BYTES >> 20} MiB, so divide it")
    segments = [*_segments(path, content.decode("latin-1").strip())]
    found: list[tuple[Key, Reading]] = []
    left_alone: Counter[str] = Counter()
    for message in _messages(path, segments):
        found += _values(message, left_alone)
    return Delivery(path, "MSCONS", "segment", collect(found), left_alone).checked()


def _segments(path: Path, text: str) -> Iterator[_Segment]:
    """By pydifact's tokens, not its segments: these are checked against directories of other versions."""
    number, advice, has_comma = 0, _USUAL, False
    if text.startswith(_ADVICE):
        advice, has_comma, text = text[3:9], text[5:6] == ",", text[9:].lstrip()
    try:
        characters = Characters.from_str(advice)
        tokens = Tokenizer().get_tokens(text, characters)
        for number, (tag, *elements) in enumerate(Parser().convert_tokens_to_raw_segments(tokens), start=1):
            yield _Segment(path, number, str(tag), elements, has_comma)
    except (
        EDISyntaxError,
        ValidationError,
        IndexError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        AssertionError,
    ) as error:
        raise InputError(f"{path}, segment {number + 1}", None, f"is no EDIFACT: {error or 'it ends here'}") from error


def _messages(path: Path, body: list[_Segment]) -> Iterator[list[_Segment]]:
    """The segments of each message, once it is known that none is missing."""
    if len(body) < 2 or body[0].tag != "UNB" or body[-1].tag != "UNZ":
        raise InputError(str(path), None, "is no whole interchange: it must go from UNB to UNZ, so it may be cut off")
    messages: list[list[_Segment]] = []
    for segment in body[1:-1]:
        if segment.tag == "UNH":
            messages.append([])
        elif not messages or messages[-1][-1].tag == "UNT":
            raise segment.wrong("belongs to no message")
        messages[-1].append(segment)
    for message in messages:
        last = message[-1]
        if last.tag != "UNT" or last.at(0) != str(len(message)) or last.at(1) != message[0].at(0):
            raise last.wrong(f"must be UNT+{len(message)}+{message[0].at(0)}: segments are missing or too many")
    if body[-1].at(0) != str(len(messages)) or body[-1].at(1) != body[0].at(4):
        raise body[-1].wrong(f"must be UNZ+{len(messages)}+{body[0].at(4)}: messages are missing or too many")
    yield from messages


def _values(message: list[_Segment], left_alone: Counter[str]) -> Iterator[tuple[Key, Reading]]:
    """The values of a message, each of which is followed by its times."""
    if message[0].at(1) != "MSCONS":
        raise message[0].wrong(f"must be of type MSCONS, not {message[0].at(1)[:20]}")
    meter, direction, is_course, is_cancelled = "", None, False, False
    issued: int | None = None
    value: _Segment | None = None
    begin: int | None = None
    for segment in message[1:]:
        kind = segment.at(0)
        if value is not None and segment.tag in ("QTY", "LIN", "LOC", "NAD", "UNT"):
            raise value.wrong("is followed by no times: DTM+163 and DTM+164 have to tell its period")
        if segment.tag == "BGM":
            if segment.at(2) not in (_ORIGINAL, _CANCELLED):
                raise segment.wrong(f"must be an original (9) or a cancellation (1), not {segment.at(2)[:20]}")
            is_cancelled = segment.at(2) == _CANCELLED
        elif segment.tag == "DTM" and kind in (_MADE, _VERSION):
            issued = max(issued or 0, segment.time())
        elif segment.tag in ("NAD", "LOC"):
            is_course = False
            meter = segment.at(1) if (segment.tag, kind) == ("LOC", "172") else ""
        elif segment.tag == "LIN":
            is_course = False
        elif segment.tag == "PIA":
            direction = _direction(segment, left_alone)
            is_course = direction is not None
        elif segment.tag == "QTY" and is_course:
            value, begin = segment, None
        elif segment.tag == "DTM" and value is not None and kind == _BEGIN:
            begin = segment.time()
        elif segment.tag == "DTM" and value is not None and kind == _END:
            if begin is None or direction is None:
                raise value.wrong("must have its beginning, DTM+163, before its end")
            key = meter, direction, segment.time() - begin, issued
            yield key, _reading(value, begin, is_cancelled)
            value = None


def _direction(segment: _Segment, left_alone: Counter[str]) -> Direction | None:
    """Of a PIA with the code of a course of energy; none if it is a register's, or of something else."""
    code = segment.at(1)
    found = _CODE.fullmatch(code)
    if not found:
        raise segment.wrong(f"has {code[:40]!r}, which is no OBIS code of electricity")
    if found[2] in _COURSES and found[1] in _DIRECTIONS:
        return _DIRECTIONS[found[1]]
    left_alone[code] += 1
    return None


def _reading(value: _Segment, begin: int, is_cancelled: bool) -> Reading:
    state, unit = value.at(0), value.at(0, 2)
    text = value.at(0, 1).replace(",", ".") if value.has_comma else value.at(0, 1)
    if state not in _QUALITIES:
        raise value.wrong(f"has the state {state[:20]!r}, which is none of {', '.join(_QUALITIES)}")
    if unit.upper() not in _UNITS:
        raise value.wrong(f"has the unit {unit[:20]!r}, which is no unit of energy here")
    quality = Quality.MISSING if is_cancelled else _QUALITIES[state]
    cell = Cell(value.path, value.number, value.tag, text, "segment")
    energy = cell.multiple(_UNITS[unit.upper()], "millionths of a Wh")
    return Reading(begin, 0 if quality is Quality.MISSING else energy, quality, value.number)
