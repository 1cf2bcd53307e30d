"""Files of metering operators, as the gateway keeps them: every version of every value, the newest in force.

The only writer of its tables. A file is taken as a whole or not at all, and one that comes again changes nothing.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.engine import Connection

from dem.errors import RequestError
from dem.gateway.state import DELIVERY, VALUE, Store
from dem.metering.book import Book, News, Version
from dem.metering.files import parse_delivery
from dem.metering.record import Delivery, Direction, Quality

_MOST_VALUES = 20_000
"""In one answer: six meters' quarter-hours of 31 days."""

_MOST_LEFT_ALONE = 20


class Told(NamedTuple):
    """What an operator said of a period of a meter. version: the first is 1."""

    meter: str
    direction: str
    start: int
    version: int
    seconds: int
    energy: int
    quality: str
    issued: int | None
    delivery: int


class Deliveries:
    """Of one gateway. meters: participant of each meter that it knows, by its operator's name for it."""

    def __init__(self, store: Store, meters: Mapping[str, int]) -> None:
        self._store, self._meters = store, meters
        self._one = threading.Lock()

    def take(self, account: str, name: str, content: bytes, zone: tzinfo) -> tuple[RowMapping, bool]:
        """Take a file; its record, and whether it was known before. account: who brings it. name: for people.

        Raises:
            InputError: something in it will not do, or is about a meter that is not of this market.
        """
        hash_ = hashlib.sha256(content).hexdigest()
        # One at a time: reading a file takes one core, and may take as much memory as all other work.
        with self._one:
            if known := self._known(hash_):
                return known, True
            delivery = parse_delivery(Path(name), content, zone)
            self._require_own(delivery)
            with self._store.change("delivery") as connection:
                number = self._put(connection, delivery, account, hash_, len(content))
        [row] = self._rows(DELIVERY.c.number == number)
        return row, False

    def _require_own(self, delivery: Delivery) -> None:
        for series in delivery.series:
            if series.meter not in self._meters:
                why = "is no meter of this market: nothing is kept of others, so leave it out, or have it configured"
                raise delivery.wrong(series.readings[0].line, series.meter, why)

    def _put(self, connection: Connection, delivery: Delivery, account: str, hash_: str, size: int) -> int:
        book = _book(connection, delivery)
        news = book.news(delivery)
        values = {
            "at": self._store.now(),
            "hash": hash_,
            "account": account,
            "name": str(delivery.path),
            "format": delivery.format,
            "bytes": size,
            "new": news.taken.new,
            "corrected": news.taken.corrected,
            "left_alone": {what[:80]: count for what, count in delivery.left_alone.most_common(_MOST_LEFT_ALONE)},
        }
        done = connection.execute(insert(DELIVERY).values(**values))
        number = int(done.inserted_primary_key[0])  # type: ignore[index]
        if rows := [*_rows_of(news, book, number)]:
            connection.execute(insert(VALUE), rows)
        return number

    def _known(self, hash_: str) -> RowMapping | None:
        return next(iter(self._rows(DELIVERY.c.hash == hash_)), None)

    def _rows(self, *conditions: Any, most: int = 1) -> list[RowMapping]:
        question = select(DELIVERY).where(*conditions).order_by(DELIVERY.c.number).limit(most)
        with self._store.engine.connect() as connection:
            return [row._mapping for row in connection.execute(question)]

    def list_(self, account: str | None, after: int, most: int) -> list[RowMapping]:
        """Files that an account has brought, or that anybody has."""
        mine = [] if account is None else [DELIVERY.c.account == account]
        return self._rows(DELIVERY.c.number > after, *mine, most=most)

    def values(self, participant: int, first: int, end: int, is_all: bool) -> list[Told]:
        """What holds of a participant's meters from one unix time to another; is_all: every version of it.

        Raises:
            RequestError: it is more than one answer may have.
        """
        meters = [meter for meter, its in self._meters.items() if its == participant]
        question = (
            select(*(VALUE.c[name] for name in Told._fields))
            .where(VALUE.c.meter.in_(meters), VALUE.c.start >= first, VALUE.c.start < end)
            .order_by(VALUE.c.meter, VALUE.c.direction, VALUE.c.start, VALUE.c.version)
        )
        with self._store.engine.connect() as connection:
            found = [Told(*row) for row in connection.execute(question)]
        if not is_all:
            found = [*{told[:3]: told for told in found}.values()]
        if len(found) > _MOST_VALUES:
            why = f"these are {len(found)} values, and an answer has at most {_MOST_VALUES}: ask for fewer days"
            raise RequestError(422, "TooMany", why)
        return found


def _spans(delivery: Delivery) -> dict[tuple[str, Direction], tuple[int, int]]:
    """First and last period of each meter and direction."""
    spans: dict[tuple[str, Direction], tuple[int, int]] = {}
    for series in delivery.series:
        starts = [reading.start for reading in series.readings]
        first, last = spans.get((series.meter, series.direction), (starts[0], starts[0]))
        spans[series.meter, series.direction] = min(first, *starts), max(last, *starts)
    return spans


def _book(connection: Connection, delivery: Delivery) -> Book:
    """What is known of the periods of a delivery, and how long periods of its meters are."""
    book = Book()
    for (meter, direction), (first, last) in _spans(delivery).items():
        its = (VALUE.c.meter == meter) & (VALUE.c.direction == direction)
        seconds = connection.execute(select(VALUE.c.seconds).where(its).limit(1)).scalar_one_or_none()
        if seconds is None:
            continue
        book.seconds[meter, direction] = seconds
        question = (
            select(VALUE.c.start, VALUE.c.energy, VALUE.c.quality, VALUE.c.issued)
            .where(its, VALUE.c.start.between(first, last))
            .order_by(VALUE.c.start, VALUE.c.version)
        )
        known = book.periods.setdefault((meter, direction), {})
        for start, energy, quality, issued in connection.execute(question):
            known.setdefault(start, []).append(Version(energy, Quality(quality), issued))
    return book


def _rows_of(news: News, book: Book, delivery: int) -> Iterator[dict[str, Any]]:
    for (meter, direction), changed in news.versions.items():
        known = book.periods.get((meter, direction), {})
        for start, versions in changed.items():
            for number, version in enumerate(versions, start=len(known.get(start, ())) + 1):
                seconds = news.seconds[meter, direction]
                yield Told(meter, direction, start, number, seconds, *version, delivery)._asdict()
