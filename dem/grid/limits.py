"""Limits that keep a network within its ratings and its voltage band: the deepest overloaded element first.

For one period: the deepest overloaded branch, and of equally deep ones the last, holds everybody behind it to the same
share of the connection, the highest share (in 1/10,000) at which an AC power flow finds that branch within its limits.
Then comes the next one. Among lines and buses the overloaded lines go first; then the bus furthest out of the voltage
band, whose feeder is held; transformers are last. All is whole numbers: whoever computes it comes to the same.

A limit is rounded down to whole Wh: the grid gains what is less than one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dem.grid.flow import Flow, PowerFlow
from dem.grid.network import Integers, Network
from dem.grid.programme import DEMAND, FEED_IN, Connections
from dem.model.limits import WHOLE

SHARES = WHOLE
"""Parts that a connection is divided into."""
MOST_ROUNDS = 400
"""So many zones of one area and period are held at most; an area that needs more has something wrong in its tables."""


Given: TypeAlias = set[tuple[int, str, str]]
"""Periods, elements and zones that nothing more can be done about."""


class Hold(NamedTuple):
    """One decision. point: the period. element: why, a branch or a bus. zone: whom, the branch they are behind.

    share: of the connection, 1/10,000. by: what is held. enough: whether the element then keeps its limit.
    """

    point: int
    element: str
    zone: str
    by: str
    share: int
    enough: bool


@dataclass(frozen=True, eq=False)
class Envelopes:
    """How much every member may draw and feed in, Wh, shape (members, periods), and why."""

    imports: Integers
    exports: Integers
    holds: tuple[Hold, ...] = ()

    def held(self, net: Integers) -> Integers:
        """What flows if everybody keeps to the limits."""
        within: Integers = np.clip(net, -self.exports, self.imports)
        return within

    @staticmethod
    def of(connections: Connections, points: int) -> "Envelopes":
        """The connections themselves."""
        imports, exports = (
            np.repeat(own[:, np.newaxis], points, axis=1) for own in (connections.imports, connections.exports)
        )
        return Envelopes(imports, exports)


class Dispatcher:
    """Computes limits for a network and its members."""

    def __init__(self, network: Network, connections: Connections, seconds: int) -> None:
        self.network, self.connections, self.seconds = network, connections, seconds
        self.power_flow = PowerFlow(network)
        self._behind = [zone[connections.bus] for zone in network.behind]
        self._area = np.array(network.area)[connections.bus]

    def flow(self, net: Integers) -> Flow:
        """What flows; net: Wh of every member, shape (members, periods)."""
        return self.power_flow.solve(*self.connections.power(self.network, net, self.seconds))

    def limits(self, net: Integers) -> Envelopes:
        """Limits for periods in which so much is expected to flow: below the connection only where it is too much."""
        found, holds = Envelopes.of(self.connections, net.shape[1]), list[Hold]()
        for part in self.parts:
            holds += self._in_area(part, net, found)
        return replace(found, holds=tuple(sorted(holds, key=lambda hold: hold.point)))

    @cached_property
    def parts(self) -> Sequence["Part"]:
        """The areas, each behind a source of its own."""
        return [Part(self, number, np.flatnonzero(self._area == number)) for number in range(len(self.network.sources))]

    def standing(self) -> Envelopes:
        """Limits of one period, safe by themselves: all feed in at once and nobody draws, or the other way round."""
        own, (imports, exports) = self.connections, self.standing_shares()
        limits = (
            whole * np.array(shares, np.int64)[self._area] // SHARES
            for whole, shares in ((own.imports, imports), (own.exports, exports))
        )
        return Envelopes(*(limit[:, np.newaxis] for limit in limits))

    def standing_shares(self) -> tuple[list[int], list[int]]:
        """Of each area the highest share of all its connections, 1/10,000, at which everything is within its limits.

        Where all draw and nobody feeds in; where all feed in and nobody draws.
        """
        own = self.connections
        imports, exports = (self._safe_shares(net).tolist() for net in (own.imports, -own.exports))
        return imports, exports

    def _safe_shares(self, net: Integers) -> Integers:
        """Of every area: 1/10,000 of this energy that all of it may have at once; 0 if none is safe."""
        areas = len(self.network.sources)
        low, high = np.zeros(areas, np.int64), np.full(areas, SHARES)
        safe_at_all = self._is_safe(net * low[self._area] // SHARES)
        safe = self._is_safe(net)
        low = np.where(safe, SHARES, low)
        while (high - low > 1).any():
            middle = (low + high) // 2
            # Towards zero, as limits are.
            safe = self._is_safe(np.sign(net) * (abs(net) * middle[self._area] // SHARES))
            low, high = np.where(safe, middle, low), np.where(safe, high, middle)
        shares: Integers = np.where(safe_at_all, low, 0)
        return shares

    def _is_safe(self, net: Integers) -> npt.NDArray[np.bool_]:
        """Of each area: whether everything in it is within its limits."""
        flow, limit = self.flow(net[:, np.newaxis]), self.network.limits
        off = (flow.voltage[0] > limit.highest_voltage) | (flow.voltage[0] < limit.lowest_voltage)
        over = flow.loading[0] > limit.loading
        areas = np.array(self.network.area)
        upper = np.array([branch.upper for branch in self.network.branches], np.int64)
        bad = {*areas[off].tolist(), *areas[upper][over].tolist()}
        return np.array([area not in bad for area in range(len(self.network.sources))], np.bool_)

    def _in_area(self, area: "Part", net: Integers, found: Envelopes) -> Iterator[Hold]:
        members, points, given = area.members, np.arange(net.shape[1]), Given()
        for _ in range(MOST_ROUNDS):
            now = found.held(net)[members][:, points]
            flow = area.flow(now)
            tasks = [task for row, point in enumerate(points) if (task := area.worst(flow, row, int(point), given))]
            if not tasks:
                return
            points = np.array([task.point for task in tasks])
            shares, enough = area.highest(tasks, found.held(net)[members][:, points])
            for task, share, is_enough in zip(tasks, shares.tolist(), enough.tolist(), strict=True):
                zone = members[area.behind(task.zone)]
                limits, whole = (
                    (found.exports, self.connections.exports)
                    if task.by == FEED_IN
                    else (found.imports, self.connections.imports)
                )
                limits[zone, task.point] = np.minimum(limits[zone, task.point], whole[zone] * share // SHARES)
                if not is_enough:
                    given.add(area.key(task))
                name = self.network.branches[task.zone].name
                yield Hold(task.point, task.element, name, task.by, share, is_enough)


class Task(NamedTuple):
    """An element to bring within its limits, and the zone to hold for it. place: of the element in the area's flow."""

    point: int
    element: str
    is_bus: bool
    place: int
    zone: int
    by: str


