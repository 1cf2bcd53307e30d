"""Trades for the network (rule 21) as an outsider follows them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dem.model.collateral import order_collateral
from dem.model.ledger import GRID_OPERATOR
from dem.model.markets.congestion import Order, Pair, Request, meet
from dem.model.orders import Side
from dem.model.positions import Trades
from dem.model.rules import MarketRules
from dem.model.units import Money, Tick, Wh
from dem.replay.book import SheetChange
from dem.replay.market import NOTHING, MarketReplay, Moved, differences


class CongestionReplay(MarketReplay):
    """Follows the events of CongestionTrades. rules: the rules of a day."""

    EVENTS = frozenset({"Requested", "Ordered", "Met"})

    def __init__(self, rules: Callable[[int], MarketRules]) -> None:
        self._rules = rules
        self.requests: dict[int, Request] = {}
        """Of days that are not final, by number."""
        self.orders: dict[int, dict[int, Order]] = defaultdict(dict)
        """For each request, by member; one without energy stands no more."""
        self.pairs: dict[int, list[Pair]] = {}
        """Of the requests whose orders have met."""
        self._arrivals: dict[int, int] = defaultdict(int)
        self._paid: dict[int, Money] = {}
        self._locked: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        match name:
            case "Requested":
                return self._ask(args)
            case "Ordered":
                return self._order(args)
            case "Met":
                return Moved(self._meet(args))
        return NOTHING

    def trades(self, day: int) -> Trades:
        """What its orders contracted, and what the grid operator pays for that."""
        rows: list[tuple[int, ...]] = []
        prices = self._rules(day).prices
        for number, request in self._of_day(day):
            for pair in self.pairs.get(number, ()):
                rows.append((pair.buyer, request.slot, pair.energy, 0, pair.paid(prices)))
                rows.append((pair.seller, request.slot, 0, pair.energy, -pair.received(prices)))
            if paid := self._paid.get(number, 0):
                rows.append((GRID_OPERATOR, request.slot, 0, 0, paid))
        return Trades(*np.array(rows, np.int64).reshape(-1, 5).T)

    def release(self, day: int) -> dict[int, int]:
        """Collateral that settling the day releases, by member: of the grid operator its budgets."""
        return {id_: locked for id_, locked in self._locked.get(day, {}).items() if locked}

    def forget(self, day: int) -> None:
        """The day is final."""
        for number, _ in self._of_day(day):
            for kept in (self.requests, self.orders, self.pairs, self._arrivals, self._paid):
                kept.pop(number, None)
        self._locked.pop(day, None)

    def _of_day(self, day: int) -> list[tuple[int, Request]]:
        return [(number, request) for number, request in self.requests.items() if request.day == day]

    def _ask(self, args: Mapping[str, Any]) -> Moved:
        asked, day = args["request"], args["day"]
        self.requests[args["number"]] = Request(
            day=day,
            slot=asked["slot"],
            is_fed_in=asked["isFedIn"],
            zones=frozenset(asked["zones"]),
            barred=frozenset(asked["barred"]),
            energy=Wh(asked["energy"]),
            spread=asked["spread"],
            budget=Money(asked["budget"]),
            closes_at=asked["closesAt"],
        )
        self._locked[day][GRID_OPERATOR] += asked["budget"]
        return Moved(locks=[(GRID_OPERATOR, asked["budget"])])

    def _order(self, args: Mapping[str, Any]) -> Moved:
        number, id_, day, energy = (args[name] for name in ("number", "id", "day", "energy"))
        before = self.orders[number].get(id_)
        self._arrivals[number] += energy > 0
        side = Side.BID if args["isBid"] else Side.ASK
        order = Order(id_, side, Tick(args["tick"]), Wh(energy), self._arrivals[number])
        self.orders[number][id_] = order
        had, has = (self._collateral(own, day) if own and own.energy else 0 for own in (before, order))
        self._locked[day][id_] += has - had
        return Moved(locks=SheetChange(has - had, energy > 0).locks(id_))

    def _collateral(self, order: Order, day: int) -> Money:
        return order_collateral(order, self._rules(day))

    def _meet(self, args: Mapping[str, Any]) -> list[str]:
        number, request = args["number"], self.requests[args["number"]]
        pairs, paid = meet(request, self.orders[number].values(), self._rules(request.day).prices)
        self.pairs[number], self._paid[number] = pairs, paid
        chain = [tuple(pair[name] for name in ("buyer", "seller", "energy", "bid", "ask")) for pair in args["pairs"]]
        what = f"pairs of request {number} (buyer, seller, energy, bid, ask)"
        found = differences(what, chain, [tuple(pair) for pair in pairs])
        return found + differences(f"what the grid operator pays for request {number}", args["paid"], paid)
