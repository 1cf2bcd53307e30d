"""Batteries and loads that can be moved within the day: how they are planned, and what they do in delivery.

Both are *stores*. A battery's level is the energy that it can give back; it begins every day at the same level and ends
it there or above. A load that can be moved is a store without losses: its level is the energy consumed ahead of time,
negative while consumption is put off; it is zero at midnight, so the day keeps its energy to the Wh. What it takes off
a period is a part of the load of that period, and no period gets more load than the day's highest. Nothing passes the
connection's capacity.

The worth of every level at every time follows from expected net consumption and prices by a dynamic programme,
backwards over the day, exact on its levels and linear between them. Going forwards, a store moves to where the cost
of its period and the worth of what is left are best. A plan goes forwards over the forecast at expected prices.
Delivery goes forwards over what really happens: what the meter shows beside the contracts costs the fallback tariff,
so a store keeps to what was traded as long as that is worth it, sells nothing that found no buyer, and covers errors
of the forecast with what it has. In delivery a period depends on its own contracts and on what was known before the
day began, not on later trades; the day's real load and connection only bound what is possible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVELS = 200
"""A store is planned in steps of a LEVELS-th of its size."""

_NEVER, _POSSIBLE = 1 << 60, 1 << 59
"""Cost of what is impossible, and what all other costs stay far below."""

_Costs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Battery:
    """capacity: Wh that it can give back. most: Wh per period, charged or discharged, at the meter.

    efficiency: what a charged Wh gives back, 1/1000; all losses count where it is charged. start: Wh at midnight.
    """

    capacity: int
    most: int
    efficiency: int
    start: int


class Prices(NamedTuple):
    """By slot, units/Wh: what one more Wh costs, and what one Wh less than nothing brings."""

    buy: Sequence[int]
    sell: Sequence[int]


@dataclass(frozen=True, eq=False)
class Store:
    """A store on one day.

    step: Wh between two levels planned. low, high: levels that it keeps within. end: lowest and highest level at the
    day's end. All these levels are multiples of the step. efficiency: 1/1000 of what is taken in.
    most_in, most_out: Wh by slot, at the meter.
    """

    step: int
    low: int
    high: int
    end: tuple[int, int]
    efficiency: int
    most_in: Sequence[int]
    most_out: Sequence[int]

    def stored(self, moved: int) -> int:
        """Change of the level by energy at the meter, what is taken in positive; rounded down."""
        return moved * self.efficiency // 1000 if moved > 0 else moved

    def worth(self, net: Sequence[int], prices: Prices, first: int = 0) -> list[_Costs]:
        """Least cost of the rest of the day from each level (low, low + step, ...), by slot, and at its end.

        net: expected consumption without it, Wh. first: the slot to begin with. Units.
        """
        levels = self._levels
        many = len(levels)
        if many == 1:
            return [np.zeros(1, np.int64)] * (len(net) + 1 - first)
        after = np.where((self.end[0] <= levels) & (levels <= self.end[1]), 0, _NEVER)
        steps = np.arange(1 - many, many) * self.step
        at_meter = np.where(steps > 0, -(-steps * 1000 // self.efficiency), steps)
        # Beyond the lowest and the highest level there is nothing: what lies there is never reached.
        padded = np.full(3 * many - 2, _NEVER)
        costs = [after]
        for slot in reversed(range(first, len(net))):
            up = min(self.stored(self.most_in[slot]) // self.step, many - 1)
            down = min(self.most_out[slot] // self.step, many - 1)
            metered = net[slot] + at_meter[many - 1 - down : many + up]
            cost = metered * np.where(metered > 0, prices.buy[slot], prices.sell[slot])
            padded[many - 1 : 2 * many - 1] = after
            # A row for each move, a column for each level: the worth of where the move leads.
            reached: _Costs = np.ndarray((down + up + 1, many), np.int64, padded, 8 * (many - 1 - down), (8, 8))
            best = (reached + cost[:, np.newaxis]).min(axis=0)
            after = np.where(best < _POSSIBLE, best, _NEVER)
            costs.append(after)
        return costs[::-1]

    def move(self, slot: int, level: int, beside: int, prices: Prices, after: _Costs) -> int:
        """Energy at the meter, Wh, that is best in a slot, what is taken in positive; the least of equals.

        beside: what the meter would show beside the contracts without it, Wh. after: worth at the slot's end.
        """
        most_in, most_out = self.most_in[slot], self.most_out[slot]
        buy, sell, cheapest = prices.buy[slot], prices.sell[slot], int(after.min())
        found = []
        for moved in {0, most_in, -most_out, min(most_in, max(-most_out, -beside))}:
            reached, metered = level + self.stored(moved), beside + moved
            if self.low <= reached <= self.high:
                cost = metered * (buy if metered > 0 else sell) * self.step
                between = self._worth_between(reached, after, cheapest)
                found.append((_NEVER if between is None else cost + between, abs(moved), moved))
        # And to each of the levels planned that is in reach.
        first = max(0, -(-(level - most_out - self.low) // self.step))
        last = min(len(after) - 1, (level + self.stored(most_in) - self.low) // self.step)
        if first <= last:
            moves, worth = self._levels[first : last + 1] - level, after[first : last + 1]
            if self.efficiency != 1000:
                moves = np.where(moves > 0, -(-moves * 1000 // self.efficiency), moves)
            shown = beside + moves
            costs = (shown * np.where(shown > 0, buy, sell) + (worth - cheapest)) * self.step
            costs = np.where(worth < _POSSIBLE, costs, _NEVER)
            least = costs.min()
            found += [(int(least), abs(moved), moved) for moved in moves[costs == least].tolist()]
        return min(found)[-1]

    @cached_property
    def _levels(self) -> _Costs:
        """Those planned."""
        return np.arange(self.low, self.high + 1, self.step)

    def gain(self, level: int, moved: int, after: _Costs) -> int:
        """What the level reached is worth more than the one before it, units times step."""
        cheapest = int(after.min())
        before, reached = (self._worth_between(at, after, cheapest) for at in (level, level + self.stored(moved)))
        return 0 if before is None or reached is None else before - reached

    def _worth_between(self, level: int, after: _Costs, cheapest: int) -> int | None:
        """Cost at a level between those planned, linear, times step; relative to the cheapest. None if impossible."""
        place, rest = divmod(level - self.low, self.step)
        here = int(after[place])
        beyond = int(after[min(place + 1, len(after) - 1)]) if rest else here
        if here >= _POSSIBLE or beyond >= _POSSIBLE:
            return None
        return (here - cheapest) * (self.step - rest) + (beyond - cheapest) * rest


class Plan(NamedTuple):
    """What stores are to do. moves: Wh by slot, at the meter, what is taken in positive.

    limits: all-in price at which a slot's move is just worth it, units/Wh: highest to take in, lowest to give; None
    where nothing moves.
    """

    moves: list[int]
    limits: list[int | None]


class Day(NamedTuple):
    """Energy of a meter without its stores, Wh by slot. load: consumption; net: less generation."""

    load: Sequence[int]
    net: Sequence[int]


@dataclass(frozen=True, eq=False)
class Household:
    """A participant with a battery, a load that can be moved, or both, on one day.

    expected, actual: as known at the day-ahead gate, and as it happens. shiftable: 1/1000 of its load.
    import_capacity, export_capacity: Wh per period. worth: prices it expects to trade at. fallback: tariffs.
    """

    expected: Day
    actual: Day
    import_capacity: int
    export_capacity: int
    battery: Battery | None
    shiftable: int
    worth: Prices
    fallback: Prices

    @cached_property
    def plan(self) -> Plan:
        """Day ahead, over the forecast: first the load is moved, then the battery sees what that leaves."""
        return _together(*self._plans)

    def delivered(self, contracted: Sequence[int]) -> list[int]:
        """What the meter shows, Wh by slot, given net consumption contracted by slot."""
        done = self.movements(contracted)
        return _sum(_sum(self.actual.net, done.shift), done.charge)

    def movements(self, contracted: Sequence[int]) -> "Movements":
        """What its stores do in delivery, given net consumption contracted by slot; of the slots that are given."""
        load, battery = self._deliveries
        charge = self._plans[1].moves
        done, ahead = load.follow([a + b - c for a, b, c in zip(self.actual.net, charge, contracted, strict=False)])
        beside = [a + b - c for a, b, c in zip(self.actual.net, done, contracted, strict=False)]
        charged, levels = battery.follow(beside)
        return Movements(done, charged, ahead, levels)

    def replan(self, known: int, revised: Sequence[int], contracted: Sequence[int], prices: Prices) -> Plan:
        """The rest of the day anew when its first `known` slots have passed; nothing moves in those.

        revised: net consumption expected without stores, Wh by slot. contracted: so far. prices: of what it trades now.
        """
        so_far = self.movements(contracted[:known])
        (_, _), (charge, _) = self._plans
        beside = _less(_sum(revised, charge), contracted)
        shift = _planned(self._deliveries[0].store, so_far.ahead[known], beside, prices, known)
        net = _sum(self.actual.net, so_far.shift[:known] + shift.moves[known:])
        battery = self._battery(net, net)
        beside = _less(_sum(revised, shift.moves), contracted)
        return _together(shift, _planned(battery, so_far.levels[known], beside, prices, known))

    @cached_property
    def _deliveries(self) -> tuple["_Delivery", "_Delivery"]:
        """Of the load that can really be moved and of the battery, with what their levels were worth before the day."""
        (shift, _), (charge, _) = self._plans
        load = self._load(self.actual)
        # The load may be moved anywhere within its bounds: where it will be depends on later contracts.
        battery = self._battery(_less(self.actual.net, load.most_out), _sum(self.actual.net, load.most_in))
        return (
            _Delivery(load, 0, self.fallback, load.worth(_sum(self.expected.net, charge), self.worth)),
            _Delivery(
                battery, battery.end[0], self.fallback, battery.worth(_sum(self.expected.net, shift), self.worth)
            ),
        )

    @cached_property
    def _plans(self) -> tuple[Plan, Plan]:
        """Of the load and of the battery."""
        shift = _planned(self._load(self.expected), 0, self.expected.net, self.worth)
        net = _sum(self.expected.net, shift.moves)
        battery = self._battery(net, net)
        return shift, _planned(battery, battery.end[0], net, self.worth)

    def _load(self, day: Day) -> Store:
        """The load that can be moved: no period gets more than the day's highest load, or its connection passes."""
        movable = [load * self.shiftable // 1000 for load in day.load]
        step = max(1, -(-2 * sum(movable) // LEVELS))
        most = sum(movable) // step * step
        highest = max(day.load)
        rooms = (min(highest - load, self.import_capacity - net) for load, net in zip(day.load, day.net, strict=True))
        return Store(
            step=step,
            low=-most,
            high=most,
            end=(0, 0),
            efficiency=1000,
            most_in=[max(0, room) if self.shiftable else 0 for room in rooms],
            most_out=[max(0, min(part, self.export_capacity + n)) for part, n in zip(movable, day.net, strict=True)],
        )

    def _battery(self, least: Sequence[int], most: Sequence[int]) -> Store:
        """The battery beside a net consumption from `least` to `most`; one that holds nothing if there is none."""
        battery = self.battery or _NO_BATTERY
        step = max(1, -(-battery.capacity // LEVELS))
        high = battery.capacity // step * step
        return Store(
            step=step,
            low=0,
            high=high,
            end=(battery.start // step * step, high),
            efficiency=battery.efficiency,
            most_in=[max(0, min(battery.most, self.import_capacity - wh)) for wh in most],
            most_out=[max(0, min(battery.most, self.export_capacity + wh)) for wh in least],
        )


class Movements(NamedTuple):
    """What stores did. shift, charge: Wh by slot, at the meter, taken in positive.

    ahead, levels: of the load moved and of the battery, Wh, at the begin of each slot and at the day's end.
    """

    shift: list[int]
    charge: list[int]
    ahead: list[int]
    levels: list[int]


_NO_BATTERY = Battery(capacity=0, most=0, efficiency=1000, start=0)


class _Delivery:
    """What a store does as the day goes on; a period that was asked for before with the same periods ahead is known."""

    def __init__(self, store: Store, level: int, prices: Prices, worth: Sequence[_Costs]) -> None:
        self.store = store
        self._prices = prices
        self._worth = worth
        self._beside: list[int] = []
        self._moves: list[int] = []
        self._levels = [level]

    def follow(self, beside: Sequence[int]) -> tuple[list[int], list[int]]:
        """Moves by slot, and levels at the begin of each slot and at the end.

        beside: what the meter would show beside the contracts without it, Wh, of the day's first slots.
        """
        differs = (n for n, (before, now) in enumerate(zip(self._beside, beside, strict=False)) if before != now)
        known = next(differs, min(len(self._beside), len(beside)))
        self._beside, self._moves, self._levels = self._beside[:known], self._moves[:known], self._levels[: known + 1]
        rest = _follow(self.store, self._levels[-1], beside, self._prices, self._worth[known:], known)
        self._beside += beside[known:]
        self._moves += rest[0]
        self._levels += rest[1]
        return list(self._moves), list(self._levels)


def _follow(
    store: Store, level: int, beside: Sequence[int], prices: Prices, worth: Sequence[_Costs], first: int
) -> tuple[list[int], list[int]]:
    """Moves by slot from the first on, and levels at the end of each. worth: from the first on."""
    slots = range(first, len(beside))
    if store.low == store.high:
        return [0] * len(slots), [level] * len(slots)
    moves, levels = [], []
    for slot in slots:
        moved = store.move(slot, level, beside[slot], prices, worth[slot + 1 - first])
        level += store.stored(moved)
        moves.append(moved)
        levels.append(level)
    return moves, levels


def _planned(store: Store, level: int, beside: Sequence[int], prices: Prices, first: int = 0) -> Plan:
    """What is to be done from the first slot on, at that level; nothing moves before."""
    worth = store.worth(beside, prices, first)
    moves, levels = _follow(store, level, beside, prices, worth, first)
    limits: list[int | None] = [None] * first
    for moved, before, after in zip(moves, [level, *levels], worth[1:], strict=False):
        limits.append(_limit(store.gain(before, moved, after), moved * store.step) if moved else None)
    return Plan([0] * first + moves, limits)


def _limit(gain: int, moved: int) -> int:
    """gain / moved: rounded down for what is taken in, up for what is given."""
    return gain // moved if moved > 0 else -(gain // -moved)


def _together(first: Plan, second: Plan) -> Plan:
    """Both stores as one; a limit is the stricter one of those that move as the sum does."""
    moves = _sum(first.moves, second.moves)
    limits: list[int | None] = []
    for slot, moved in enumerate(moves):
        parts = [(plan.moves[slot], plan.limits[slot]) for plan in (first, second)]
        agreeing = [limit for part, limit in parts if limit is not None and part * moved > 0]
        limits.append((min if moved > 0 else max)(agreeing) if agreeing else None)
    return Plan(moves, limits)


def _sum(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(first, second, strict=True)]


def _less(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [a - b for a, b in zip(first, second, strict=True)]
