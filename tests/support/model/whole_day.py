"""A day of a scenario through all of its mechanisms, by the reference model, with what the crowd wanted on the way."""

from collections import defaultdict
from dataclasses import dataclass, field

from dem.community.crowd import Crowd, Session
from dem.community.scenario import Scenario
from dem.community.strategies import OrderColumns
from dem.model.markets.auction import Clearing, Column, OrderBook
from dem.model.mechanisms import POOL
from dem.model.orders import Order
from dem.offchain.days import play as play_days
from dem.offchain.market import ModelMarket
from dem.offchain.trading import Trading

Positions = dict[str, list[int]]


@dataclass
class Day:
    """energy: net consumption contracted (Wh) by name and slot. orders: by mechanism."""

    crowd: Crowd
    ids: dict[str, int]
    energy: Positions = field(default_factory=dict)
    orders: dict[str, list[Order]] = field(default_factory=lambda: defaultdict(list))
    contracted: list[Positions] = field(default_factory=list)
    """Before each session and at the end."""
    pool_fills: dict[str, tuple[OrderBook, Column]] = field(default_factory=dict)
    pool_clearings: dict[int, Clearing] = field(default_factory=dict)
    """Of the slots with orders, of the last pool."""

    def __post_init__(self) -> None:
        self.names = {number: name for name, number in self.ids.items()}


class _Recorded(Trading):
    """Keeps what is wanted in intraday sessions."""

    sessions: list[tuple[Positions, list[Order]]]

    def trade_intraday(self, session: Session, day: int) -> None:
        had = self.market.contracted_by_name(day)
        self.sessions.append((had, self.crowd(day).intraday_orders(session, self.market.ids, had)))
        super().trade_intraday(session, day)


def play(scenario: Scenario) -> Day:
    """All markets of a scenario of one day."""
    market = ModelMarket(scenario)
    trading = _Recorded(market)
    trading.sessions = []
    [played] = [_seen(trading, day) for day in play_days(trading)]
    return played


def _seen(trading: _Recorded, day: int) -> Day:
    """The day, before it is forgotten."""
    market = trading.market
    seen = Day(trading.crowd(day), market.ids, market.contracted_by_name(day))
    for contract in market.pools:
        book = market.book_of(contract, day)
        seen.pool_fills[contract.removeprefix(POOL)] = book.standing, book.fills
        seen.pool_clearings = {slot: book.clearing[slot] for slot in set(book.standing.slot.tolist())}
        seen.orders["pools"] += _rows(book.standing)
    seen.orders["call_auction"] = _rows(market.book(day).standing)
    for had, wanted in trading.sessions:
        seen.contracted.append(had)
        seen.orders["intraday"] += wanted
    seen.contracted.append(seen.energy)
    return seen


def _rows(book: OrderBook) -> list[Order]:
    """The orders of a book, one by one."""
    return OrderColumns.of(book).orders()
