"""One order book from a CSV file through the contracts: the auction on its own, without meters and settlement."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from hashlib import sha256
from io import StringIO
from pathlib import Path

from eth_utils.crypto import keccak

from dem import formats
from dem.chain.connection import Chain
from dem.community.keys import Wallet, wallet
from dem.community.signing import sign_orders, signed
from dem.deployment.market import ADMIN, Market, deploy, role_keys
from dem.deployment.plan import Offices, Parameters
from dem.errors import ChainError, InputError
from dem.messages.members import Application
from dem.messages.signing import Domain
from dem.model.calendar import CalendarParameters
from dem.model.collateral import order_collateral
from dem.model.markets.auction import clear as clear_by_model
from dem.model.markets.auction import fills
from dem.model.mechanisms import AUCTION
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.rules import ImbalancePricing, MarketRules
from dem.model.strips import LANES, MAX_POSITION
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
from dem.relay.batches import Relay, batches
from dem.relay.clearing import clear
from dem.relay.members import Applicant, register
from dem.relay.orders import order_book, submit_orders
from dem.replay.members import KINDS
from dem.tables import hint

COLUMNS = ("participant", "side", "price", "energy")
ORDERS_PER_ACCOUNT = 32
"""An account brings so many orders of one side, whoever's they are: one for each participant would cost the chain ten
times as much, and change no price and no fill."""
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
_COMMUNITY = "book"
_DAY = 1
_SLOT = 0
_NO_METER = "0x" + "00" * 20
_WINDOW = 86_400
_NO_LIMIT = Wh(MAX_POSITION)
_BOOK = "book.json"
"""Whose clearing a folder holds."""
_PAGE = 50
"""Accounts whose fills are read at once."""
_GZIP = b"\x1f\x8b"
_RULES = MarketRules(
    platform_fee=UnitsPerWh(0),
    network_fee=UnitsPerWh(0),
    deviation_rate=UnitsPerWh(0),
    standing_buy=UnitsPerWh(0),
    standing_sell=UnitsPerWh(0),
    max_buy=UnitsPerWh(0),
    tolerance_fixed=Wh(0),
    tolerance_share=0,
    min_order_energy=Wh(1),
    max_layers=ORDERS_PER_ACCOUNT,
    imbalance_pricing=ImbalancePricing.SINGLE,
)
"""A market for the sake of its auction: no fees, nobody imbalanced."""
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
    dearest, most = max(row.price for row in rows), _prices_of(rows).highest
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


def clear_book(
    chain: Chain,
    rows: Sequence[Row],
    folder: Path,
    account: str | None,
    window: int,
    tell: Callable[[str, int, int], None] = lambda _what, _done, _whole: None,
) -> BookResult:
    """Deploy a market for one book, bring the orders, clear them, and read price, volume and fills from the contract.

    Who gets an odd Wh follows from the orders alone: they stand in the book by participant's name, side, price and
    energy, whatever the order of the rows. What an earlier call with this folder did is not done again.

    window: seconds from now to the gate, in which everything has to be brought, on a chain whose clock cannot be set.
    tell: told what is being done, how much of it is done, and how much there is.

    Raises:
        InputError: the folder holds the clearing of another book.
        ChainError: the chain refuses, or disagrees with the reference model.
    """
    _claim(folder, rows, is_anew=chain.is_embedded)
    orders, accounts = _orders(rows)
    rules = replace(_RULES, prices=_prices_of(rows))
    tell("deploying a market", 0, 0)
    market = _deploy(chain, folder, account, _WINDOW if chain.is_development else window, rules)
    doing = ""

    def begin(what: str, whole: int) -> None:
        nonlocal doing
        doing = what
        tell(what, 0, whole)

    relay = Relay(market, lambda _, done, whole: tell(doing, done, whole))
    deposits: dict[int, int] = defaultdict(int)
    for order in orders:
        deposits[order.participant] += order_collateral(order, rules)
    wallets = {number: wallet(_COMMUNITY, 0, str(number)) for number in range(1, accounts + 1)}
    domain = market.domain("ParticipantRegistry")
    begin("registering accounts", accounts)
    register(relay, [_applicant(domain, keys, Money(deposits[number])) for number, keys in wallets.items()])
    ids = dict(zip(wallets, relay.records.ids_of(keys.account for keys in wallets.values()), strict=True))
    booked = [
        Order(ids[order.participant], order.layer, order.slot, order.side, order.tick, order.energy) for order in orders
    ]
    chain.wait_until(market.calendar.opens_at(_DAY))
    known = {ids[number]: keys for number, keys in wallets.items()}
    begin("bringing sheets of orders", accounts)
    if chain.now() < market.calendar.gate_closes_at(_DAY):
        submit_orders(relay, _DAY, sign_orders(market.domain(AUCTION), _DAY, booked, known, relay.periods_per_day))
    _require_all_accepted(relay, len(booked))
    chain.wait_until(market.calendar.gate_closes_at(_DAY))
    begin("clearing", 1)
    clear(relay, _DAY)
    begin("reading what each order trades", accounts)
    return _result(relay, booked, lambda done: tell(doing, done, accounts))


def clear_without_chain(rows: Sequence[Row]) -> BookResult:
    """What the reference model says of a book."""
    orders, _ = _orders(rows)
    clearing, prices = clear_by_model(orders), _prices_of(rows)
    price = None if clearing.price is None else UnitsPerWh(prices.price_of(clearing.price))
    return BookResult(price, clearing.volume, tuple(fills(orders, clearing)))


def _claim(folder: Path, rows: Sequence[Row], is_anew: bool) -> None:
    """Say in a folder whose clearing it holds. is_anew: nothing of before goes on."""
    path = folder / _BOOK
    digest = sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest()
    if path.exists() and not is_anew and json.loads(path.read_text(encoding="utf-8")).get("orders") != digest:
        raise InputError(str(folder), None, "holds the clearing of another book: name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({formats.KEY: formats.BOOK, "orders": digest}) + "\n", encoding="utf-8")


def write_book(folder: Path, rows: Sequence[Row], result: BookResult) -> None:
    """clearing.csv with price and volume, fills.csv with one row per input row."""
    folder.mkdir(parents=True, exist_ok=True)
    price = ("", "") if result.price is None else (result.price // FROM_ZERO.tick, price_per_kwh(result.price))
    with (folder / "clearing.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("period", "price_ticks", "volume_wh", "price_per_kwh", "volume_kwh"))
        writer.writerow((_SLOT, price[0], result.volume, price[1], kwh(result.volume)))
    units = result.price or 0
    with (folder / "fills.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_FILLS)
        for number, (row, filled) in enumerate(zip(rows, result.filled, strict=True), start=1):
            amount = Money((1 if row.side is Side.BID else -1) * filled * units)
            side, limit = row.side.name.lower(), price_per_kwh(row.price)
            own = (number, row.participant, side, limit, kwh(row.energy), filled, kwh(filled), currency(amount))
            writer.writerow(own)


def _prices_of(rows: Sequence[Row]) -> PriceRange:
    """The prices that the orders of a book need."""
    return _BELOW_ZERO if any(row.price < 0 for row in rows) else FROM_ZERO


def _orders(rows: Sequence[Row]) -> tuple[list[Order], int]:
    """The rows as orders of accounts, numbered from 1, and how many accounts there are."""
    ranked = sorted(range(len(rows)), key=lambda i: (rows[i].participant, rows[i].price, rows[i].energy, i))
    orders: dict[int, Order] = {}
    account, prices = 0, _prices_of(rows)
    for side in Side:
        for some in batches([i for i in ranked if rows[i].side is side], ORDERS_PER_ACCOUNT):
            account += 1
            for layer, i in enumerate(some):
                tick = Tick(prices.tick_down(rows[i].price))
                orders[i] = Order(account, layer, _SLOT, side, tick, rows[i].energy)
    return [orders[i] for i in range(len(rows))], account


def _deploy(chain: Chain, folder: Path, account: str | None, window: int, rules: MarketRules) -> Market:
    """A market of its own, with a day of one strip: `window` seconds to set it up, then as many to bring the orders."""
    keys = role_keys(chain, account)
    opening = chain.now() + 2 * window
    calendar = CalendarParameters(opening, window, LANES, window, 1, window, 2 * window)
    supplier, operator, grid = (wallet("offices of a book", 0, office) for office in ("supplier", "operator", "grid"))
    offices = Offices(supplier.account, operator.account, grid.account, grid.meter)
    parameters = Parameters(keys[ADMIN].address, calendar, rules, offices)
    return deploy(chain, keys, parameters, folder / "manifest.json")


def _applicant(domain: Domain, keys: Wallet, deposit: Money) -> Applicant:
    nothing = bytes(32)
    kind = KINDS.index("prosumer")
    application = Application(keys.account, _NO_METER, kind, _NO_LIMIT, _NO_LIMIT, nothing, nothing)
    reference = bytes(keccak(text=f"book/{keys.name}"))
    return Applicant(signed(domain, keys.account_key, application), deposit, reference, Money(0))


def _require_all_accepted(relay: Relay, expected: int) -> None:
    for event in relay.records.events(AUCTION, "SheetRejected", _DAY):
        reason = relay.chain.artifacts.describe(event.args["reason"])
        raise ChainError(f"a sheet of {event.args['participant']} was rejected: {reason}")
    accepted = len(order_book(relay, _DAY).fills)
    if accepted != expected:
        raise ChainError(f"{accepted} of {expected} orders reached the book before the gate closed")


def _result(relay: Relay, orders: Sequence[Order], tell: Callable[[int], None]) -> BookResult:
    """What the contract says, compared with what the reference model says."""
    reader = relay.market.contract("AuctionReader").functions
    cleared = next(event for event in relay.records.events(AUCTION, "Cleared", _DAY) if event.args["slot"] == _SLOT)
    filled: dict[tuple[int, int], int] = {}
    walked = 0
    accounts = sorted({order.participant for order in orders})
    for some in batches(range(accounts[0], accounts[-1] + 1), _PAGE):
        found, walked = reader.fills(_DAY, _SLOT, some[0], len(some), walked).call()
        filled.update({(id_, layer): energy for id_, layer, energy in found})
        tell(some[-1] + 1 - accounts[0])
    chain_fills = [Wh(filled[order.participant, order.layer]) for order in orders]
    model = order_book(relay, _DAY).clearing[_SLOT]
    volume = Wh(cleared.args["volume"])
    price = Tick(cleared.args["price"]) if volume else None
    if (price, volume) != (model.price, model.volume) or chain_fills != fills(orders, model):
        raise ChainError(f"the contract cleared at {price} for {volume} Wh, the reference model says {model}")
    paid = None if price is None else UnitsPerWh(relay.market.prices.price_of(price))
    return BookResult(paid, volume, tuple(chain_fills))
