"""What the network carries on a day, as its dispatcher's page tells it: what flowed, and what was expected to.

Flows follow from what members' meters showed, and from contracts and what the dispatcher's own table expects beyond.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, RequestError
from dem.gateway.config import Configuration, NetworkTables
from dem.gateway.reads import Index, Row
from dem.grid.members import buses, expected
from dem.grid.network import Integers, Network, read_network
from dem.grid.programme import Connections, connect, programme
from dem.model.calendar import CalendarParameters

if TYPE_CHECKING:
    from dem.grid.flow import Flow, PowerFlow

_OF_THE_DAY = """
SELECT id, slot, net_wh, block, log_index FROM {table}
WHERE id IN (SELECT id FROM participant_registry_admitted) AND day = :day
"""
"""By an index of members and days; by the day alone all readings there are would be looked at."""
_CONTRACTED = f"{_OF_THE_DAY.format(table='scheduled')} ORDER BY block, log_index"
_METERED = " UNION ALL ".join(_OF_THE_DAY.format(table=name) for name in ("reading", "estimate"))
_METERED += " ORDER BY block, log_index"
"""Later ones take the place of earlier ones."""
_WITH_METER = """
SELECT participant, account FROM participants
WHERE kind IN ('consumer', 'prosumer') AND status = 'admitted' AND first_day <= :day
ORDER BY participant
"""
_FRESH_SECONDS = 60
_KEPT = 8
"""Days whose flows are kept for so long."""


class Placed(NamedTuple):
    """Members that are connected. ids: their numbers, in the order of the connections. elsewhere: those
    that are not.
    """

    ids: tuple[int, ...]
    connections: Connections
    elsewhere: int


@dataclass(frozen=True, eq=False)
class Course:
    """A network over a day, by slot. flow: where nothing is known of a slot, of nothing.

    known: slots of which anything is. missing: connected members of whom something is missing in a known slot.
    """

    flow: "Flow"
    known: tuple[bool, ...]
    missing: int


class Day(NamedTuple):
    """expected: None if the dispatcher's table does not know the day. members: who is connected."""

    metered: Course
    expected: Course | None
    members: int
    elsewhere: int


class Flows:
    """Works them out, each day at most once a minute."""

    def __init__(self, index: Index, calendar: CalendarParameters, folder: Path, tables: NetworkTables) -> None:
        """folder: of the market.

        Raises:
            InputError: the tables hold no network.
        """
        self.network: Network = read_network(folder / tables.grid)
        self._index, self._periods, self._seconds = index, calendar.periods_per_day, calendar.period_length
        self._buses = buses(folder / tables.buses)
        self._expected = expected(folder / tables.expected, self._periods)
        self._days: dict[int, tuple[float, Day]] = {}

    @classmethod
    def of(cls, configuration: Configuration, index: Index, calendar: CalendarParameters) -> "Flows | None":
        """Of a gateway; None if it has no tables of a network."""
        tables = configuration.network
        return None if tables is None else cls(index, calendar, configuration.folder, tables)

    @cached_property
    def _power(self) -> "PowerFlow":
        # Only who asks for flows waits for the library.
        from dem.grid.flow import PowerFlow

        return PowerFlow(self.network)

    def day(self, day: int) -> Day:
        """What is known of a day now.

        Raises:
            RequestError: a table of the dispatcher's will not do.
        """
        made, found = self._days.get(day, (0.0, None))
        if found is None or time.monotonic() - made > _FRESH_SECONDS:
            try:
                found = self._made(day)
            except InputError as error:
                raise RequestError(503, "NoNetwork", f"the dispatcher's tables will not do: {error}") from error
            self._days.pop(day, None)
            while len(self._days) >= _KEPT:
                self._days.pop(next(iter(self._days)))
            self._days[day] = time.monotonic(), found
        return found

    def _made(self, day: int) -> Day:
        with_meter = self._index.rows(_WITH_METER, day=day)
        placed = self._placed(with_meter)
        metered, is_read = self._energies(placed, _METERED, day)
        known = is_read.any(axis=0)
        own = Course(
            self._flow(placed, metered),
            tuple(known.tolist()),
            int((~is_read & known).any(axis=1).sum()),
        )
        accounts = {int(row["participant"]): str(row["account"]) for row in with_meter}
        told = {account.lower(): net for account, net in self._expected(day).items()}
        if not told:
            return Day(own, None, len(placed.ids), placed.elsewhere)
        contracted, _ = self._energies(placed, _CONTRACTED, day)
        beyond = np.zeros_like(contracted)
        unnamed = 0
        for row, id_ in enumerate(placed.ids):
            net = told.get(accounts[id_].lower())
            unnamed += net is None
            beyond[row] = 0 if net is None else net
        planned = self._flow(placed, programme(contracted, beyond))
        return Day(own, Course(planned, (True,) * self._periods, unnamed), len(placed.ids), placed.elsewhere)

    def _placed(self, members: list[Row]) -> Placed:
        where = {account.lower(): bus for account, bus in self._buses().items()}
        found: dict[str, tuple[str, int, int]] = {}
        for row in members:
            bus = where.get(str(row["account"]).lower())
            if bus is not None:
                found[str(row["participant"])] = bus, 0, 0
        ids = tuple(int(name) for name in found)
        return Placed(ids, connect(self.network, found), len(members) - len(ids))

    def _energies(self, placed: Placed, question: str, day: int) -> tuple[Integers, NDArray[np.bool_]]:
        """Net energies by member and slot, and which of them are known."""
        row_of = {id_: row for row, id_ in enumerate(placed.ids)}
        net = np.zeros((len(placed.ids), self._periods), np.int64)
        is_known = np.zeros(net.shape, np.bool_)
        for one in self._index.rows(question, day=day):
            row = row_of.get(int(one["id"]))
            if row is not None:
                net[row, one["slot"]], is_known[row, one["slot"]] = one["net_wh"], True
        return net, is_known

    def _flow(self, placed: Placed, net: Integers) -> "Flow":
        return self._power.solve(*placed.connections.power(self.network, net, self._seconds))
