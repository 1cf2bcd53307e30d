"""What is expected to flow: contracts, and what is forecast beyond them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dem.errors import InputError
from dem.grid.network import Floats, Integers, Network, as_csv
from dem.tables import read_rows

CONNECTIONS = "connections.csv"
COLUMNS = ("participant", "bus", "import_capacity_wh", "export_capacity_wh")
_HOUR = 3_600
FEED_IN, DEMAND = "feed-in", "demand"
"""What of members is held back."""


@dataclass(frozen=True, eq=False)
class Connections:
    """Where members are connected, and what their connections pass: Wh in a period, in and out."""

    names: tuple[str, ...]
    bus: Integers
    imports: Integers
    exports: Integers

    def power(self, network: Network, net: Integers, seconds: int) -> tuple[Floats, Floats]:
        """What every bus takes, W and var, shape (points, buses); net: Wh of members, shape (members, points)."""
        drawn, fed_in = np.maximum(net, 0), np.maximum(-net, 0)
        reactive = drawn * network.limits.load_reactive + fed_in * network.limits.plant_reactive
        found = np.zeros((2, net.shape[1], len(network.buses)), np.int64)
        for total, own in zip(found, (net, reactive), strict=True):
            np.add.at(total.T, self.bus, own)
        return found[0] * (_HOUR / seconds), found[1] * (_HOUR / seconds / 1_000)

    def write(self, network: Network, folder: Path) -> None:
        """Write the table."""
        buses = [network.buses[bus].name for bus in self.bus.tolist()]
        rows = zip(self.names, buses, self.imports.tolist(), self.exports.tolist(), strict=True)
        (folder / CONNECTIONS).write_bytes(as_csv(COLUMNS, [*rows]))


def connect(network: Network, members: Mapping[str, tuple[str, int, int]]) -> Connections:
    """members: bus, and capacity in and out, by name.

    Raises:
        InputError: a member has no bus.
    """
    for name, (bus, _, _) in members.items():
        if bus not in network.number:
            raise InputError(f"bus of {name}", bus, "is no bus of the network")
    buses, imports, exports = zip(*members.values(), strict=True) if members else ((), (), ())
    numbers = [network.number[bus] for bus in buses]
    return Connections(tuple(members), *(np.array(column, np.int64) for column in (numbers, imports, exports)))


def read_connections(folder: Path, network: Network) -> Connections:
    """Read and check the table of a folder.

    Raises:
        InputError: it is missing, or something in it is wrong.
    """
    members: dict[str, tuple[str, int, int]] = {}
    for row in read_rows(folder / CONNECTIONS, COLUMNS):
        name, bus = row["participant"], row["bus"]
        if name.text in members:
            raise name.wrong("is there twice")
        if bus.text not in network.number:
            raise bus.wrong("is no bus of the network: a member without a bus cannot be checked")
        members[name.text] = bus.text, row["import_capacity_wh"].integer(), row["export_capacity_wh"].integer()
    return connect(network, members)


def programme(contracted: Integers, expected: Integers) -> Integers:
    """What every member is expected to draw, Wh, negative if fed in: what it contracted, or the forecast.

    Where the forecast goes beyond the contract in the same direction, the rest flows without a contract.
    """
    more: Integers = np.where(
        contracted > 0,
        np.maximum(contracted, expected),
        np.where(contracted < 0, np.minimum(contracted, expected), expected),
    )
    return more


def in_rows(names: Sequence[str], by_name: Mapping[str, Sequence[int]], periods: int) -> Integers:
    """Energy of the members in their order; nothing of who has none."""
    nothing = [0] * periods
    rows: npt.NDArray[np.int64] = np.array([by_name.get(name, nothing) for name in names], np.int64)
    return rows.reshape(len(names), periods)
