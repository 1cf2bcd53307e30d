"""What a run leaves for a check of its network: the network, where members are connected, and what was forecast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from dem.errors import InputError
from dem.grid.network import Integers, Network, as_csv, read_network
from dem.grid.programme import CONNECTIONS, Connections, read_connections
from dem.model.relief import Offer, Offers
from dem.tables import read_rows

FOLDER = "grid"
EXPECTED = "expected.csv"
DISPATCHER = "dispatcher"
"""Of what run.json says: there if limits were published, which members kept."""
RELIEF = "relief"
"""Likewise: if relief was bought before."""
KEY = "grid"
"""Of run.json: the hash of the network, and a checksum of what is beside it."""
OFFERS = "offers.csv"
CEILING = "grid operator"
"""In that table: what is paid at most."""
_OFFER_COLUMNS = ("participant", "drawn", "drawn_units_per_wh", "fed_in", "fed_in_units_per_wh")
_COLUMNS = ("participant", "period", "expected_wh")


@dataclass(frozen=True, eq=False)
class Record:
    """expected: Wh by member and period, forecast day ahead; negative if fed in. offers: of relief, of all days."""

    network: Network
    connections: Connections
    expected: Integers
    offers: Offers | None = None

    def forecast(self, slots: slice) -> Mapping[str, Sequence[int]]:
        """What is expected in some of the periods, Wh by name."""
        return dict(zip(self.connections.names, self.expected[:, slots].tolist(), strict=True))


def write_record(
    folder: Path,
    network: Network,
    connections: Connections,
    days: Mapping[int, Sequence[int]],
    forecast: Callable[[int], Mapping[str, Sequence[int]]],
    offers: Offers | None = None,
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
    known = {} if offers is None else {CEILING: offers.ceiling, **offers.members}
    (own / OFFERS).write_bytes(as_csv(_OFFER_COLUMNS, [(name, *offer) for name, offer in known.items()]))
    return {"network": network.digest, "members": _checksum(own)}


def read_record(folder: Path, periods: Sequence[int], said: Mapping[str, str]) -> Record:
    """Read the folder `grid` of a run. said: what run.json says of it.

    Raises:
        InputError: something is wrong, or was changed after the run.
    """
    own = folder / FOLDER
    network = read_network(own)
    tables = {"network": "a table of the network", "members": f"{CONNECTIONS}, {EXPECTED} or {OFFERS}"}
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
    return Record(network, connections, expected, _read_offers(own / OFFERS))


def _read_offers(path: Path) -> Offers | None:
    """Of a run that is older than relief there is no table."""
    rows = read_rows(path, _OFFER_COLUMNS) if path.exists() else ()
    known = {row["participant"].text: Offer(*(row[column].integer() for column in _OFFER_COLUMNS[1:])) for row in rows}
    return Offers(known, known.pop(CEILING)) if CEILING in known else None


def _checksum(own: Path) -> str:
    tables = [own / name for name in (CONNECTIONS, EXPECTED, OFFERS) if name != OFFERS or (own / name).exists()]
    return sha256(b"".join(path.read_bytes() for path in tables)).hexdigest()
