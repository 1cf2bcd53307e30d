"""What a dispatcher publishes: members' zones, standing limits, and limits of each day from its public forecast.

A zone is what lies behind a branch of the network, and has the number of that branch, from 1 on. At first members are
in the zone of the transformer that feeds them. As soon as something behind it binds on a day, those behind that are in
a zone of their own, for good: so few zones need few words on a chain.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from eth_hash.auto import keccak

from dem.grid.network import Network, as_csv
from dem.grid.programme import DEMAND, FEED_IN, Connections, in_rows
from dem.model.limits import Share, ZoneLimit, pack_shares
from dem.model.relief import Offers, Slots
from dem.model.strips import LANES

if TYPE_CHECKING:
    from dem.grid.limits import Dispatcher, Hold

REPORT_COLUMNS = ("slot", "element", "zone", "by", "share", "enough")
"""Of the table that a publication names by its hash."""
RELIEF_COLUMNS = ("slot", "member", "by", "energy_wh", "most_wh", "units_per_wh")
"""Of the table that a purchase of relief names by its hash."""


class DayLimits(NamedTuple):
    """Of one day. zones: by member. shares: of each zone by slot; zones without limits are left out. holds: why.

    relief: what was bought of members before, by name.
    """

    zones: Mapping[str, int]
    shares: Mapping[int, Sequence[Share]]
    holds: tuple["Hold", ...]
    relief: Mapping[str, Slots] = {}

    @property
    def words(self) -> list[ZoneLimit]:
        """As they are published: strips in which a zone is limited."""
        return [
            ZoneLimit(zone, strip, pack_shares(shares[strip * LANES : (strip + 1) * LANES]))
            for zone, shares in sorted(self.shares.items())
            for strip in range(len(shares) // LANES)
            if any(share != Share() for share in shares[strip * LANES : (strip + 1) * LANES])
        ]

    @property
    def report(self) -> bytes:
        """Hash of the decisions that the limits come from (keccak-256)."""
        rows = [(*hold[:5], int(hold.enough)) for hold in self.holds]
        return bytes(keccak(as_csv(REPORT_COLUMNS, rows)))

    @property
    def relief_report(self) -> bytes:
        """Hash of what was bought of whom (keccak-256)."""
        rows = [
            (slot, name, FEED_IN if is_fed_in else DEMAND, *own)
            for name, slots in sorted(self.relief.items())
            for (slot, is_fed_in), own in sorted(slots.items())
        ]
        return bytes(keccak(as_csv(RELIEF_COLUMNS, rows)))

    def of(self, member: str, slots: int) -> Sequence[Share]:
        """A member's shares by slot."""
        return self.shares.get(self.zones.get(member, 0)) or [Share()] * slots


@dataclass(eq=False)
class Dispatch:
    """Limits of the days of a community, each worked out once, in the order of the days.

    first: of these days. split: zones that were made before: branches behind which somebody has a zone of its own.
    offers: of relief, of a day; without it nobody offers any.
    """

    network: Network
    connections: Connections
    seconds: int
    first: int = 1
    split: Iterable[int] = ()
    offers: Callable[[int], Offers] | None = None
    _days: list[DayLimits] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._split = set(self.split)

    def day(self, day: int, forecast: Callable[[int], Mapping[str, Sequence[int]]]) -> DayLimits:
        """Limits of a day. forecast: net energies of members by name, Wh by slot, which anybody can work out."""
        while len(self._days) <= day - self.first:
            number = self.first + len(self._days)
            self._days.append(self._next(number, forecast(number)))
        return self._days[day - self.first]

    def _next(self, day: int, expected: Mapping[str, Sequence[int]]) -> DayLimits:
        slots = max(map(len, expected.values()), default=0)
        net = in_rows(self.connections.names, expected, slots)
        relief: Mapping[str, Slots] = {}
        relieved: tuple[Hold, ...] = ()
        if self.offers is not None:
            from dem.grid.relief import relieve

            net, relief, relieved = relieve(self.dispatcher, net, self.offers(day))
        holds = tuple(sorted((*relieved, *self.dispatcher.limits(net).holds), key=lambda hold: hold.point))
        self._split |= {self._branch[hold.zone] for hold in holds}
        zones = self.zones
        shares = {zone: self._shares(zone - 1, holds, slots) for zone in {*zones.values()} - {0}}
        return DayLimits(zones, {zone: own for zone, own in shares.items() if own}, holds, relief)

    @property
    def zones(self) -> dict[str, int]:
        """Of members, as they are now."""
        return {
            name: self._zone_of(bus)
            for name, bus in zip(self.connections.names, self.connections.bus.tolist(), strict=True)
        }

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        """That works the limits out."""
        # Power flows are a matter of who has a dispatcher: others load nothing for them.
        from dem.grid.limits import Dispatcher

        return Dispatcher(self.network, self.connections, self.seconds)

    @cached_property
    def standing(self) -> Mapping[int, Share]:
        """Of every zone that there may be: safe if everybody feeds in at once, or draws."""
        imports, exports = self.dispatcher.standing_shares()
        areas = [self.network.area[branch.lower] for branch in self.network.branches]
        return {zone: Share(imports[area], exports[area]) for zone, area in enumerate(areas, start=1)}

    @cached_property
    def _branch(self) -> Mapping[str, int]:
        return {branch.name: number for number, branch in enumerate(self.network.branches)}

    def _zone_of(self, bus: int) -> int:
        """The deepest branch that feeds a bus and has a zone; 0 at a source."""
        path = self.network.zones_of(bus)
        transformers = [branch for branch in path if self.network.branches[branch].is_transformer]
        own = {*self._split, *(transformers or path[-1:])[:1]}
        return next((branch + 1 for branch in path if branch in own), 0)

    def _shares(self, branch: int, holds: Sequence["Hold"], slots: int) -> list[Share]:
        """What a zone has left by slot: of all that hold it the lowest; nothing where none does."""
        path = {branch, *self.network.zones_of(self.network.branches[branch].upper)}
        found = [Share()] * slots
        for hold in holds:
            if self._branch[hold.zone] not in path:
                continue
            imports, exports = found[hold.point]
            held = (imports, min(exports, hold.share)) if hold.by == FEED_IN else (min(imports, hold.share), exports)
            found[hold.point] = Share(*held)
        return found if any(share != Share() for share in found) else []
