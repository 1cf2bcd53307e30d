"""Trades for the network (rule 21): the grid operator pays what an ask outside of an area is above a bid inside.

The rule of the Dutch network operators' platform GOPACS, and the bit-exact model of CongestionTrades.sol.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dem.model.orders import Side
from dem.model.rules import ImbalancePricing, MarketRules, Tariff
from dem.model.units import Money, PriceRange, Tick, Wh

MAX_ORDERS = 150
"""Of a side, for one request."""
MAX_REQUESTS = 8
"""For one period."""
MAX_ZONES = 16
"""Inside of an area, and as many that are barred."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the grid operator wants moved in a slot.

    is_fed_in: whether too much is fed in inside of the area, so that its members bid; if not, too much is drawn, and
    they ask. zones: the area. barred: zones that must not take part. spread: ticks that an ask may be above the bid
    that it meets. budget: what the grid operator pays at most. closes_at: unix time from which no order is taken.
    """

    day: int
    slot: int
    is_fed_in: bool
    zones: frozenset[int]
    barred: frozenset[int]
    energy: Wh
    spread: int
    budget: Money
    closes_at: int

    def side_of(self, zone: int) -> Side | None:
        """Side of the orders of a zone's members; None if they must not take part."""
        if zone in self.barred:
            return None
        return Side.BID if (zone in self.zones) == self.is_fed_in else Side.ASK


class Order(NamedTuple):
    """A member's order for a request. arrival: its place among all orders for the request that ever stood."""

    id: int
    side: Side
    tick: Tick
    energy: Wh
    arrival: int


class Pair(NamedTuple):
    """What two members trade. bid, ask: the limits of their orders, ticks."""

    buyer: int
    seller: int
    energy: Wh
    bid: Tick
    ask: Tick

    def paid(self, prices: PriceRange) -> Money:
        """What the buyer pays: its limit, and never more than the seller's."""
        return Money(self.energy * int(prices.price_of(min(self.bid, self.ask))))

    def received(self, prices: PriceRange) -> Money:
        """What the seller has: its limit."""
        return Money(self.energy * int(prices.price_of(self.ask)))


def in_order(orders: Iterable[Order]) -> tuple[list[Order], list[Order]]:
    """The bids and the asks in the order in which they meet: the best limit first, of equal limits who came first."""
    standing = [order for order in orders if order.energy]
    bids = sorted((own for own in standing if own.side == Side.BID), key=lambda own: (-own.tick, own.arrival))
    asks = sorted((own for own in standing if own.side == Side.ASK), key=lambda own: (own.tick, own.arrival))
    return bids, asks


def meet(request: Request, orders: Iterable[Order], prices: PriceRange) -> tuple[list[Pair], Money]:
    """What orders trade, and what the grid operator pays for that.

    The heads of both sides meet until the energy, the spread or the budget is used up.
    """
    bids, asks = in_order(orders)
    left, money = request.energy, request.budget
    pairs: list[Pair] = []
    bid_left, ask_left = [own.energy for own in bids], [own.energy for own in asks]
    i = j = 0
    while i < len(bids) and j < len(asks):
        bid, ask = bids[i], asks[j]
        apart = max(0, ask.tick - bid.tick)
        if apart > request.spread:
            break
        wanted = min(left, bid_left[i], ask_left[j])
        energy = min(wanted, money // (apart * prices.tick)) if apart else wanted
        if not energy:
            break
        pairs.append(Pair(bid.id, ask.id, Wh(energy), bid.tick, ask.tick))
        left, money = Wh(left - energy), Money(money - energy * apart * prices.tick)
        bid_left[i], ask_left[j] = Wh(bid_left[i] - energy), Wh(ask_left[j] - energy)
        i, j = i + (not bid_left[i]), j + (not ask_left[j])
    return pairs, Money(request.budget - money)


def highest_spread(rules: MarketRules, tariff: Tariff) -> int:
    """Ticks that a request may allow at most: what two accounts of one owner lose that trade on paper with each other.

    That is the fees of both and, where imbalances cost the tariffs, what these are apart. Rounded down. tariff: of the
    slot.
    """
    is_tariff = rules.imbalance_pricing is ImbalancePricing.TARIFF
    lost = 2 * rules.fees + (tariff.buy - tariff.sell if is_tariff else 0)
    return int(lost // rules.prices.tick)
