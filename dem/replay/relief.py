"""Relief of the network as its events tell: what is offered, what was bought, and what it was paid."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from dem.model.ledger import BALANCING_FUND, GRID_OPERATOR, Posting
from dem.model.markets.intermediaries import Versions
from dem.model.reconciliation import MAX_AGE
from dem.model.relief import NO_OFFER, Bought, Offer, Relief, ReliefPayment, relief_payment, unpack_relief
from dem.model.units import Money
from dem.replay.events import Args
from dem.replay.late import LateReconciliations
from dem.replay.market import differences
from dem.replay.payments import Payments
from dem.replay.postings import Postings
from dem.replay.rules import Rules


class GridRelief:
    """Compares what relief was paid with the model's. found: where differences are noted."""

    def __init__(
        self, rules: Rules, late: LateReconciliations, postings: Postings, payments: Payments, found: list[str]
    ) -> None:
        self._rules = rules
        self._late = late
        self._postings = postings
        self._payments = payments
        self._found = found
        self._offers: dict[int, Versions[Offer]] = defaultdict(Versions)
        self._bought: dict[int, dict[int, tuple[Relief, ...]]] = defaultdict(dict)
        """By day and member."""
        self.reports: dict[int, set[bytes]] = defaultdict(set)
        """Hashes of what relief of a day was worked out from."""
        self.paid: dict[tuple[int, int], ReliefPayment] = {}
        """By member and day."""

    # ------------------------------------------------------------------------------------------ what is known

    def offer(self, id_: int, day: int) -> Offer:
        """What a member offers for a day, or what the grid operator pays at most."""
        return self._offers[id_].on(day, NO_OFFER) if id_ in self._offers else NO_OFFER

    def bought(self, day: int) -> Mapping[int, tuple[Relief, ...]]:
        """Of a day, by member."""
        return self._bought.get(day, {})

    def slots(self, id_: int, day: int) -> dict[tuple[int, bool], Bought]:
        """What was bought of a member's day by slot and direction."""
        return unpack_relief(self.bought(day).get(id_, ()))

    def due(self, id_: int, day: int) -> ReliefPayment:
        """What a member is to have, and to pay, for relief of a final day."""
        _, metered, estimated = self._late.energies(id_, day)
        unread = estimated | self._late.trued_up.get((id_, day), np.zeros_like(estimated))
        return relief_payment(self._rules.on(day), self.slots(id_, day), metered, unread)

    # ---------------------------------------------------------------------------------------------- applying

    def note_offer(self, args: Args) -> None:
        """A ReliefOffered."""
        offer = Offer(args["drawn"], args["drawnPrice"], args["fedIn"], args["fedInPrice"])
        self._offers[args["id"]].add(offer, args["firstDay"], args["earliest"])

    def buy(self, args: Args) -> None:
        """A ReliefBought."""
        names = ("strip", "isFedIn", "energies", "mosts", "prices")
        self._bought[args["day"]][args["id"]] = tuple(Relief(*(one[name] for name in names)) for one in args["reliefs"])
        self.reports[args["day"]].add(bytes(args["report"]))

    def pay(self, args: Args) -> None:
        """A ReliefPaid."""
        id_, day = args["id"], args["day"]
        chain, model = tuple(args[name] for name in ("delivered", "missing", "units", "charge")), self.due(id_, day)
        self._found += differences(f"relief of member {id_} on day {day}", chain, tuple(model))
        before = self.paid.get((id_, day), ReliefPayment(0, 0, 0, 0))
        self.paid[id_, day] = model
        more, charge = model.units - before.units, model.charge - before.charge
        postings = [
            Posting(GRID_OPERATOR, Money(-more)),
            Posting(id_, Money(more - charge)),
            Posting(BALANCING_FUND, Money(charge)),
        ]
        self._postings.announced += postings
        for account, units, what in (
            (GRID_OPERATOR, -more, "relief"),
            (id_, more, "relief"),
            (id_, -charge, "relief not delivered"),
            (BALANCING_FUND, charge, "relief not delivered"),
        ):
            if units:
                self._payments.add(account, day, what, Money(units))

    def keep(self, day: int) -> None:
        """The day is final; what is too old to be paid is forgotten."""
        self._bought.pop(day - MAX_AGE, None)
        self.reports.pop(day - MAX_AGE, None)