class Part:
    """One area's members, by their rows, and its power flow."""

    def __init__(self, dispatcher: Dispatcher, number: int, members: Integers) -> None:
        self.members = members
        self._network = dispatcher.network
        self._flow = dispatcher.power_flow.areas[number]
        own = dispatcher.connections
        place = np.full(len(self._network.buses), -1)
        place[self._flow.buses] = np.arange(len(self._flow.buses))
        self.connections = Connections(
            tuple(own.names[i] for i in members), own.bus[members], own.imports[members], own.exports[members]
        )
        self._seconds = dispatcher.seconds
        self._behind = {zone: dispatcher._behind[zone][members] for zone in self._flow.branches.tolist()}
        # The deepest first, of equally deep ones the last; lines before transformers.
        self._lines, self._transformers = (
            sorted(
                (
                    place
                    for place, branch in enumerate(self._flow.branches.tolist())
                    if self._network.branches[branch].is_transformer == is_transformer
                ),
                key=lambda place: (self._network.depth[self._flow.branches[place]], place),
                reverse=True,
            )
            for is_transformer in (False, True)
        )

    def flow(self, net: Integers) -> Flow:
        """What flows in the area."""
        power, reactive = self.connections.power(self._network, net, self._seconds)
        return self._flow.solve(power[:, self._flow.buses], reactive[:, self._flow.buses])

    def worst(self, flow: Flow, row: int, point: int, given: Given) -> Task | None:
        """The next element to look after in a period; none if all is well, or nothing helps."""
        limit = self._network.limits
        over = flow.loading[row] > limit.loading
        off = np.maximum(flow.voltage[row] - limit.highest_voltage, limit.lowest_voltage - flow.voltage[row])
        if not over.any() and not (off > 0).any():
            return None
        for task in (
            *self._branches(self._lines, over, flow, row, point),
            *self._buses(off, flow, row, point),
            *self._branches(self._transformers, over, flow, row, point),
        ):
            if self.key(task) not in given:
                return task
        return None

    def key(self, task: Task) -> tuple[int, str, str]:
        """What is noted of a task that nothing more can be done about."""
        return task.point, task.element, self._network.branches[task.zone].name

    def behind(self, zone: int) -> npt.NDArray[np.bool_]:
        """Which of the members are behind a branch."""
        members: npt.NDArray[np.bool_] = self._behind[zone]
        return members

    def _branches(self, places: Sequence[int], over: Integers, flow: Flow, row: int, point: int) -> Iterator[Task]:
        for place in places:
            if over[place]:
                number = int(self._flow.branches[place])
                by = FEED_IN if flow.power[row, place] < 0 else DEMAND
                yield Task(point, self._network.branches[number].name, False, place, number, by)

    def _buses(self, off: Integers, flow: Flow, row: int, point: int) -> Iterator[Task]:
        for place in np.argsort(-off, kind="stable").tolist():
            if off[place] <= 0:
                return
            bus = int(self._flow.buses[place])
            by = FEED_IN if flow.voltage[row, place] > self._network.limits.highest_voltage else DEMAND
            for zone in self._network.feeder_of(bus):
                yield Task(point, self._network.buses[bus].name, True, place, zone, by)

    def highest(self, tasks: Sequence[Task], net: Integers) -> tuple[Integers, Integers]:
        """Of each task the highest share at which its element is within its limits, and whether any is."""
        low, high = np.zeros(len(tasks), np.int64), np.full(len(tasks), SHARES)
        enough = self._passes(tasks, low, net)
        while (high - low > 1).any():
            middle = (low + high) // 2
            passes = self._passes(tasks, middle, net)
            low, high = np.where(passes, middle, low), np.where(passes, high, middle)
        return np.where(enough, low, 0), enough

    def _passes(self, tasks: Sequence[Task], shares: Integers, net: Integers) -> Integers:
        held = net.copy()
        for column, (task, share) in enumerate(zip(tasks, shares.tolist(), strict=True)):
            zone = self.behind(task.zone)
            if task.by == FEED_IN:
                most = self.connections.exports[zone] * share // SHARES
                held[zone, column] = np.maximum(held[zone, column], -most)
            else:
                most = self.connections.imports[zone] * share // SHARES
                held[zone, column] = np.minimum(held[zone, column], most)
        return self.keeps(tasks, held)

    def keeps(self, tasks: Sequence[Task], net: Integers) -> Integers:
        """Whether the element of each task is within its limits; net: Wh of the members, a column for each task."""
        flow, limit = self.flow(net), self._network.limits
        return np.array(
            [
                limit.lowest_voltage <= flow.voltage[row, task.place] <= limit.highest_voltage
                if task.is_bus
                else flow.loading[row, task.place] <= limit.loading
                for row, task in enumerate(tasks)
            ],
            dtype=np.bool_,
        )
