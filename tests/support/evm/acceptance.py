"""What speaks against an order sheet: the chain refuses it for one of these, or takes it if there is none."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from dem.messages.orders import OrderSheet
from dem.model.collateral import order_collateral
from dem.model.ledger import FIRST_PARTICIPANT
from dem.model.limits import WHOLE
from dem.model.markets.auction import OrderBook
from dem.model.markets.intermediaries import own_part
from dem.model.orders import BROKERED_LAYER, MAX_ENERGY, MAX_LINE, Order, Side, orders_of
from dem.model.strips import LANES, strips_per_day, unpack
from dem.model.units import MAX_TICK
from dem.replay.replay import Replay

from .keys import Key
from .market import Market
from .people import ADMITTED, Person

RING = 8
"""Days whose records are kept side by side."""


def objections(market: Market, person: Person, sheet: OrderSheet, signer: Key) -> set[str]:
    """Names of all errors that would be right."""
    replay, calendar, day = market.replay, market.calendar, sheet.day
    found = set()
    if market.now < calendar.opens_at(day):
        found.add("NotOpenYet")
    if market.now >= calendar.gate_closes_at(day):
        found.add("GateClosed")
    if signer is not person.account:
        found.add("NotSignedByParticipant")
    if not person.id:
        return found | {"UnknownAccount"}
    if person.status != ADMITTED:
        found.add("WrongStatus")
    if person.id in replay.membership.silent:
        found.add("MeterSilent")
    if not replay.membership.takes_part(person.id, day):
        found.add("NotTakingPart")
    if day > max(replay.final_days, default=0) + RING:
        found.add("DayStillOpen")
    if sheet.sequence <= person.sheets.get(day, 0):
        found.add("StaleSheet")
    if not sheet.lines:
        return found | {"EmptySheet"}
    rules = replay.rules(day)
    if sheet.first_line + len(sheet.lines) > rules.max_layers * strips_per_day(calendar.periods_per_day):
        found.add("LineOutOfRange")
    for word in sheet.lines:
        tagged, lanes = unpack(word)
        if tagged != day:
            found.add("WrongDay")
        for lane in lanes:
            capacity = capacity_of(replay, person, day, Side(lane >> 39))
            if lane and lane & MAX_ENERGY < rules.min_order_energy:
                found.add("OrderTooSmall")
            if lane & MAX_ENERGY > capacity:
                found.add("ExceedsCapacity")
    if found & {"WrongDay", "OrderTooSmall", "LineOutOfRange"}:
        return found
    return found | _bounds(replay, person, sheet)


def _bounds(replay: Replay, person: Person, sheet: OrderSheet) -> set[str]:
    """Connection and money, which all of the person's orders of the day share."""
    found = set()
    periods = replay.periods_per_day
    per_line = strips_per_day(periods)
    lines = range(sheet.first_line, sheet.first_line + len(sheet.lines))
    book = replay.markets["CallAuction"].book(sheet.day).standing
    is_own = (book.participant == person.id) & (book.layer < BROKERED_LAYER)
    before = orders_in(book, is_own)
    gone = [order for order in before if order.layer * per_line + order.slot // LANES in lines]
    come = [
        order
        for line, word in zip(lines, sheet.lines, strict=True)
        if line <= MAX_LINE
        for order in orders_of(person.id, sheet.day, line, word, periods)
    ]
    after = [order for order in before if order not in gone] + come
    for side in Side:
        capacity = capacity_of(replay, person, sheet.day, side)
        if any(_energy(after, slot, side) > capacity for slot in range(periods)):
            found.add("ExceedsCapacity")
        if exceeds_limits(replay, person, sheet.day, side, [_energy(after, slot, side) for slot in range(periods)]):
            found.add("ExceedsLimit")
    if crosses(after + orders_in(book, (book.participant == person.id) & ~is_own)):
        found.add("TradesWithItself")
    rules, account = replay.rules(sheet.day), replay.ledger.record(person.id)
    change = sum(order_collateral(o, rules) for o in come) - sum(order_collateral(o, rules) for o in gone)
    if set(come) - set(before) and account.arrears:
        found.add("InArrears")
    if change > 0 and person.id in replay.ledger.paid_now:
        found.add("PaidNow")
    if change > 0 and change > account.free + credit_for_orders(person.id, account.credit_limit):
        found.add("InsufficientFunds")
    return found


def credit_for_orders(id_: int, limit: int) -> int:
    """Credit of offices is for settling alone."""
    return limit if id_ >= FIRST_PARTICIPANT else 0


def orders_in(book: OrderBook, which: NDArray[np.bool_]) -> list[Order]:
    """Some orders of a book."""
    columns = (getattr(book, column.name)[which].tolist() for column in fields(book))
    return [Order(*place, Side(side), tick, energy) for *place, side, tick, energy in zip(*columns, strict=True)]


def crosses(orders: list[Order]) -> bool:
    """Whether one member's orders would trade with each other in any period (rule 5.6)."""
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for order in orders:
        if order.side is Side.BID:
            bids[order.slot] = max(bids.get(order.slot, 0), order.tick)
        else:
            asks[order.slot] = min(asks.get(order.slot, MAX_TICK), order.tick)
    return any(bids[slot] >= asks[slot] for slot in bids.keys() & asks.keys())


def capacity_of(replay: Replay, person: Person, day: int, side: Side) -> int:
    """What is a person's own to trade, Wh per period; the rest of the connection is its intermediary's."""
    _, share = replay.intermediaries.model.mandate_of(person.id, day)
    connection = replay.membership.connection(person.id, day)
    own, limit = (
        (person.import_capacity, connection.imports)
        if side == Side.BID
        else (person.export_capacity, connection.exports)
    )
    return own_part(own if limit is None else limit, share)


def exceeds_limits(replay: Replay, person: Person, day: int, side: Side, energies: Sequence[int]) -> bool:
    """Whether orders of one side, Wh by slot, are beyond what the network leaves of a person's own part."""
    capacity = capacity_of(replay, person, day, side)
    shares = replay.grid.shares(person.id, day)
    parts = [share.imports if side == Side.BID else share.exports for share in shares]
    return any(energy > capacity * part // WHOLE for energy, part in zip(energies, parts, strict=True))


def _energy(orders: list[Order], slot: int, side: Side) -> int:
    return sum(order.energy for order in orders if order.slot == slot and order.side == side)
