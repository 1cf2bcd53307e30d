"""The book of bills: documents in the order of their numbers, never changed. One file, a document a line.

Each document carries its own hash and that of the one before, so that a change to any of them shows.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from dem import formats
from dem.errors import InputError
from dem.model.bills import Bill, Document

FILE = "book.jsonl"
_SERIES, _BY = "series", "by"


class Book:
    """Of one series of numbers. It is opened for reading; `issue` adds to it."""

    def __init__(self, folder: Path) -> None:
        """Read it; an empty folder, or none, is an empty book.

        Raises:
            InputError: it was changed, or is of a newer version.
        """
        self.path = folder / FILE
        self.documents: list[Document] = []
        self._by_number: dict[str, Document] = {}
        self._by_participant: dict[str, list[Document]] = {}
        self._series = self._by = ""
        self._end = 0
        self._reading = Lock()
        self.refresh()

    def document(self, number: str) -> Document | None:
        """The one of that number."""
        return self._by_number.get(number)

    def of(self, participant: str) -> list[Document]:
        """Those of a member, the oldest first."""
        return self._by_participant.get(participant, [])

    def issue(self, bills: Iterable[Bill], series: str, by: str, issued: str) -> list[Document]:
        """Number what is new, and what differs from what was issued, as a correction; returns these documents.

        series: what numbers begin with. by: whether bills are by month or by day. issued: the time.

        Raises:
            InputError: the book is of another kind, is being written, cannot be written, or was changed.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone() as file:
                self.refresh()
                file.truncate(self._end)
                if not self._end:
                    self._series = series
                    self._by = by
                    head = {formats.KEY: formats.BILLS, _SERIES: series, _BY: by}
                    file.write(json.dumps(head).encode() + b"\n")
                for is_, wanted, what in ((self._series, series, "the bills of"), (self._by, by, "bills by")):
                    if is_ != wanted:
                        why = f"has {what} {is_}, not {wanted}: a book has one kind, so that nothing is billed twice"
                        raise InputError(str(self.path), wanted, why)
                made = []
                for bill in bills:
                    document = self._next(bill, issued)
                    if document is not None:
                        file.write(_line(document))
                        self._take(document)
                        made.append(document)
                file.flush()
                os.fsync(file.fileno())
                self._end = file.tell()
        except OSError as error:
            raise InputError(str(self.path), None, f"cannot be written: {error.strerror}") from error
        return made

    @contextmanager
    def _alone(self) -> Iterator[Any]:
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                why = "another process is issuing bills: try again when it has ended"
                raise InputError(str(self.path), None, why) from None
            yield file

    def _next(self, bill: Bill, issued: str) -> Document | None:
        own = self.of(bill.participant)
        before = next((one for one in reversed(own) if one.bill.span == bill.span), None)
        if before is not None and before.bill == bill:
            return None
        return Document(
            number=f"{self._series}-{len(self.documents) + 1:06d}",
            issued=issued,
            bill=bill,
            corrects=before.number if before else "",
            before_units=before.bill.total_units if before else 0,
            rest_before_units=own[-1].rest_units if own else 0,
            previous=self.documents[-1].hash if self.documents else "",
            hash="",
        ).sealed()

    def _take(self, document: Document) -> None:
        self.documents.append(document)
        self._by_number[document.number] = document
        self._by_participant.setdefault(document.bill.participant, []).append(document)

    def refresh(self) -> None:
        """Read what was added since the last look. A last line that was cut off was never issued.

        Raises:
            InputError: the book was changed, or is of a newer version.
        """
        if not self.path.exists():
            return
        try:
            with self._reading, self.path.open("rb") as file:
                file.seek(self._end)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read_line(line)
                    self._end += len(line)
        except OSError as error:
            raise InputError(str(self.path), None, f"cannot be read: {error.strerror}") from error

    def _read_line(self, line: bytes) -> None:
        number = len(self.documents) + 2 if self._series else 1
        where = f"{self.path}, line {number}"
        try:
            record = json.loads(line)
            if not self._series:
                formats.require_format(self.path, record, formats.BILLS)
                self._series, self._by = str(record[_SERIES]), str(record[_BY])
                return
            document = Document(**record | {"bill": Bill.of_dict(record["bill"])})
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(where, None, f"is no document of a book of bills ({error!r}): restore it") from error
        last = self.documents[-1].hash if self.documents else ""
        wanted = f"{self._series}-{len(self.documents) + 1:06d}"
        if document.sealed() != document or document.previous != last or document.number != wanted:
            why = "was changed after it was issued, or one before it was: restore the book from a copy"
            raise InputError(where, document.number, why)
        self._take(document)


def _line(document: Document) -> bytes:
    return json.dumps(asdict(document), sort_keys=True, ensure_ascii=False).encode() + b"\n"
