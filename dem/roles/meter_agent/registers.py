"""What an agent knows, in SQLite: registers at the ends of periods, signed sheets, and what has become of them.

The only writer of its file. Every change is a transaction, so that the process may end at any time.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dem.errors import InputError
from dem.messages.readings import Register
from dem.model.units import Wh
from dem.roles.meter_agent.telegrams import Seen

_TABLES = (
    "CREATE TABLE IF NOT EXISTS known (what TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS register (
  serial TEXT, boundary INTEGER, at INTEGER NOT NULL, imported INTEGER NOT NULL, exported INTEGER NOT NULL,
  PRIMARY KEY (serial, boundary)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS strip (
  serial TEXT, day INTEGER, strip INTEGER, sequence INTEGER NOT NULL, registers BLOB NOT NULL,
  PRIMARY KEY (serial, day, strip)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS sheet (
  id TEXT PRIMARY KEY, serial TEXT NOT NULL, day INTEGER NOT NULL, envelope TEXT NOT NULL, state TEXT NOT NULL,
  signed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
)
WAITING, ENDED = "waiting", ("final", "refused")
"""States of a sheet: waiting to be brought, then those that the gateway tells."""


class Sheet(NamedTuple):
    """A signed one. envelope: as the gateway takes it."""

    id: str
    serial: str
    day: int
    envelope: dict[str, Any]
    state: str


class Strip(NamedTuple):
    """Six periods as they were signed last."""

    sequence: int
    registers: bytes


def nearest(shown: int, known: int, width: int) -> int:
    """What a register that begins anew at `width` may have counted, Wh: of all such values the nearest to one known."""
    counted = known - known % width + shown
    if counted - known > width // 2 and counted >= width:
        return counted - width
    return counted + width if known - counted > width // 2 else counted


class Registers:
    """The database of an agent."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            InputError: the file cannot be used.
        """
        self._lock = threading.Lock()  # telegrams come in one thread, and are signed in another
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            # A telegram is acknowledged to the broker once it is on the disk.
            for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *_TABLES):
                self._db.execute(statement)
        except sqlite3.Error as error:
            raise InputError(str(path), None, f"cannot be used as an agent's state: {error}") from error

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(question, values).fetchall()

    # ------------------------------------------------------------------------------------------------- market

    def market(self) -> dict[str, Any] | None:
        """What the gateway said of its market when it was asked first."""
        [found] = self._rows("SELECT (SELECT value FROM known WHERE what = 'market')")
        return None if found[0] is None else dict(json.loads(found[0]))

    def remember_market(self, market: dict[str, Any]) -> None:
        """Keep it, so that an agent can start while its gateway is away."""
        with self._change() as db:
            db.execute("INSERT OR REPLACE INTO known VALUES ('market', ?)", (json.dumps(market),))

    # ---------------------------------------------------------------------------------------------- registers

    def take(self, where: str, seen: Seen, boundary: int, width: int | None = None) -> bool:
        """Keep registers if they are the last ones of their period, in whatever order they come; whether they are.

        boundary: end of the period that they were seen in. width: what they begin anew at, Wh. They are kept as if they
        never did, which is what the meter signs.

        Raises:
            InputError: registers would run backwards.
        """
        with self._change() as db:
            if width is not None:
                seen = self._unrolled(db, where, seen, width)
            for order, sign, word in (("<=", "<", "below"), (">", ">", "above")):
                direction = "DESC" if order == "<=" else "ASC"
                question = (
                    f"SELECT at, imported, exported FROM register WHERE serial = ? AND at {order} ? "
                    f"ORDER BY at {direction} LIMIT 1"
                )
                for at, imported, exported in db.execute(question, (seen.serial, seen.at)):
                    for name, new, old in (("import", seen.imported, imported), ("export", seen.exported, exported)):
                        if (new < old) if sign == "<" else (new > old):
                            why = f"Wh of {name} is {word} the {old} Wh of {at - seen.at:+d} s: registers only go up"
                            raise InputError(where, new, why)
            done = db.execute(
                "INSERT INTO register VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, "
                "imported = excluded.imported, exported = excluded.exported WHERE excluded.at > register.at",
                (seen.serial, boundary, seen.at, seen.imported, seen.exported),
            )
            return done.rowcount > 0

    def _unrolled(self, db: sqlite3.Connection, where: str, seen: Seen, width: int) -> Seen:
        """Of all that the registers may have counted, what is nearest to what is known."""
        shown = (seen.imported, seen.exported)
        if max(shown) >= width:
            raise InputError(where, max(shown), f"Wh is more than a register has that begins anew at {width} Wh")
        known = db.execute(
            "SELECT imported, exported FROM register WHERE serial = ? ORDER BY abs(at - ?) LIMIT 1",
            (seen.serial, seen.at),
        ).fetchone()
        name = f"registers of {seen.serial}"
        if known is None:  # it may have been silent for longer than registers are kept
            kept = db.execute("SELECT value FROM known WHERE what = ?", (name,)).fetchone()
            known = shown if kept is None else json.loads(kept[0])
        unrolled = [nearest(value, before, width) for value, before in zip(shown, known, strict=True)]
        db.execute("INSERT OR REPLACE INTO known VALUES (?, ?)", (name, json.dumps(unrolled)))
        return seen._replace(imported=unrolled[0], exported=unrolled[1])

    def at_boundaries(self, serial: str, first: int, last: int, tolerance: int) -> dict[int, Register]:
        """Registers at ends of periods; none where no telegram came shortly enough before."""
        question = (
            "SELECT boundary, imported, exported FROM register "
            "WHERE serial = ? AND boundary BETWEEN ? AND ? AND at >= boundary - ?"
        )
        rows = self._rows(question, serial, first, last, tolerance)
        return {boundary: Register(Wh(imported), Wh(exported)) for boundary, imported, exported in rows}

    def first(self, serial: str) -> int | None:
        """The first moment that something is known of."""
        [(found,)] = self._rows("SELECT min(at) FROM register WHERE serial = ?", serial)
        return None if found is None else int(found)

    # ------------------------------------------------------------------------------------------------- sheets

    def strips(self, serial: str, day: int) -> dict[int, Strip]:
        """What was signed of a day."""
        rows = self._rows("SELECT strip, sequence, registers FROM strip WHERE serial = ? AND day = ?", serial, day)
        return {strip: Strip(sequence, registers) for strip, sequence, registers in rows}

    def put(self, sheet: Sheet, strips: dict[int, Strip], now: int) -> None:
        """Keep a sheet with what it says of which strips."""
        with self._change() as db:
            db.execute(
                "INSERT INTO sheet VALUES (?, ?, ?, ?, ?, ?)",
                (sheet.id, sheet.serial, sheet.day, json.dumps(sheet.envelope), sheet.state, now),
            )
            rows = [(sheet.serial, sheet.day, number, *strip) for number, strip in strips.items()]
            db.executemany("INSERT OR REPLACE INTO strip VALUES (?, ?, ?, ?, ?)", rows)

    def sheets(self, is_all: bool = False) -> list[Sheet]:
        """Sheets that have not ended, or all, in the order in which they were signed."""
        rows = self._rows("SELECT id, serial, day, envelope, state FROM sheet ORDER BY signed_at, day, id")
        found = [Sheet(id_, serial, day, json.loads(envelope), state) for id_, serial, day, envelope, state in rows]
        return [sheet for sheet in found if is_all or sheet.state not in ENDED]

    def move(self, id_: str, state: str) -> None:
        """Note what has become of a sheet."""
        with self._change() as db:
            db.execute("UPDATE sheet SET state = ? WHERE id = ?", (state, id_))

    def forget(self, before: int, day: int) -> None:
        """Let go of registers from before a moment, which is in this day, and of sheets that have ended by then.

        A sheet that waits stays, however old it is. What was signed of a day stays longer than its registers, so that
        those which are left are not taken for new ones.
        """
        with self._change() as db:
            db.execute("DELETE FROM register WHERE boundary < ?", (before,))
            db.execute("DELETE FROM strip WHERE day < ?", (day,))
            places = ", ".join("?" * len(ENDED))
            db.execute(f"DELETE FROM sheet WHERE signed_at < ? AND state IN ({places})", (before, *ENDED))
