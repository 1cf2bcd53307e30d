"""The balancing fund, as its events tell."""

from dem.model.fund import Payout, pay_claims
from dem.model.ledger import BALANCING_FUND, Ledger, Posting
from dem.model.settlement import DaySettlement
from dem.model.units import Money
from dem.replay.days import Days
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.payments import Payments
from dem.replay.postings import Postings
from dem.replay.rules import Rules


class Fund:
    """Compares premiums and rewards with the model's. found: where differences are noted."""

    def __init__(
        self, days: Days, rules: Rules, ledger: Ledger, postings: Postings, payments: Payments, found: list[str]
    ) -> None:
        self._days = days
        self._rules = rules
        self._ledger = ledger
        self._postings = postings
        self._payments = payments
        self._found = found
        self._claims: dict[int, tuple[Money, dict[int, tuple[int, int]]]] = {}
        """Income of the balancing fund and claims on it, of final days it may still pay for."""
        self._payout = Payout(Money(0), Money(0), Money(0), {})

    def open_day(self, args: Args) -> None:
        """A DayOpened."""
        day = args["day"]
        income, claims = self._claims[day]
        provisional = sum(open_day.posted[-BALANCING_FUND] for open_day in self._days)
        available = self._ledger.record(BALANCING_FUND).free - provisional
        self._payout = pay_claims(self._rules.on(day), income, available, claims)
        self._found += differences(
            f"what the balancing fund has for day {day} (income, claimed, premiums, rewards)",
            tuple(args[name] for name in ("income", "claimed", "premiums", "rewards")),
            (income, *self._payout[:3]),
        )

    def reward(self, args: Args) -> None:
        """A Rewarded."""
        id_, paid = args["id"], self._payout.paid.pop(args["id"], (0, 0))
        self._found += differences(f"premium and reward of member {id_}", (args["premium"], args["reward"]), paid)
        self._postings.rewarded.append(Posting(id_, Money(sum(paid))))
        for what in ("premium", "reward"):
            self._payments.add(id_, args["day"], what, args[what])

    def close_day(self, args: Args) -> None:
        """A DayPaid."""
        self._found += differences(f"claims of day {args['day']} that were not paid", {}, self._payout.paid)

    def keep(self, day: int, settlement: DaySettlement, oldest: int) -> None:
        """The claims of a day that is final; those of days before `oldest` are over."""
        self._claims = {earlier: claims for earlier, claims in self._claims.items() if earlier >= oldest}
        self._claims[day] = (settlement.fund(), settlement.claims)
