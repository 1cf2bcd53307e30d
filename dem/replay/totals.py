"""What is counted over settled days."""

from dataclasses import dataclass

from dem.model.settlement import DaySettlement
from dem.replay.book import Book


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
    """Of one day, with the book of its day-ahead market."""
    lost = abs(settled.contracted.sum(axis=0)).sum()
    lost += abs(settled.contracted + settled.imbalance - settled.delivery.metered).sum()
    lost += abs(settled.area.imbalance - settled.imbalance.sum(axis=0)).sum()
    fills = book.fills
    right = (fills >= 0) & (fills <= book.standing.energy) & book.keeps_limits
    return Totals(len(book.clearing), int(lost), len(fills), int((~right).sum()))
