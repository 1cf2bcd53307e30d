"""What a run leaves for a check of its network: the network, where members are connected, and what was forecast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from dem.errors import InputError
from dem.grid.network import Integers, Network, as_csv, read_network
from dem.grid.programme import CONNECTIONS, Connections, read_connections
from dem.tables import read_rows

FOLDER = "grid"
EXPECTED = "expected.csv"
DISPATCHER = "dispatcher"
"""Of what run.json says: there if limits were published, which members kept."""
KEY = "grid"
"""Of run.json: the hash of the network, and a checksum of what is beside it."""
_COLUMNS = ("participant", "period", "expected_wh")


@dataclass(frozen=True, eq=False)
class Record:
    """expected: Wh by member and period, forecast day ahead; negative if fed in."""

    network: Network
    connections: Connections
    expected: Integers


def write_record(
    folder: Path,
    network: Network,
    connections: Connections,
    days: Mapping[int, Sequence[int]],
    forecast: Callable[[int], Mapping[str, Sequence[int]]],
    has_dispatcher: bool,
) -> Mapping[str, str]:
    """Write the folder `grid` of a run; returns what run.json says of it. days: their periods, by number."""
    own = folder / FOLDER
    network.write(own)
    connections.write(network, own)
    rows: list[tuple[str, int, int]] = []
    for day, periods in days.items():
        expected = forecast(day)
        for name in connections.names:
            rows += [(name, period, wh) for period, wh in zip(periods, expected.get(name, ()), strict=False)]
    (own / EXPECTED).write_bytes(as_csv(_COLUMNS, rows))
    said = {"network": network.digest, "members": _checksum(own)}
    return {**said, DISPATCHER: "yes"} if has_dispatcher else said


def read_record(folder: Path, periods: Sequence[int], said: Mapping[str, str]) -> Record:
    """Read the folder `grid` of a run. said: what run.json says of it.

    Raises:
        InputError: something is wrong, or was changed after the run.
    """
    own = folder / FOLDER
    network = read_network(own)
    tables = {"network": "a table of the network", "members": f"{CONNECTIONS} or {EXPECTED}"}
    for name, is_so in (("network", network.digest), ("members", _checksum(own))):
        if said.get(name) != is_so:
            why = f"was changed after the run ({tables[name]}): its hash was {said.get(name)}"
            raise InputError(str(own), is_so, why)
    connections = read_connections(own, network)
    member = {name: row for row, name in enumerate(connections.names)}
    place = {period: column for column, period in enumerate(periods)}
    expected = np.zeros((len(member), len(place)), np.int64)
    for row in read_rows(own / EXPECTED, _COLUMNS):
        expected[member[row["participant"].text], place[row["period"].integer()]] = row["expected_wh"].multiple(1, "Wh")
    return Record(network, connections, expected)


def _checksum(own: Path) -> str:
    return sha256(b"".join((own / name).read_bytes() for name in (CONNECTIONS, EXPECTED))).hexdigest()
