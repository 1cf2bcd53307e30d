"""What follows from a clearing and its book: it is kept when a slot is cleared, for then the book is closed (rule 5).

So nobody has to go through the orders of everybody to tell one member what it got, or the public how many traded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from sqlalchemy import text
from sqlalchemy.engine import Connection

from dem.chain.events import Event
from dem.index.tables import type_name

_TRADERS, _AT_PRICE = "cleared_traders", "order_at_price"
TABLES = (_TRADERS, _AT_PRICE)
DEFINITIONS = (
    f"""CREATE TABLE {_TRADERS} (
  block INTEGER NOT NULL,
  log_index INTEGER NOT NULL,
  contract TEXT NOT NULL,
  day INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  bids INTEGER NOT NULL,
  asks INTEGER NOT NULL,
  PRIMARY KEY (block, log_index)
) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE {_AT_PRICE} (
  block INTEGER NOT NULL,
  log_index INTEGER NOT NULL,
  contract TEXT NOT NULL,
  day INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  layer INTEGER NOT NULL,
  id INTEGER NOT NULL,
  ahead_wh INTEGER NOT NULL,
  PRIMARY KEY (block, log_index, id, layer)
) STRICT, WITHOUT ROWID""",
)
"""How many members have limits better than the price, by side: they have certainly traded. And the orders at the price
of the side that gets less than it asks for, each with what those before it ask for: by that it gets its part."""
_BOOK = """
WITH RECURSIVE
  layer (place) AS (
    SELECT CAST(:slot AS BIGINT) UNION ALL SELECT place + periods_per_day FROM layer CROSS JOIN calendar
    WHERE place < (SELECT max(place) FROM order_lane)
  ),
  age_of AS (
    SELECT
      o.*, row_number() OVER (PARTITION BY o.id, o.place ORDER BY o.block DESC, o.log_index DESC) AS age
    FROM layer CROSS JOIN order_lane AS o
    WHERE o.place = layer.place AND o.contract = :contract AND o.day = :day
  ),
  book AS (
    SELECT id, place / periods_per_day AS layer, is_ask, tick, energy_wh FROM age_of CROSS JOIN calendar
    WHERE age = 1 AND energy_wh > 0
  )
"""
"""SQLite goes through a CROSS JOIN from left to right: by places, of which each is looked up."""
_INSERTS = (
    f"""
INSERT INTO {_TRADERS} {_BOOK}
SELECT
  :block, :log_index, :contract, :day, :slot,
  count(DISTINCT CASE WHEN is_ask = 0 AND tick > :price THEN id END),
  count(DISTINCT CASE WHEN is_ask = 1 AND tick < :price THEN id END)
FROM book
""",
    f"""
INSERT INTO {_AT_PRICE} {_BOOK}
SELECT
  :block, :log_index, :contract, :day, :slot, layer, id,
  coalesce(sum(energy_wh) OVER (ORDER BY id, layer ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
FROM book WHERE tick = :price AND is_ask = :rationed - 1
""",
)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Of a slot in which something was traded. rationed: 1 bids, 2 asks, 0 no side."""

    block: int
    log_index: int
    contract: str
    day: int
    slot: int
    price: int
    rationed: int

    @classmethod
    def of(cls, event: Event) -> Self | None:
        """What an event tells of one; None if it is about something else."""
        args = event.args
        if (type_name(event.contract), event.name) != ("CallAuction", "Cleared") or not args["volume"]:
            return None
        place = event.block, event.log_index, event.contract
        return cls(*place, args["day"], args["slot"], args["price"], args["rationed"])


def keep(connection: Connection, clearings: Iterable[Clearing]) -> None:
    """Put in what follows from them. All orders before them are in already."""
    for one in clearings:
        values = {name: getattr(one, name) for name in Clearing.__slots__}
        for statement in _INSERTS:
            connection.execute(text(statement), values)
