"""Members of the market, as their events tell."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import NamedTuple

from dem.model.meters import MIXED, SOURCES, MemberMeters
from dem.model.strips import MAX_POSITION
from dem.model.units import Wh
from dem.replay.events import Args

KINDS = (
    "none",
    "fund",
    "clearing_house",
    "fallback_supplier",
    "operator",
    "grid_operator",
    "consumer",
    "prosumer",
    "intermediary",
    "wholesale_desk",
)
"""Kinds of members in the order of the contracts' enum."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its events tell; capacities in Wh per period, None where the market sets no limit."""

    id: int
    account: str
    meter: str
    kind: str
    first_day: int
    import_capacity: Wh | None
    export_capacity: Wh | None


class Connection(NamedTuple):
    """What a connection carries, Wh per period; None where the market sets no limit."""

    imports: Wh | None
    exports: Wh | None


class Former(NamedTuple):
    """Whose a meter was until a day, when the next member took it over."""

    id: int
    first_day: int


class Absence(NamedTuple):
    """A member left after a day, and came back on another."""

    last_day: int
    first_day: int


class Membership:
    """Who has come into the market, by registry number."""

    def __init__(self, periods_per_day: int) -> None:
        self._periods_per_day = periods_per_day
        self.members: dict[int, Member] = {}
        self.silent: set[int] = set()
        """Who may not order because its meter has been silent for too long."""
        self.meters: dict[int, MemberMeters] = {}
        """Of members that have, or had, several."""
        self.former: dict[str, Former] = {}
        """Of meters that stayed when their member moved out."""
        self._applications: dict[str, Args] = {}
        self._connections: dict[int, list[tuple[int, Connection]]] = {}
        """Every change, with its first day."""
        self._sources: dict[int, dict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
        """By member and meter, with the first day for which it is noted."""
        self._last_days: dict[int, int] = {}
        """Of those who have left."""
        self._absences: dict[int, list[Absence]] = defaultdict(list)

    def connection(self, id_: int, day: int) -> Connection:
        """What a member's connection carries on a day."""
        return [after for first, after in self._connections[id_] if first <= day][-1]

    def source(self, id_: int, day: int) -> str | None:
        """What a member's feed-in of a day comes from, as it is on record."""
        noted = [[source for first, source in own if first <= day][-1:] for own in self._sources[id_].values()]
        found = {source for own in noted for source in own} - {SOURCES[0]}
        return MIXED if len(found) > 1 else next(iter(found), None)

    def takes_part(self, id_: int, day: int) -> bool:
        """Whether a member does on a day."""
        is_away = any(absence.last_day < day < absence.first_day for absence in self._absences[id_])
        return self.members[id_].first_day <= day <= self._last_days.get(id_, day) and not is_away

    def since(self, id_: int, day: int) -> int:
        """First day since which a member has taken part without a break until a day."""
        returned = [absence.first_day for absence in self._absences[id_] if absence.first_day <= day]
        return max([self.members[id_].first_day, *returned])

    def apply_for(self, args: Args) -> None:
        """An Applied."""
        self._applications[args["account"]] = args

    def replace_account(self, args: Args) -> None:
        """An AccountReplaced."""
        self.members[args["id"]] = replace(self.members[args["id"]], account=args["account"])

    def change_status(self, args: Args) -> None:
        """A StatusChanged."""
        self._last_days[args["id"]] = args["lastDay"]

    def change_silence(self, args: Args) -> None:
        """A SilenceChanged."""
        (self.silent.add if args["isSilent"] else self.silent.discard)(args["id"])

    def replace_meter(self, args: Args) -> None:
        """A MeterReplaced."""
        self.members[args["id"]] = replace(self.members[args["id"]], meter=args["meter"])

    def install_meter(self, args: Args) -> None:
        """A MeterInstalled."""
        id_ = args["id"]
        if id_ not in self.meters:
            self.meters[id_] = MemberMeters(self.members[id_].meter)
        self.meters[id_].install(args["meter"], self._period(args), (args["importWh"], args["exportWh"]))

    def remove_meter(self, args: Args) -> None:
        """A MeterRemoved."""
        self.meters[args["id"]].remove(args["meter"], self._period(args), (args["importWh"], args["exportWh"]))

    def take_over_meter(self, args: Args) -> None:
        """A MeterTakenOver."""
        self.former[args["meter"]] = Former(args["former"], args["firstDay"])

    def note_source(self, args: Args) -> None:
        """A SourceNoted."""
        self._sources[args["id"]][args["meter"]].append((args["firstDay"], SOURCES[args["source"]]))

    def change_connection(self, args: Args) -> None:
        """A ConnectionChanged."""
        id_, first = args["id"], args["firstDay"]
        after = Connection(Wh(args["importCapacity"]), Wh(args["exportCapacity"]))
        known = [change for change in self._connections[id_] if change[0] < first]
        self._connections[id_] = [*known, (first, after)]
        self.members[id_] = replace(self.members[id_], import_capacity=after.imports, export_capacity=after.exports)

    def come_back(self, args: Args) -> None:
        """A Returned."""
        self._absences[args["id"]].append(Absence(self._last_days[args["id"]], args["firstDay"]))
        self._applications.pop(self.members[args["id"]].account, None)

    def _period(self, args: Args) -> int:
        """Periods from the market's opening to that of an event."""
        return int((args["day"] - 1) * self._periods_per_day + args["slot"])

    def admit(self, args: Args) -> None:
        """An Admitted."""
        application = self._applications.pop(args["account"], {})
        limits = [application.get(name, MAX_POSITION) for name in ("importCapacity", "exportCapacity")]
        connection = Connection(*(None if limit == MAX_POSITION else Wh(limit) for limit in limits))
        self._connections[args["id"]] = [(0, connection)]
        self.members[args["id"]] = Member(
            id=args["id"],
            account=args["account"],
            meter=args["meter"],
            kind=KINDS[args["kind"]],
            first_day=args["firstDay"],
            import_capacity=connection.imports,
            export_capacity=connection.exports,
        )
