"""Relief that a dispatcher buys before it sets limits: the least that is enough, of the cheapest offers first.

For one period: the element that limits would be set for next (dem/grid/limits.py). Of everybody behind it who offers
relief at no more than the grid operator pays, the cheapest are taken, as much as brings the element within its limits,
and all of them have the price of the dearest. Of equally dear ones at the margin each sells the same part of what it
offers, by rule 5.3. Where all that is offered is not enough it is bought all the same: limits take what is left,
unpaid. Where it is enough everybody behind the element is held to the lowest share of the connection that leaves each
of them what is expected of it: a forecast that is wrong then loads the element no more than it has to.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dem.grid.flow import Flow
from dem.grid.limits import MOST_ROUNDS, SHARES, Dispatcher, Given, Hold, Part, Task
from dem.grid.network import Integers
from dem.grid.programme import FEED_IN
from dem.model.markets.auction import pro_rata
from dem.model.relief import NO_OFFER, Bought, Offers, Slots, offered_down


class Relieved(NamedTuple):
    """net: what is expected to flow with what was bought, Wh, shape (members, periods). bought: by member's name.

    holds: of whom nothing more was to be bought.
    """

    net: Integers
    bought: Mapping[str, Slots]
    holds: tuple[Hold, ...] = ()


class _Ask(NamedTuple):
    """What a member offers in a period, Wh, and for how much, units/Wh. row: of the member in its area."""

    price: int
    row: int
    energy: int


class _Sale(NamedTuple):
    """What is taken of it."""

    row: int
    energy: int
    price: int


def relieve(dispatcher: Dispatcher, net: Integers, offers: Offers) -> Relieved:
    """What is bought for periods in which so much is expected to flow."""
    after, prices, holds = net.copy(), np.zeros(net.shape, np.int64), list[Hold]()
    if offers.ceiling != NO_OFFER:
        for part in dispatcher.parts:
            holds += _Buyer(part, net, offers, after, prices).buy()
    names = dispatcher.connections.names
    bought: dict[str, dict[tuple[int, bool], Bought]] = {}
    for row, point in np.argwhere(net != after).tolist():
        before, left = int(net[row, point]), int(after[row, point])
        own = Bought(abs(before - left), abs(left), int(prices[row, point]))
        bought.setdefault(names[row], {})[point, before < 0] = own
    return Relieved(after, bought, tuple(holds))


class _Buyer:
    """Buys in one area. after, prices: of all members and periods; what is bought is taken off, and its price noted."""

    def __init__(self, part: Part, net: Integers, offers: Offers, after: Integers, prices: Integers) -> None:
        self._part, self._offers, self._after, self._prices = part, offers, after, prices
        self._expected = abs(net[part.members])
        own = part.connections
        self._most = {
            is_fed_in: np.array(
                [
                    offered_down(offers.members.get(name, NO_OFFER), capacity, is_fed_in)
                    for name, capacity in zip(own.names, capacities.tolist(), strict=True)
                ],
                np.int64,
            )
            for is_fed_in, capacities in ((False, own.imports), (True, own.exports))
        }

    def buy(self) -> Iterator[Hold]:
        """Element by element, in the order in which limits are set."""
        points, given = np.arange(self._after.shape[1]), Given()
        for _ in range(MOST_ROUNDS):
            flow = self._part.flow(self._now(points))
            wanted = [
                own for row, point in enumerate(points.tolist()) if (own := self._wanted(flow, row, point, given))
            ]
            if not wanted:
                return
            tasks, orders = zip(*wanted, strict=True)
            points = np.array([task.point for task in tasks])
            amounts, enough = self._least(tasks, orders, self._now(points))
            for task, asks, amount, is_enough in zip(tasks, orders, amounts, enough, strict=True):
                for sale in _taken(asks, amount):
                    place = self._part.members[sale.row], task.point
                    self._after[place] -= np.sign(self._after[place]) * sale.energy
                    self._prices[place] = max(self._prices[place], sale.price)
                if is_enough:
                    yield Hold(*self._part.key(task), task.by, self._share_left(task), True)
                else:
                    given.add(self._part.key(task))

    def _share_left(self, task: Task) -> int:
        """The lowest share of their connections, 1/10,000, that leaves all behind an element what is expected."""
        own, is_fed_in = self._part.connections, task.by == FEED_IN
        left = self._now(np.array([task.point]))[:, 0] * (-1 if is_fed_in else 1)
        capacity = own.exports if is_fed_in else own.imports
        behind = self._part.behind(task.zone) & (capacity > 0)
        shares: Integers = -(-np.maximum(0, left[behind]) * SHARES // capacity[behind])
        return min(SHARES, int(shares.max(initial=0)))

    def _now(self, points: Integers) -> Integers:
        now: Integers = self._after[np.ix_(self._part.members, points)]
        return now

    def _wanted(self, flow: Flow, row: int, point: int, given: Given) -> tuple[Task, Sequence[_Ask]] | None:
        """The next element in a period that somebody can relieve, and the merit order behind it."""
        while task := self._part.worst(flow, row, point, given):
            if asks := self._asks(task):
                return task, asks
            given.add(self._part.key(task))
        return None

    def _asks(self, task: Task) -> Sequence[_Ask]:
        is_fed_in, ceiling = task.by == FEED_IN, self._offers.ceiling
        if not ceiling.share(is_fed_in):
            return ()
        left = self._now(np.array([task.point]))[:, 0] * (-1 if is_fed_in else 1)
        free = np.minimum(left, self._most[is_fed_in] - (self._expected[:, task.point] - left))
        found = []
        for row in np.flatnonzero(self._part.behind(task.zone) & (free > 0)).tolist():
            price = self._offers.members[self._part.connections.names[row]].price(is_fed_in)
            if price <= ceiling.price(is_fed_in):
                found.append(_Ask(price, row, int(free[row])))
        return sorted(found)

    def _least(
        self, tasks: Sequence[Task], orders: Sequence[Sequence[_Ask]], now: Integers
    ) -> tuple[Sequence[int], Sequence[bool]]:
        """Of each element the least Wh that bring it within its limits, else all there are; and whether they do."""

        def passes(amounts: Integers) -> Integers:
            held = now.copy()
            for column, (asks, amount) in enumerate(zip(orders, amounts.tolist(), strict=True)):
                for sale in _taken(asks, amount):
                    held[sale.row, column] -= np.sign(held[sale.row, column]) * sale.energy
            return self._part.keeps(tasks, held)

        high = np.array([sum(ask.energy for ask in asks) for asks in orders], np.int64)
        enough = passes(high)
        low = np.where(enough, 0, high)
        while (high - low > 1).any():
            middle = (low + high) // 2
            passed = passes(middle)
            low, high = np.where(passed, low, middle), np.where(passed, middle, high)
        return high.tolist(), enough.tolist()


def _taken(asks: Iterable[_Ask], amount: int) -> Iterator[_Sale]:
    """Sales of so many Wh, at one price. asks: the cheapest first."""
    tiers: dict[int, list[_Ask]] = {}
    for ask in asks:
        tiers.setdefault(ask.price, []).append(ask)
    left, sold = amount, list[tuple[int, int]]()
    for price, tier in tiers.items():
        if not left:
            break
        energies = np.array([ask.energy for ask in tier], np.int64)
        whole, before = int(energies.sum()), energies.cumsum() - energies
        part = min(left, whole)
        fills = pro_rata(before, energies, np.full_like(energies, part), np.full_like(energies, whole))
        sold += zip((ask.row for ask in tier), fills.tolist(), strict=True)
        left -= part
        dearest = price
    for row, energy in sold:
        if energy:
            yield _Sale(row, energy, dearest)
