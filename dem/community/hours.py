"""Weekdays and hours as people write them: Mo-Fr, 08:00-20:00."""

import re
from collections.abc import Iterable
from datetime import datetime

WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def weekdays_of(text: object) -> frozenset[int]:
    """Such as Mo-Fr or Sa,Su; 0 is Monday.

    Raises:
        ValueError: it is neither.
    """
    days: set[int] = set()
    for part in str(text).split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in WEEKDAYS for end in ends):
            raise ValueError(f"must be days or ranges of them such as Mo-Fr or Sa,Su, of {', '.join(WEEKDAYS)}")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days |= {day % 7 for day in range(first, last + 1 if first <= last else last + 8)}
    return frozenset(days)


def hours_of(text: object) -> tuple[tuple[int, int], ...]:
    """Such as 08:00-20:00 or 00:00-06:00,22:00-24:00, in seconds since midnight.

    Raises:
        ValueError: it is neither.
    """
    spans = []
    for part in str(text).split(","):
        match = _HOURS.fullmatch(part)
        if match is None:
            raise ValueError("must be times of day such as 08:00-20:00 or 00:00-06:00,22:00-24:00")
        begin, end = (60 * (60 * int(hour) + int(minute)) for hour, minute in (match.group(1, 2), match.group(3, 4)))
        if not begin < end <= 86_400:
            raise ValueError("must end after it begins, at 24:00 at the latest")
        spans.append((begin, end))
    return tuple(spans)


def within(spans: Iterable[tuple[int, int]], start: datetime) -> bool:
    """Whether a local time is in one of some spans of a day, seconds since midnight."""
    second = 60 * (60 * start.hour + start.minute) + start.second
    return any(first <= second < last for first, last in spans)
