"""Tables that a role goes by beside the chain, such as tariffs and payments. They are read anew when changed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from dem.errors import InputError
from dem.model.markets.dealing import Quote
from dem.model.markets.wholesale import Offer
from dem.model.rules import Tariff
from dem.model.units import PriceRange, UnitsPerWh, Wh
from dem.relay.members import Payment, salted
from dem.roles.outbox import BankAccount, is_iban
from dem.roles.step import Day
from dem.tables import Cell, Kept, read_rows

T = TypeVar("T")

_UNITS_PER_WH = 100_000
"""Units/Wh in one currency/kWh."""
_WORD = 32
_LONGEST_NAME = 70
"""Of who is paid, as banks take it."""
_FEWEST_BYTES = 16
"""Of 32 random bytes so many differ from each other; fewer are by design."""


def payments(path: Path) -> Callable[[], Sequence[Payment]]:
    """What came in at the bank. Columns: account, amount (currency), reference (the bank's), salt (0x and 64 digits).

    What goes on the chain is the hash of both. A bank's reference could be found out by trying; with 32 random bytes
    before it, which the table keeps, it cannot.
    """

    def read(path: Path) -> Sequence[Payment]:
        rows = [*read_rows(path, ("account", "amount", "reference", "salt"))]
        salts = _salts(rows)
        return [
            Payment(row["account"].address(), row["amount"].money(), salted(salt, row["reference"].text.encode()))
            for row, salt in zip(rows, salts, strict=True)
        ]

    nothing: Sequence[Payment] = ()
    return Kept(path, read, nothing)


def banks(path: Path) -> Callable[[], Mapping[str, BankAccount]]:
    """Where members want their money. Columns: account, name (as the bank has it), iban."""

    def read(path: Path) -> Mapping[str, BankAccount]:
        return {row["account"].address(): _bank_account(row) for row in read_rows(path, ("account", "name", "iban"))}

    nothing: Mapping[str, BankAccount] = {}
    return Kept(path, read, nothing)


def _bank_account(row: Mapping[str, Cell]) -> BankAccount:
    name, iban = row["name"].text.strip(), row["iban"].text.replace(" ", "")
    if not 0 < len(name) <= _LONGEST_NAME:
        raise row["name"].wrong(f"must have 1 to {_LONGEST_NAME} letters")
    if not is_iban(iban):
        raise row["iban"].wrong("is no IBAN: see its check digits")
    return BankAccount(name, iban)


def papers(path: Path) -> Callable[[], Mapping[str, bytes]]:
    """Whose papers are in order. Columns: account, file (relative to the table), salt (0x and 64 digits).

    An application has the hash of both; the member's browser made the salt, and hands it in with the papers. So who
    applied with a hash that could be tried out, or with that of other papers, is not admitted.
    """

    def read(path: Path) -> Mapping[str, bytes]:
        rows = [*read_rows(path, ("account", "file", "salt"))]
        pairs = zip(rows, _salts(rows), strict=True)
        return {row["account"].address(): salted(salt, _content(path.parent, row["file"])) for row, salt in pairs}

    nothing: Mapping[str, bytes] = {}
    return Kept(path, read, nothing)


def tariffs(path: Path, periods_per_day: int) -> Callable[[Day], Sequence[Tariff] | None]:
    """Tariffs by day. Columns: day, slot, buy, sell (currency/kWh). After the last day the table begins anew."""

    def read(path: Path) -> Sequence[Sequence[Tariff]]:
        def tariff(row: Mapping[str, Cell]) -> Tariff:
            buy, sell = (UnitsPerWh(row[side].multiple(_UNITS_PER_WH, "1/100,000")) for side in ("buy", "sell"))
            return Tariff(buy, sell)

        return _by_day(path, ("buy", "sell"), tariff, periods_per_day)

    nothing: Sequence[Sequence[Tariff]] = ()
    return partial(_of_day, Kept(path, read, nothing))


def offers(path: Path, periods_per_day: int) -> Callable[[Day], Sequence[Offer] | None]:
    """What a wholesale desk offers. Columns: day, slot, price and penalty (currency/kWh), import_wh, export_wh.

    Days are those of the market: for a day that the table does not know the desk offers nothing.
    """

    def offer(row: Mapping[str, Cell]) -> Offer:
        price, penalty = (row[name].multiple(_UNITS_PER_WH, "1/100,000") for name in ("price", "penalty"))
        imports, exports = row["import_wh"].integer(), row["export_wh"].integer()
        try:
            return Offer(price, penalty, imports, exports)
        except InputError as error:
            raise row["price"].wrong(f"{error.where} {error.value} {error.why}") from None

    def read(path: Path) -> Mapping[Day, Sequence[Offer]]:
        return _by_market_day(path, ("price", "penalty", "import_wh", "export_wh"), offer, periods_per_day)

    nothing: Mapping[Day, Sequence[Offer]] = {}
    kept = Kept(path, read, nothing)
    return lambda day: kept().get(day)


def quotes(path: Path, periods_per_day: int, prices: PriceRange) -> Callable[[Day], Sequence[Quote] | None]:
    """At what an intermediary deals in its pool. Columns: day (of the market), slot, buys, sells (currency/kWh).

    Rounded to whole ticks outwards: the intermediary gains, by less than a tick.
    """

    def quote(row: Mapping[str, Cell]) -> Quote:
        buys, sells = (UnitsPerWh(row[name].multiple(_UNITS_PER_WH, "1/100,000")) for name in ("buys", "sells"))
        if buys > sells:
            raise row["buys"].wrong("must not be above what it sells for")
        return Quote(prices.nearest(prices.tick_down(buys)), prices.nearest(prices.tick_up(sells)))

    def read(path: Path) -> Mapping[Day, Sequence[Quote]]:
        return _by_market_day(path, ("buys", "sells"), quote, periods_per_day)

    nothing: Mapping[Day, Sequence[Quote]] = {}
    kept = Kept(path, read, nothing)
    return lambda day: kept().get(day)


def energies(path: Path, periods_per_day: int) -> Callable[[Day], Sequence[Wh] | None]:
    """Net energy of a day by slot. Columns: day, slot, net_wh (consumption positive). It begins anew as tariffs do."""

    def read(path: Path) -> Sequence[Sequence[Wh]]:
        return _by_day(path, ("net_wh",), lambda row: Wh(row["net_wh"].multiple(1, "Wh")), periods_per_day)

    nothing: Sequence[Sequence[Wh]] = ()
    return partial(_of_day, Kept(path, read, nothing))


def _of_day(read: Callable[[], Sequence[Sequence[T]]], day: Day) -> Sequence[T] | None:
    found = read()
    return found[(day - 1) % len(found)] if found else None


def _by_day(
    path: Path, columns: Sequence[str], value: Callable[[Mapping[str, Cell]], T], periods_per_day: int
) -> Sequence[Sequence[T]]:
    """Days that follow one another from 1 on."""
    found = _by_market_day(path, columns, value, periods_per_day)
    for expected, day in enumerate(found, start=1):
        if day != expected:
            raise InputError(str(path), day, f"is no day of it: after {expected - 1} comes {expected}")
    return [*found.values()]


def _by_market_day(
    path: Path, columns: Sequence[str], value: Callable[[Mapping[str, Cell]], T], periods_per_day: int
) -> Mapping[Day, Sequence[T]]:
    """Each day whole, in the order of the table."""
    days: dict[Day, dict[int, T]] = {}
    for row in read_rows(path, ("day", "slot", *columns)):
        day, slot = row["day"].integer(), row["slot"].integer()
        if day < 1:
            raise row["day"].wrong("must be 1 or more")
        if slot >= periods_per_day:
            raise row["slot"].wrong(f"must be less than {periods_per_day}")
        days.setdefault(day, {})[slot] = value(row)
    for day, slots in days.items():
        if len(slots) != periods_per_day:
            missing = next(slot for slot in range(periods_per_day) if slot not in slots)
            raise InputError(str(path), None, f"has no slot {missing} of day {day}: name all {periods_per_day}")
    return {day: [slots[slot] for slot in range(periods_per_day)] for day, slots in days.items()}


def _salts(rows: Sequence[Mapping[str, Cell]]) -> list[bytes]:
    """Of each row its own: one that is used twice, or is no random number, would hide nothing."""
    found: list[bytes] = []
    for row in rows:
        salt = _word(row["salt"])
        if len({*salt}) < _FEWEST_BYTES:
            raise row["salt"].wrong("is no random number: make one by `openssl rand -hex 32`")
        if salt in found:
            raise row["salt"].wrong("is that of another row: each has its own")
        found.append(salt)
    return found


def _content(folder: Path, cell: Cell) -> bytes:
    try:
        return (folder / cell.text).read_bytes()
    except OSError as error:
        raise cell.wrong(f"cannot be read: {error.strerror}") from None


def _word(cell: Cell) -> bytes:
    try:
        word = bytes.fromhex(cell.text.removeprefix("0x"))
    except ValueError:
        word = b""
    if len(word) != _WORD:
        raise cell.wrong("must be 0x and 64 hexadecimal digits")
    return word
