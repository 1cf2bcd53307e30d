"""What days were short of, as its events tell."""

from dem.model.ledger import FALLBACK_SUPPLIER, Ledger
from dem.model.shortfalls import Restored, Shortfalls, parts
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.payments import Payments
from dem.replay.settling import Settling


class Sharing:
    """Compares what is taken back, set aside and made good with the model's. found: where differences are noted."""

    def __init__(
        self, shortfalls: Shortfalls, ledger: Ledger, settling: Settling, payments: Payments, found: list[str]
    ) -> None:
        self._shortfalls = shortfalls
        self._ledger = ledger
        self._settling = settling
        self._payments = payments
        self._found = found
        self._parts: dict[int, int] = {}
        """Still to be taken back, by member."""

    def begin(self, args: Args) -> None:
        """A ShortfallShared."""
        day, received = args["day"], self._settling.received
        supplier = self._ledger.record(FALLBACK_SUPPLIER)
        units = -supplier.free - supplier.credit_limit
        self._found += differences(
            f"what day {day} is short of (units, received)",
            (args["units"], args["received"]),
            (units, sum(received.values())),
        )
        self._parts = parts(args["units"], received)
        self._shortfalls.begin(day, args["units"])

    def take(self, args: Args) -> None:
        """A TakenBack."""
        id_, day, units = args["id"], args["day"], args["units"]
        self._found += differences(f"taken back from member {id_}, day {day}", units, self._parts.pop(id_, 0))
        self._shortfalls.take(day, id_, units)
        self._payments.add(id_, day, "taken back", -units)

    def end(self, args: Args) -> None:
        """A DaySettled: all that is short was taken back."""
        self._found += differences(f"what day {args['day']} is short of, not taken back", {}, self._parts)

    def set_aside(self, args: Args) -> None:
        """A SetAside."""
        chain = args["day"], args["units"]
        model = next(iter(self._shortfalls.to_set_aside().items()), None)
        self._found += differences("set aside (day, units)", chain, model)
        self._shortfalls.put_aside(*chain)

    def pay(self, args: Args) -> None:
        """A MadeGood."""
        id_, day, units = args["id"], args["day"], args["units"]
        is_again = day not in self._shortfalls.days
        due = self._restore(day, id_).made_good if is_again else self._shortfalls.due(day, [id_]).get(id_, 0)
        self._found += differences(f"made good to member {id_}, day {day}", units, due)
        if not is_again:
            self._shortfalls.pay(day, id_, units)
        self._payments.add(id_, day, "made good", units)

    def reopen(self, args: Args) -> None:
        """A Reopened."""
        chain, model = (args["claims"], args["returned"]), self._shortfalls.reopen(args["day"])
        self._found += differences(f"claims of day {args['day']} that end (claims, returned)", chain, model)

    def restore(self, args: Args) -> None:
        """A Restored."""
        id_, day = args["id"], args["day"]
        units = self._restore(day, id_).units
        self._found += differences(f"restored to member {id_}, day {day}", args["units"], units)
        self._payments.add(id_, day, "restored", units)

    def _restore(self, day: int, id_: int) -> Restored:
        """End a member's claim to a day that is settled again, once."""
        restored = self._settling.restored
        if id_ not in restored:
            restored[id_] = self._shortfalls.restore(day, id_)
        return restored[id_]
