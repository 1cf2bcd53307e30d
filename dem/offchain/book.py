"""One order book from a CSV file, cleared by the reference model: what the auction would say of it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dem.errors import InputError
from dem.model.markets.auction import clear, fills
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.units import (
    FROM_ZERO,
    Money,
    PriceRange,
    Tick,
    UnitsPerWh,
    Wh,
    currency,
    kwh,
    parse_kwh,
    price_per_kwh,
)
from dem.tables import hint

COLUMNS = ("participant", "side", "price", "energy")
ORDERS_PER_ACCOUNT = 32
"""An account brings so many orders of one side, whoever's they are: one for each participant would cost the chain ten
times as much, and change no price and no fill."""
SLOT = 0
"""Of the day that such a market has."""
_NAME_LENGTH = 64
_FILLS = (
    "order",
    "participant",
    "side",
    "limit_per_kwh",
    "energy_kwh",
    "filled_wh",
    "filled_kwh",
    "amount",
)
"""Columns of fills.csv; what is paid is positive."""
_SIDES = {"bid": Side.BID, "ask": Side.ASK}
_GZIP = b"\x1f\x8b"
_BELOW_ZERO = PriceRange(lowest=UnitsPerWh(-100_000))
"""The prices of a book in which any is below zero."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file."""

    participant: str
    side: Side
    price: UnitsPerWh
    energy: Wh


@dataclass(frozen=True, slots=True)
class BookResult:
    """Price (None if nothing trades), volume, and what each row trades, Wh, in the file's order."""

    price: UnitsPerWh | None
    volume: Wh
    filled: tuple[Wh, ...]


def read_book(path: Path) -> list[Row]:
    """The orders of a CSV file with the columns participant, side (bid, ask), price (currency/kWh), energy (kWh).

    Raises:
        InputError: naming file, line, column and value.
    """
    try:
        text = _text(path)
        reader = csv.DictReader(StringIO(text, newline=""), strict=True)
        _require_columns(path, reader.fieldnames)
        rows = [_row(f"{path}, line {reader.line_num}", record) for record in reader]
    except FileNotFoundError:
        raise InputError("order book", str(path), "does not exist") from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputError("order book", str(path), f"cannot be read: {error}") from None
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}", None, f"cannot be read: {error}") from None
    if not rows:
        raise InputError("order book", str(path), "has no orders")
    dearest, most = max(row.price for row in rows), prices_of(rows).highest
    if dearest > most:
        why = f"is too far from the prices below zero: with those, prices are at most {price_per_kwh(most)}"
        raise InputError(f"{path}, column price", price_per_kwh(dearest), why)
    return rows


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith(_GZIP):
        raise InputError("order book", str(path), "cannot be read: it is gzipped, unpack it first")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        why = "cannot be read: it is not UTF-8; save it as CSV in UTF-8"
        raise InputError(f"{path}, line {line}", data[error.start : error.start + 1], why) from None


def _require_columns(path: Path, names: Sequence[str] | None) -> None:
    found = [name.strip() for name in names or ()]
    if sorted(found) != sorted(COLUMNS) or found != list(names or ()):
        hint = ": save it with commas for the semicolons" if ";" in "".join(found) else ""
        raise InputError(f"{path}, line 1", ",".join(names or ()), f"must be the columns {','.join(COLUMNS)}{hint}")


def _row(where: str, record: dict[str | None, str | None]) -> Row:
    for column in COLUMNS:
        if record.get(column) is None:
            raise InputError(f"{where}, column {column}", None, "is missing: the row is too short")
    if None in record:
        raise InputError(where, record[None], "stands beyond the last column")
    participant, side, price, energy = (str(record[column]) for column in COLUMNS)
    if not participant or participant != participant.strip() or not participant.isprintable():
        why = "must be a name without space around it"
        raise InputError(f"{where}, column participant", participant, why)
    if len(participant) > _NAME_LENGTH:
        raise InputError(f"{where}, column participant", participant, f"is longer than {_NAME_LENGTH} characters")
    if side not in _SIDES:
        raise InputError(f"{where}, column side", side, "must be bid or ask")
    try:
        prices = _BELOW_ZERO if price.startswith("-") else FROM_ZERO
        limit = UnitsPerWh(prices.price_of(prices.parse(price)))
    except InputError as error:
        raise InputError(f"{where}, column price", price, error.why + hint(price)) from None
    try:
        wh = parse_kwh(energy)
    except InputError as error:
        raise InputError(f"{where}, column energy", energy, error.why + hint(energy)) from None
    if not 1 <= wh <= MAX_ENERGY:
        raise InputError(f"{where}, column energy", energy, f"must be from 0.001 to {kwh(Wh(MAX_ENERGY))} kWh")
    return Row(participant, _SIDES[side], limit, wh)


def clear_without_chain(rows: Sequence[Row]) -> BookResult:
    """What the reference model says of a book."""
    orders, _ = orders_of(rows)
    clearing, prices = clear(orders), prices_of(rows)
    price = None if clearing.price is None else UnitsPerWh(prices.price_of(clearing.price))
    return BookResult(price, clearing.volume, tuple(fills(orders, clearing)))


def write_book(folder: Path, rows: Sequence[Row], result: BookResult) -> None:
    """clearing.csv with price and volume, fills.csv with one row per input row."""
    folder.mkdir(parents=True, exist_ok=True)
    price = ("", "") if result.price is None else (result.price // FROM_ZERO.tick, price_per_kwh(result.price))
    with (folder / "clearing.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("period", "price_ticks", "volume_wh", "price_per_kwh", "volume_kwh"))
        writer.writerow((SLOT, price[0], result.volume, price[1], kwh(result.volume)))
    units = result.price or 0
    with (folder / "fills.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_FILLS)
        for number, (row, filled) in enumerate(zip(rows, result.filled, strict=True), start=1):
            amount = Money((1 if row.side is Side.BID else -1) * filled * units)
            side, limit = row.side.name.lower(), price_per_kwh(row.price)
            own = (number, row.participant, side, limit, kwh(row.energy), filled, kwh(filled), currency(amount))
            writer.writerow(own)


def prices_of(rows: Sequence[Row]) -> PriceRange:
    """The prices that the orders of a book need."""
    return _BELOW_ZERO if any(row.price < 0 for row in rows) else FROM_ZERO


def orders_of(rows: Sequence[Row]) -> tuple[list[Order], int]:
    """The rows as orders of accounts, numbered from 1, and how many accounts there are."""
    ranked = sorted(range(len(rows)), key=lambda i: (rows[i].participant, rows[i].price, rows[i].energy, i))
    orders: dict[int, Order] = {}
    account, prices = 0, prices_of(rows)
    for side in Side:
        for place, i in enumerate(i for i in ranked if rows[i].side is side):
            layer = place % ORDERS_PER_ACCOUNT
            if layer == 0:
                account += 1
            tick = Tick(prices.tick_down(rows[i].price))
            orders[i] = Order(account, layer, SLOT, side, tick, rows[i].energy)
    return [orders[i] for i in range(len(rows))], account
