"""Members of the market, as their events tell."""

from dataclasses import dataclass, replace

from dem.model.meters import MemberMeters
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


class Membership:
    """Who has come into the market, by registry number."""

    def __init__(self, periods_per_day: int) -> None:
        self._periods_per_day = periods_per_day
        self.members: dict[int, Member] = {}
        self.silent: set[int] = set()
        """Who may not order because its meter has been silent for too long."""
        self.meters: dict[int, MemberMeters] = {}
        """Of members that have, or had, several."""
        self._applications: dict[str, Args] = {}

    def apply_for(self, args: Args) -> None:
        """An Applied."""
        self._applications[args["account"]] = args

    def replace_account(self, args: Args) -> None:
        """An AccountReplaced."""
        self.members[args["id"]] = replace(self.members[args["id"]], account=args["account"])

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

    def _period(self, args: Args) -> int:
        """Periods from the market's opening to that of an event."""
        return int((args["day"] - 1) * self._periods_per_day + args["slot"])

    def admit(self, args: Args) -> None:
        """An Admitted."""
        application = self._applications.pop(args["account"], {})
        limits = [application.get(name, MAX_POSITION) for name in ("importCapacity", "exportCapacity")]
        self.members[args["id"]] = Member(
            id=args["id"],
            account=args["account"],
            meter=args["meter"],
            kind=KINDS[args["kind"]],
            first_day=args["firstDay"],
            import_capacity=None if limits[0] == MAX_POSITION else limits[0],
            export_capacity=None if limits[1] == MAX_POSITION else limits[1],
        )
