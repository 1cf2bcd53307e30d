"""Limits of the network, and what energy beyond them has cost, as their events tell."""

from collections import defaultdict
from typing import TypeVar

import numpy as np

from dem.model.ledger import BALANCING_FUND, GRID_OPERATOR, Posting
from dem.model.limits import (
    Cost,
    Limits,
    Publication,
    Share,
    ZoneLimit,
    excess_charge,
    limits_down,
    made_good,
    shares_of,
)
from dem.model.reconciliation import MAX_AGE
from dem.model.strips import MAX_POSITION
from dem.model.units import Money
from dem.replay.events import Args
from dem.replay.late import LateReconciliations
from dem.replay.market import differences
from dem.replay.members import Membership
from dem.replay.payments import Payments
from dem.replay.postings import Postings
from dem.replay.rules import Rules

T = TypeVar("T")


class GridLimits:
    """Compares charges for limits with the model's. found: where differences are noted."""

    def __init__(
        self,
        periods_per_day: int,
        rules: Rules,
        membership: Membership,
        late: LateReconciliations,
        postings: Postings,
        payments: Payments,
        found: list[str],
    ) -> None:
        self._periods_per_day = periods_per_day
        self._rules = rules
        self._membership = membership
        self._late = late
        self._postings = postings
        self._payments = payments
        self._found = found
        self._zones: dict[int, list[tuple[int, int]]] = defaultdict(list)
        """By member, with the first day of each."""
        self._standing: dict[int, list[tuple[int, Share]]] = defaultdict(list)
        """By zone, likewise."""
        self._publications: dict[int, tuple[Publication, ...]] = {}
        self._models: list[tuple[int, bytes]] = []
        """Hashes of networks, with the first day of each."""
        self.reports: dict[int, tuple[bytes, ...]] = {}
        """Hashes of what limits of a day were worked out from, of those published before its auction opened."""
        self.causes: dict[int, tuple[str, ...]] = {}
        """Why limits of a day were lowered after its gate, in the dispatcher's words."""
        self.charged: dict[tuple[int, int], int] = {}
        """Money units that a member's day was charged."""
        self.made_good: set[tuple[int, int]] = set()
        """Members' days for which the grid operator has paid."""

    # ------------------------------------------------------------------------------------------ what is known

    def model(self, day: int) -> bytes | None:
        """Hash of the network that limits of a day are worked out for; None if none was named."""
        return next((model for first, model in reversed(self._models) if first <= day), None)

    def zone(self, id_: int, day: int) -> int:
        """Of a member; 0 is none."""
        return next((zone for first, zone in reversed(self._zones[id_]) if first <= day), 0)

    def standing(self, zone: int, day: int) -> Share:
        """What holds in a zone on days without a publication."""
        return next((share for first, share in reversed(self._standing[zone]) if first <= day), Share())

    def publications(self, day: int) -> tuple[Publication, ...]:
        """Of a day, in their order."""
        return self._publications.get(day, ())

    def shares(self, id_: int, day: int, is_late: bool = True) -> list[Share]:
        """Of a member's connection by slot of a day. is_late: with those that were lowered after the gate."""
        zone = self.zone(id_, day)
        published = [publication for publication in self.publications(day) if is_late or not publication.is_late]
        return shares_of(zone, self.standing(zone, day), published, self._periods_per_day)

    def limits(self, id_: int, day: int, is_late: bool = True) -> Limits:
        """A member's limits of a day, Wh by slot. is_late: with those that were lowered after the gate."""
        imports, exports = (MAX_POSITION if wh is None else wh for wh in self._membership.connection(id_, day))
        return limits_down(imports, exports, self.shares(id_, day, is_late))

    def excess(self, id_: int, day: int) -> Cost:
        """What a member is to pay for a final day's energy beyond its limits."""
        own, (contracted, metered, estimated) = self._late.day(day), self._late.energies(id_, day)
        unread = estimated | self._late.trued_up.get((id_, day), np.zeros_like(estimated))
        return excess_charge(self._rules.on(day), own.prices, contracted, metered, unread, self.limits(id_, day))

    def to_make_good(self, id_: int, day: int) -> Cost:
        """What the grid operator owes a member for lowering the limits of a final day after its gate."""
        own, (contracted, metered, estimated) = self._late.day(day), self._late.energies(id_, day)
        at_gate, at_end = self.limits(id_, day, is_late=False), self.limits(id_, day)
        return made_good(self._rules.on(day), own.prices, contracted, metered, estimated, at_gate, at_end)

    # ---------------------------------------------------------------------------------------------- applying

    def name_model(self, args: Args) -> None:
        """A ModelPublished."""
        self._models = _with(self._models, args["firstDay"], bytes(args["model"]))

    def assign(self, args: Args) -> None:
        """A ZonesAssigned."""
        for id_, zone in zip(args["ids"], args["zones"], strict=True):
            self._zones[id_] = _with(self._zones[id_], args["firstDay"], zone)

    def set_standing(self, args: Args) -> None:
        """A StandingLimitSet."""
        share = Share(args["imports"], args["exports"])
        self._standing[args["zone"]] = _with(self._standing[args["zone"]], args["firstDay"], share)

    def publish(self, args: Args) -> None:
        """A LimitsPublished."""
        self._add(args, is_late=False)
        self.reports[args["day"]] = (*self.reports.get(args["day"], ()), bytes(args["report"]))

    def lower(self, args: Args) -> None:
        """A LimitsLowered."""
        self._add(args, is_late=True)
        self.causes[args["day"]] = (*self.causes.get(args["day"], ()), args["cause"])

    def charge(self, args: Args) -> None:
        """An ExcessCharged."""
        id_, day = args["id"], args["day"]
        chain, model = (args["energy"], args["units"]), self.excess(id_, day)
        self._found += differences(f"energy of member {id_} beyond the limits of day {day}", chain, tuple(model))
        change = model.units - self.charged.get((id_, day), 0)
        self.charged[id_, day] = model.units
        self._post(day, id_, BALANCING_FUND, change, "beyond limits")

    def make_good(self, args: Args) -> None:
        """A MadeGood."""
        id_, day = args["id"], args["day"]
        chain, model = (args["energy"], args["units"]), self.to_make_good(id_, day)
        self._found += differences(f"what limits of day {day} took from member {id_}", chain, tuple(model))
        self.made_good.add((id_, day))
        self._post(day, GRID_OPERATOR, id_, model.units, "limits made good")

    def keep(self, day: int) -> None:
        """The day is final; what is too old to be charged is forgotten."""
        self._publications.pop(day - MAX_AGE, None)
        self.reports.pop(day - MAX_AGE, None)
        self.causes.pop(day - MAX_AGE, None)

    def _add(self, args: Args, is_late: bool) -> None:
        limits = tuple(ZoneLimit(*(limit[name] for name in ZoneLimit._fields)) for limit in args["limits"])
        self._publications[args["day"]] = (*self.publications(args["day"]), Publication(is_late, limits))

    def _post(self, day: int, payer: int, payee: int, units: int, what: str) -> None:
        postings = [Posting(payer, Money(-units)), Posting(payee, Money(units))]
        self._postings.announced += postings
        for posting in postings:
            self._payments.add(posting.account, day, what, posting.amount)


def _with(known: list[tuple[int, T]], first: int, what: T) -> list[tuple[int, T]]:
    """What was to come on that day or later is replaced."""
    return [*((day, before) for day, before in known if day < first), (first, what)]
