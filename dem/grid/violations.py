"""Where a flow leaves the limits of its network, and why."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dem.grid.flow import Flow
from dem.grid.network import IMPOSSIBLE, PPM, Integers, Network
from dem.grid.programme import DEMAND, FEED_IN

OVERLOAD, TOO_HIGH, TOO_LOW, NO_FLOW = "overload", "voltage too high", "voltage too low", "no power flow exists"


class Violation(NamedTuple):
    """Of one element at one point. value, limit: 1/1,000,000 of rating or nominal voltage. by: what to hold back."""

    point: int
    element: str
    what: str
    value: int
    limit: int
    by: str


def violations(network: Network, flow: Flow) -> Iterator[Violation]:
    """All of them, point by point."""
    limits = network.limits
    loaded = flow.loading > limits.loading
    outside = (flow.voltage > limits.highest_voltage) | (flow.voltage < limits.lowest_voltage)
    for point in np.flatnonzero(loaded.any(axis=1) | outside.any(axis=1)).tolist():
        collapsed: set[int] = set()
        for number in np.flatnonzero(loaded[point]).tolist():
            branch, value = network.branches[number], int(flow.loading[point, number])
            by = FEED_IN if flow.power[point, number] < 0 else DEMAND
            if value < IMPOSSIBLE:
                yield Violation(point, branch.name, OVERLOAD, value, limits.loading, by)
            elif (area := network.area[branch.upper]) not in collapsed:
                collapsed.add(area)
                yield Violation(point, network.sources[area].name, NO_FLOW, 0, 0, DEMAND)
        for bus in np.flatnonzero(outside[point]).tolist():
            value, name = int(flow.voltage[point, bus]), network.buses[bus].name
            if value > limits.highest_voltage:
                yield Violation(point, name, TOO_HIGH, value, limits.highest_voltage, FEED_IN)
            elif value:
                yield Violation(point, name, TOO_LOW, value, limits.lowest_voltage, DEMAND)


def rises(without_plants: Flow, flow: Flow) -> Integers:
    """At each point the highest rise of any bus's voltage by what is fed in, 1/1,000,000 of nominal."""
    highest: Integers = (flow.voltage - without_plants.voltage).max(axis=1, initial=0)
    return highest


def percent(ppm: int) -> str:
    """`1147000` -> `114.7 %`"""
    return f"{ppm * 100 / PPM:.1f} %"
