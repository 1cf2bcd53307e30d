"""What is counted over settled days."""

from dataclasses import dataclass

import numpy as np

from dem.model.orders import Side
from dem.model.settlement import DaySettlement
from dem.replay.book import Book

_NO_PRICE = -1


@dataclass(frozen=True, slots=True)
class Totals:
    """Counted over settled days: periods, Wh lost in them, orders, and those filled beyond size or limit."""

    periods: int = 0
    lost: int = 0
    orders: int = 0
    wrong_fills: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        names = Totals.__slots__
        return Totals(*(getattr(self, name) + getattr(other, name) for name in names))


def totals_of(settled: DaySettlement, book: Book) -> Totals:
    """Of one day, with the book of its day-ahead auction."""
    lost = abs(settled.contracted.sum(axis=0)).sum()
    lost += abs(settled.contracted + settled.imbalance - settled.delivery.metered).sum()
    lost += abs(settled.area.imbalance - settled.imbalance.sum(axis=0)).sum()
    orders, fills = book.standing, book.fills
    prices = np.array([_NO_PRICE if c.price is None else c.price for c in book.clearing])[orders.slot]
    better = np.where(orders.side == Side.BID, prices <= orders.tick, prices >= orders.tick) & (prices != _NO_PRICE)
    right = (fills >= 0) & (fills <= orders.energy) & (better | (fills == 0))
    return Totals(len(book.clearing), int(lost), len(fills), int((~right).sum()))
