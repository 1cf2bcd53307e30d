"""One order book from a CSV file through the contracts: the auction on its own, without meters and settlement."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from hashlib import sha256
from pathlib import Path

from eth_utils.crypto import keccak

from dem import formats
from dem.chain.connection import Chain
from dem.community.keys import Wallet, wallet
from dem.community.signing import sign_orders
from dem.deployment.market import ADMIN, Market, deploy, role_keys
from dem.deployment.plan import Offices, Parameters
from dem.errors import ChainError, InputError
from dem.messages.members import Application
from dem.messages.signed import signed
from dem.messages.signing import Domain
from dem.model.calendar import CalendarParameters
from dem.model.collateral import order_collateral
from dem.model.markets.auction import fills
from dem.model.mechanisms import AUCTION
from dem.model.orders import Order
from dem.model.rules import ImbalancePricing, MarketRules
from dem.model.strips import LANES, MAX_POSITION
from dem.model.units import Money, Tick, UnitsPerWh, Wh
from dem.offchain.book import ORDERS_PER_ACCOUNT, SLOT, BookResult, Row, orders_of, prices_of
from dem.relay.batches import Relay, batches
from dem.relay.clearing import clear
from dem.relay.members import Applicant, register
from dem.relay.orders import order_book, submit_orders
from dem.replay.members import KINDS

_COMMUNITY = "book"
_DAY = 1
_NO_METER = "0x" + "00" * 20
_WINDOW = 86_400
_NO_LIMIT = Wh(MAX_POSITION)
_BOOK = "book.json"
"""Whose clearing a folder holds."""
_PAGE = 50
"""Accounts whose fills are read at once."""
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
    orders, accounts = orders_of(rows)
    rules = replace(_RULES, prices=prices_of(rows))
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


def _claim(folder: Path, rows: Sequence[Row], is_anew: bool) -> None:
    """Say in a folder whose clearing it holds. is_anew: nothing of before goes on."""
    path = folder / _BOOK
    digest = sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest()
    if path.exists() and not is_anew and json.loads(path.read_text(encoding="utf-8")).get("orders") != digest:
        raise InputError(str(folder), None, "holds the clearing of another book: name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({formats.KEY: formats.BOOK, "orders": digest}) + "\n", encoding="utf-8")


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
    cleared = next(event for event in relay.records.events(AUCTION, "Cleared", _DAY) if event.args["slot"] == SLOT)
    filled: dict[tuple[int, int], int] = {}
    walked = 0
    accounts = sorted({order.participant for order in orders})
    for some in batches(range(accounts[0], accounts[-1] + 1), _PAGE):
        found, walked = reader.fills(_DAY, SLOT, some[0], len(some), walked).call()
        filled.update({(id_, layer): energy for id_, layer, energy in found})
        tell(some[-1] + 1 - accounts[0])
    chain_fills = [Wh(filled[order.participant, order.layer]) for order in orders]
    model = order_book(relay, _DAY).clearing[SLOT]
    volume = Wh(cleared.args["volume"])
    price = Tick(cleared.args["price"]) if volume else None
    if (price, volume) != (model.price, model.volume) or chain_fills != fills(orders, model):
        raise ChainError(f"the contract cleared at {price} for {volume} Wh, the reference model says {model}")
    paid = None if price is None else UnitsPerWh(relay.market.prices.price_of(price))
    return BookResult(paid, volume, tuple(chain_fills))
