"""The settlement of days, as its events tell."""

from collections import defaultdict

import numpy as np

from dem.model.ledger import BALANCING_FUND, FALLBACK_SUPPLIER, GRID_OPERATOR, OPERATOR, Posting
from dem.model.readings import net_of_lanes
from dem.model.settlement import DaySettlement, settle
from dem.model.shortfalls import Restored
from dem.model.strips import unpack_all
from dem.model.units import Money
from dem.replay.days import Days
from dem.replay.delivery import delivery
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.markets import Markets
from dem.replay.postings import Postings
from dem.replay.rules import Rules


class Settling:
    """Compares schedules, bills and what offices receive with the model's. found: where differences are noted."""

    def __init__(self, days: Days, rules: Rules, markets: Markets, postings: Postings, found: list[str]) -> None:
        self._days = days
        self._rules = rules
        self._markets = markets
        self._postings = postings
        self._found = found
        self._paid: dict[int, int] = defaultdict(int)
        """What the settlement under way has paid to others than the fallback supplier, by member; below zero of who has
        paid more."""
        self.restored: dict[int, Restored] = {}
        """What was left of claims, by member."""
        self._is_restored: set[int] = set()
        """Of whom that counts as paid already: it does once, also where a walk begins anew."""
        self._is_under_way = False
        self.last_settled = 0
        """The last member that the walk under way has settled."""

    @property
    def received(self) -> dict[int, int]:
        """What counts as paid by the settlement under way, by member.

        What somebody has to give back comes off what is left of its claim, but not off money that it has not any more.
        """
        least = {id_: self.restored[id_].least for id_ in self._paid if id_ in self.restored}
        found = {id_: max(least.get(id_, 0), paid) for id_, paid in self._paid.items()}
        return {id_: units for id_, units in found.items() if units}

    def settlement(self, day: int) -> DaySettlement:
        """The day settled by the reference model on the readings known now."""
        own = self._days.known(day)
        if own.settlement is None:
            own.settlement = settle(self._rules.on(day), delivery(own, self._rules.tariffs(day), self._markets))
        return own.settlement

    def schedule(self, args: Args) -> None:
        """A Scheduled."""
        id_, day = args["id"], args["day"]
        chain = net_of_lanes(unpack_all([word.to_bytes(32, "big") for word in args["net"]])[1]).ravel()
        model = self.settlement(day).schedule.get(id_, np.zeros(self._markets.periods_per_day, np.int64))
        if not np.array_equal(chain, model):
            self._found += differences(f"schedule of member {id_}, day {day}", chain.tolist(), model.tolist())

    def begin(self, args: Args) -> None:
        """A SettlementBegun."""
        self._postings.day = args["day"]
        # A walk that begins anew, because a market is void, goes on from what it has paid before.
        if not (self._is_under_way and self._days.known(args["day"]).is_settled):
            self._paid.clear()
            self.restored.clear()
            self._is_restored.clear()
        self._is_under_way = True
        self._postings.settled = [self._posting_to(FALLBACK_SUPPLIER, self.settlement(args["day"]).fallback())]

    def settle(self, args: Args) -> None:
        """A Settled."""
        id_, day = args["id"], args["day"]
        self._postings.day = day
        self.last_settled = id_
        bill = self.settlement(day).bill_of(id_)
        due = {name: amount for name, amount in bill._asdict().items() if name in args}
        self._found += differences(f"settlement of member {id_}, day {day}", {name: args[name] for name in due}, due)
        change = self._change(id_, -sum(bill))
        if id_ in self.restored and id_ not in self._is_restored:
            self._is_restored.add(id_)
            self._note(id_, self.restored[id_].units, self.restored[id_].units)
        self._note(id_, change, -sum(bill))
        self._postings.settled.append(Posting(id_, change, self._release(id_)))

    def void(self, args: Args) -> None:
        """A MarketVoided."""
        day = self._days.changing(args["day"])
        self._markets.void(day.number, self._markets.at(args["market"]), day.released)
        day.settlement = None

    def charge_penalty(self, args: Args) -> None:
        """A PenaltyCharged."""
        bill = self.settlement(args["day"]).bill_of(args["id"])
        self._found += differences(f"penalty of member {args['id']}, day {args['day']}", args["penalty"], bill.penalty)

    def owe_penalties(self, args: Args) -> None:
        """A PenaltyDue."""
        due = self.settlement(args["day"]).desk()
        self._found += differences(f"penalties of day {args['day']}", args["penalty"], due)
        self._postings.settled.append(self._posting_to(args["desk"], due))

    def end(self, args: Args) -> None:
        """A DaySettled."""
        day = args["day"]
        settlement = self.settlement(day)
        self._found += differences(
            f"settlement of day {day} (fallback supply, fund, operator, grid)",
            tuple(args[name] for name in ("fallbackSupply", "fund", "operator", "grid")),
            (settlement.fallback(), settlement.fund(), settlement.operator(), settlement.grid_operator()),
        )
        self._days.changing(day).is_settled = True
        self._is_under_way = False

    def offices(self) -> list[Posting]:
        """What offices are paid out after the last member."""
        settlement = self.settlement(self._postings.day)
        return [
            self._posting_to(BALANCING_FUND, settlement.fund()),
            self._posting_to(OPERATOR, settlement.operator()),
            self._posting_to(GRID_OPERATOR, settlement.grid_operator()),
        ]

    def _release(self, id_: int) -> Money:
        """Collateral of a member that settling the day releases, the first time."""
        day = self._days.changing(self._postings.day)
        if id_ in day.released:
            return Money(0)
        day.released.add(id_)
        return Money(self._markets.settle(day.number, id_))

    def _posting_to(self, office: int, amount: Money) -> Posting:
        change = self._change(-office, amount)
        self._note(office, change, amount)
        return Posting(office, change)

    def _note(self, id_: int, change: int, amount: int) -> None:
        """Add what a walk pays. change: to what was paid before. amount: all that is posted for the day."""
        if id_ == FALLBACK_SUPPLIER:
            return
        # Of a day that is settled again all its walks count together, and who pays more than it is paid has received
        # nothing. Of another, a walk that begins anew pays everything anew.
        is_again = self._days.known(self._postings.day).is_settled
        self._paid[id_] += change if is_again else max(0, amount)

    def _change(self, key: int, amount: int) -> Money:
        """Difference to what was posted for the day before."""
        posted = self._days.changing(self._postings.day).posted
        change = amount - posted[key]
        posted[key] = amount
        return Money(change)
