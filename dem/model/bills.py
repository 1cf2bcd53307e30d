"""Bills: what a member owes for a stretch of local time, line by line, in whole money units.

Only the foot of a bill is rounded, down to the hundredth of the currency, which is in the member's favour. The rest is
carried to the member's next bill, so in the end nobody gains.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from dem.model.units import MONEY_DECIMALS

CENT: int = 10 ** (MONEY_DECIMALS - 2)
"""Money units of what is paid out or in at least."""
PURCHASE, SALE, CHARGE = "purchase", "sale", "charge"


@dataclass(frozen=True, slots=True)
class Line:
    """energy_wh: positive what it got, negative what it gave. units: positive paid, negative received.

    detail: the market, the levy, or the rate that it is about.
    """

    what: str
    kind: str
    units: int
    energy_wh: int = 0
    detail: str = ""

    @property
    def text(self) -> str:
        """In English."""
        return f"{self.what}: {self.detail}" if self.detail else self.what

    @property
    def price(self) -> float | None:
        """Currency/kWh; None without energy."""
        return self.units / self.energy_wh * 1_000 / 10**MONEY_DECIMALS if self.energy_wh else None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a member owes for a calendar month or day.

    span: such as 2016-05 or 2016-05-08. begins, ends: the part of it that was settled, in local time with its offset.
    energy: by source; charges: fees, deviation, penalties; payments: what came besides the settlement, received
    negative. All these are posted to the member's account. taxes: levies and VAT, which are posted to none.
    estimated: of its periods, those that no meter has read.
    tariff_units: the same meters at the fallback tariffs alone. alone_units: if nobody had traded; None if not known.
    """

    participant: str
    span: str
    begins: str
    ends: str
    zone: str
    currency: str
    energy: tuple[Line, ...]
    charges: tuple[Line, ...]
    payments: tuple[Line, ...]
    taxes: tuple[Line, ...]
    drawn_wh: int
    fed_in_wh: int
    periods: int
    estimated: int
    tariff_units: int
    alone_units: int | None

    @property
    def settled_units(self) -> int:
        """What the settlement says, without payments besides it."""
        return _sum(self.energy) + _sum(self.charges)

    @property
    def posted_units(self) -> int:
        """What was posted to the account."""
        return self.settled_units + _sum(self.payments)

    @property
    def total_units(self) -> int:
        """With levies and VAT."""
        return self.posted_units + _sum(self.taxes)

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of them, in their order."""
        return (*self.energy, *self.charges, *self.payments, *self.taxes)

    def as_dict(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @staticmethod
    def of_dict(record: dict[str, Any]) -> "Bill":
        """One that was kept."""
        parts = {part: tuple(Line(**line) for line in record[part]) for part in _PARTS}
        return Bill(**record | parts)


_PARTS = ("energy", "charges", "payments", "taxes")


@dataclass(frozen=True, slots=True)
class Document:
    """A bill as it was issued. It is never changed: a correction is another document.

    corrects: number of the document whose place it takes, "" if it is the first of its span. before_units: what that
    one said. rest_before_units: carried from the member's document before. previous: hash of the document before.
    """

    number: str
    issued: str
    bill: Bill
    corrects: str
    before_units: int
    rest_before_units: int
    previous: str
    hash: str

    @property
    def change_units(self) -> int:
        """What this document adds to what was billed."""
        return self.bill.total_units - self.before_units

    @property
    def due_cents(self) -> int:
        """To be paid, or received if negative, in hundredths of the currency: rounded down, for the member."""
        return (self.rest_before_units + self.change_units) // CENT

    @property
    def rest_units(self) -> int:
        """Carried to the member's next document; from 0 to below a hundredth."""
        return (self.rest_before_units + self.change_units) % CENT

    def sealed(self) -> "Document":
        """The same with the hash of all it says."""
        content = json.dumps({**asdict(self), "hash": ""}, sort_keys=True, ensure_ascii=False)
        return replace(self, hash=hashlib.sha256(content.encode()).hexdigest())


def _sum(lines: Iterable[Line]) -> int:
    return sum(line.units for line in lines)
