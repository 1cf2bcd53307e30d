"""What a simulated community's members do in a session of the intraday market, before anybody signs."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from dem.community.scenario import Scenario
from dem.model.collateral import order_collateral
from dem.model.ledger import Ledger
from dem.model.markets.intraday import IntradayDay, place_of
from dem.model.orders import Order
from dem.model.rules import MarketRules
from dem.model.units import Tick, Wh

MAX_FILLS = 24
"""Steps of matching that an intraday order may take."""


class Standing(NamedTuple):
    """What participants know before they sign: the day's intraday orders and money, all their money, the rules."""

    intraday: IntradayDay | None
    ledger: Ledger
    rules: MarketRules


class SessionPlan:
    """What participants do in one session: they cancel what they left in the book before, fund
    what the orders need, and place them.
    """

    def __init__(self, orders: Sequence[Order], standing: Standing) -> None:
        self.orders = orders
        self._standing = standing
        self._wanted: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            self._wanted[order.participant].append(order)
        self.resting: dict[int, list[tuple[int, Order]]] = defaultdict(list)
        """Number and order by registry number."""
        for number, id_, energy in standing.intraday.open_orders() if standing.intraday else ():
            slot, side, tick, _ = place_of(number)
            self.resting[id_].append((number, Order(id_, 0, slot, side, Tick(tick), Wh(energy))))
        self.members = list(dict.fromkeys([*self._wanted, *self.resting]))
        """Who takes part."""

    def cancellations(self) -> list[tuple[int, int]]:
        """Member and number of the orders that are left from before."""
        return [(id_, number) for id_ in self.members for number, _ in self.resting.get(id_, ())]

    def fundings(self) -> list[tuple[int, int]]:
        """Member and money units: what the orders need beyond what is in the market when all others are cancelled, as
        far as it is there."""
        ledger = self._standing.ledger
        amounts = {id_: min(self._missing(id_), _available(ledger, id_)) for id_ in self.members}
        return [(id_, amount) for id_, amount in amounts.items() if amount > 0]

    def _missing(self, id_: int) -> int:
        """Money units that a participant's orders need and that its account of the day has not."""
        intraday, rules = self._standing.intraday, self._standing.rules
        account = intraday.accounts.get(id_) if intraday else None
        has = account.available if account else 0
        gets_back = sum(order_collateral(order, rules) for _, order in self.resting.get(id_, ()))
        return sum(order_collateral(order, rules) for order in self._wanted.get(id_, ())) - has - gets_back


def _available(ledger: Ledger, id_: int) -> int:
    record = ledger.record(id_)
    return 0 if record.arrears else max(0, record.free + record.credit_limit)


def within_connections(
    scenario: Scenario, day: int, orders: Collection[Order], names: Mapping[int, str]
) -> list[Order]:
    """Intraday orders, each cut to the most the market takes: import and export capacity of the member's own part."""
    scenario = scenario.on(day)
    own: dict[int, int] = {}
    for id_ in {order.participant for order in orders}:
        member = scenario.participant(names[id_])
        share = member.share if scenario.markets.pools else 0
        own[id_] = sum(whole - whole * share // 1000 for whole in (member.import_capacity, member.export_capacity))
    smallest = scenario.rules(day).min_order_energy
    cut = (
        order if order.energy <= own[order.participant] else replace(order, energy=Wh(own[order.participant]))
        for order in orders
        if own[order.participant] >= smallest
    )
    return [order for order in cut if order.energy >= smallest]
