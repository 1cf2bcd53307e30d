"""Bills of a market day that is final, from the index: of every member, beside the book that has been issued already.

A bill is made of what was settled and paid, to the unit. The settlement tells a day's sums, so its lines are net.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dem.gateway.bills.book import Book
from dem.gateway.pages.figures import Market, Row
from dem.gateway.reads import Index
from dem.model.bills import CHARGE, PURCHASE, SALE, Bill, Document, Line

BY = "market day"
"""What a book of such bills is by, and what the span of each begins with."""
_LOOKED_BACK = 31
"""Final days that are looked at again: for so long a payment that comes later is billed by a correction."""
_FINAL = """
SELECT DISTINCT day FROM market_rules_day_final WHERE block <= :deepest ORDER BY day
"""
_SETTLED = """
SELECT participant, round(trade_eur * 1e8) AS trade, round(imbalance_eur * 1e8) AS imbalance,
  round(fees_eur * 1e8) AS fees, round(deviation_eur * 1e8) AS deviation, round(penalty_eur * 1e8) AS penalty
FROM settlements WHERE day = :day
"""
_PAID = """
SELECT participant, what, round(sum(amount_eur * 1e8)) AS received FROM side_payments WHERE day = :day
GROUP BY participant, what ORDER BY participant, what
"""
_BILLED = """
SELECT participant FROM participants WHERE kind IN ('grid_operator', 'consumer', 'prosumer', 'intermediary')
"""
"""Operator and fallback supplier have no meter: what they earn is in the bills of those who pay it."""
_CHARGES = {
    "fees": "fees on what was bought and sold",
    "deviation": "charge for contracts not kept beyond the tolerance",
    "penalty": "penalty of the upper market",
}
TRADED, BEYOND = "bought and sold by contract, net", "supply and surplus beyond contracts, net"


def called(participant: int) -> str:
    """Whom bills made from the index are for; no scenario may call a member so."""
    return f"participant {participant}"


def of_member(book: Book, participant: int, name: str | None) -> list[Document]:
    """A member's documents, also those of a run's bills, which have names."""
    return [*(book.of(name) if name else ()), *book.of(called(participant))]


@dataclass(frozen=True, slots=True)
class _Money:
    """Of one member and day. payments: what came besides the settlement, received negative."""

    settled: Row
    payments: tuple[Line, ...]

    @property
    def charges(self) -> tuple[Line, ...]:
        lines = (Line(what, CHARGE, int(self.settled.get(part, 0))) for part, what in _CHARGES.items())
        return tuple(line for line in lines if line.units)

    @property
    def units(self) -> int:
        sums = sum(int(self.settled.get(part, 0)) for part in ("trade", "imbalance", *_CHARGES))
        return sums + sum(line.units for line in self.payments)


class Billing:
    """Issues bills of one market into one book. depth: blocks above a day's end from which on it stays."""

    def __init__(self, index: Index, market: Market, book: Book, series: str, currency: str, depth: int) -> None:
        self._index, self._market, self._book = index, market, book
        self._series, self._currency, self._depth = series, currency, depth

    def final_days(self) -> list[int]:
        """Days that are final for good, in order: the last ones, those without bills, and one that may be cut off."""
        self._book.refresh()
        rows = self._index.rows(_FINAL, deepest=self._index.head() - self._depth)
        days, documents = [int(row["day"]) for row in rows], self._book.documents
        whole = {one.bill.span for one in documents} - {one.bill.span for one in documents[-1:]}
        return [day for day in days if day in days[-_LOOKED_BACK:] or _span(day) not in whole]

    def is_done(self, day: int) -> bool:
        """Whether every member has a bill that says what was posted for the day."""
        return not self._lacking(day)

    def issue(self, day: int) -> list[Document]:
        """Issue what lacks, and corrections of what differs; nothing that there is already."""
        lacking = self._lacking(day)
        now = self._market.now.isoformat(timespec="seconds")
        return self._book.issue(self._bills(day, lacking), self._series, BY, now)

    def _lacking(self, day: int) -> Mapping[int, _Money]:
        self._book.refresh()
        return {id_: money for id_, money in self._money(day).items() if self._posted(id_, day) != money.units}

    def _posted(self, participant: int, day: int) -> int | None:
        """What the last document of a member and day says; None without one."""
        own = reversed(self._book.of(called(participant)))
        return next((one.bill.posted_units for one in own if one.bill.span == _span(day)), None)

    def _money(self, day: int) -> Mapping[int, _Money]:
        billed = {int(row["participant"]) for row in self._index.rows(_BILLED)}
        settled = {int(row["participant"]): row for row in self._index.rows(_SETTLED, day=day)}
        payments: dict[int, list[Line]] = {}
        for row in self._index.rows(_PAID, day=day):
            if row["received"]:
                payments.setdefault(row["participant"], []).append(Line(row["what"], CHARGE, -int(row["received"])))
        return {
            id_: _Money(settled.get(id_, {}), tuple(payments.get(id_, ())))
            for id_ in sorted(billed & (settled.keys() | payments.keys()))
        }

    def _bills(self, day: int, lacking: Mapping[int, _Money]) -> Iterator[Bill]:
        market, calendar = self._market, self._market.calendar
        begins, ends = (
            market.local(calendar.start_of(number)).isoformat(timespec="seconds") for number in (day, day + 1)
        )
        for id_, money in lacking.items():
            days = range(day, day + 1)
            use, contracted = market.use(id_, days), sum(row["contracted"] for row in market.energy(id_, days))
            beyond = use.drawn_wh - use.fed_in_wh - contracted
            energy = (
                _net(TRADED, int(money.settled.get("trade", 0)), contracted),
                _net(BEYOND, int(money.settled.get("imbalance", 0)), beyond),
            )
            yield Bill(
                participant=called(id_),
                span=_span(day),
                begins=begins,
                ends=ends,
                zone=str(market.zone),
                currency=self._currency,
                energy=tuple(line for line in energy if line.units or line.energy_wh),
                charges=money.charges,
                payments=money.payments,
                taxes=(),
                drawn_wh=use.drawn_wh,
                fed_in_wh=use.fed_in_wh,
                periods=use.periods,
                estimated=use.estimated,
                tariff_units=use.tariff_units,
                alone_units=use.alone_units,
            )


def _net(what: str, units: int, energy: int) -> Line:
    return Line(what, PURCHASE if energy >= 0 else SALE, units, energy)


def _span(day: int) -> str:
    return f"{BY} {day}"
