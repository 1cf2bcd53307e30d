"""What is signed to trade in the markets, but for contracts between two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from eth_utils.crypto import keccak

from dem.model.markets.wholesale import Offer, report_words
from dem.model.orders import Order, lines_of
from dem.model.strips import LANES, pack
from dem.model.units import Wh

LINES_PER_SHEET = 300
"""Longest sheet that one transaction takes."""


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """A participant's order lines of a day, `lines[n]` being the word of line first_line + n.

    Every word carries the day, one without orders too: pack(day, [0] * 6).
    """

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("firstLine", "uint16"),
        ("sequence", "uint40"),
        ("lines", "bytes32[]"),
    )
    participant: str
    day: int
    first_line: int
    sequence: int
    lines: tuple[int, ...]


def order_sheets(account: str, day: int, orders: Sequence[Order], periods_per_day: int) -> Iterator[OrderSheet]:
    """One participant's orders of a day as sheets of consecutive lines, numbered from sequence 1."""
    words = lines_of(orders, day, periods_per_day)
    first, last = min(words), max(words)
    empty = pack(day, [0] * LANES)
    for sequence, start in enumerate(range(first, last + 1, LINES_PER_SHEET), start=1):
        lines = range(start, min(start + LINES_PER_SHEET, last + 1))
        yield OrderSheet(account, day, start, sequence, tuple(words.get(line, empty) for line in lines))


@dataclass(frozen=True, slots=True)
class WholesaleReport:
    """What the wholesale desk can trade on a day: a word per strip each, of `wholesale.report_words`.

    salt: 32 bytes that nobody else knows, so that the hash of the report hides it.
    """

    TYPE: ClassVar = (
        ("desk", "address"),
        ("day", "uint32"),
        ("prices", "bytes32[]"),
        ("imports", "bytes32[]"),
        ("exports", "bytes32[]"),
        ("salt", "bytes32"),
    )
    desk: str
    day: int
    prices: tuple[int, ...]
    imports: tuple[int, ...]
    exports: tuple[int, ...]
    salt: bytes


def report_of(account: str, key: bytes, day: int, offers: Sequence[Offer]) -> WholesaleReport:
    """The report of a desk's offers by slot, the same whenever it is asked: only its key knows the salt."""
    salt = bytes(keccak(b"wholesale report" + key + day.to_bytes(4, "big")))
    prices, imports, exports = report_words(day, offers)
    return WholesaleReport(account, day, prices, imports, exports, salt)


@dataclass(frozen=True, slots=True)
class WholesaleCommitment:
    """Binds the wholesale desk to a report of the day before it opens it. report: the report's struct hash."""

    TYPE: ClassVar = (("desk", "address"), ("day", "uint32"), ("report", "bytes32"))
    desk: str
    day: int
    report: bytes


@dataclass(frozen=True, slots=True)
class IntradayOrder:
    """An order of the intraday market: limit in ticks, energy in Wh, and the steps of matching it may take.

    expiry: unix time from which the chain does not take it any more; what rests by then stays.
    """

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("slot", "uint16"),
        ("isAsk", "bool"),
        ("tick", "uint16"),
        ("energy", "uint32"),
        ("maxFills", "uint16"),
        ("expiry", "uint64"),
        ("sequence", "uint40"),
    )
    participant: str
    day: int
    slot: int
    is_ask: bool
    tick: int
    energy: Wh
    max_fills: int
    expiry: int
    sequence: int


@dataclass(frozen=True, slots=True)
class IntradayRevocation:
    """Takes back the participant's intraday messages up to a sequence, as far as nobody has brought them."""

    TYPE: ClassVar = (("participant", "address"), ("sequence", "uint40"))
    participant: str
    sequence: int


@dataclass(frozen=True, slots=True)
class IntradayCancellation:
    """Cancels the participant's intraday order of this number."""

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("number", "uint64"),
        ("sequence", "uint40"),
    )
    participant: str
    day: int
    number: int
    sequence: int


@dataclass(frozen=True, slots=True)
class IntradayFunding:
    """Money units for a day's intraday orders, or back from them."""

    TYPE: ClassVar = (
        ("participant", "address"),
        ("day", "uint32"),
        ("amount", "uint128"),
        ("isReturn", "bool"),
        ("sequence", "uint40"),
    )
    participant: str
    day: int
    amount: int
    is_return: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class CongestionRequest:
    """What the grid operator wants moved across the border of an area in a slot, and pays for.

    is_fed_in: whether too much is fed in inside; if not, too much is drawn. zones: the area. barred: zones outside of
    it that must not take part. energy: Wh. spread: ticks that an ask may be above the bid that it meets. budget: money
    units. closes_at: unix time from which no order is taken. report: hash of what says why.
    """

    TYPE: ClassVar = (
        ("day", "uint32"),
        ("slot", "uint16"),
        ("isFedIn", "bool"),
        ("zones", "uint16[]"),
        ("barred", "uint16[]"),
        ("energy", "uint32"),
        ("spread", "uint16"),
        ("budget", "uint64"),
        ("closesAt", "uint64"),
        ("report", "bytes32"),
        ("sequence", "uint40"),
    )
    day: int
    slot: int
    is_fed_in: bool
    zones: tuple[int, ...]
    barred: tuple[int, ...]
    energy: Wh
    spread: int
    budget: int
    closes_at: int
    report: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class CongestionOrder:
    """A member's order for a request, by its number; energy 0 takes back what it has ordered.

    Whether it is a bid or an ask follows from where its connection is.
    """

    TYPE: ClassVar = (
        ("account", "address"),
        ("number", "uint32"),
        ("tick", "uint16"),
        ("energy", "uint32"),
        ("sequence", "uint40"),
    )
    account: str
    number: int
    tick: int
    energy: Wh
    sequence: int
