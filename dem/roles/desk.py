"""The wholesale desk: what it offers of the upper market, committed to before the gate and told after it (rule 6)."""

from collections.abc import Callable, Sequence

from dem.chain.accounts import KeyAccount
from dem.errors import ChainError, InputError
from dem.messages.orders import WholesaleCommitment, WholesaleReport, report_of
from dem.messages.signed import signed
from dem.messages.signing import message_hash
from dem.model.markets.wholesale import Offer
from dem.relay import wholesale
from dem.relay.batches import Relay
from dem.roles.step import Day, Step


class Desk:
    """Trades for the days of which it is the desk. offers: by slot, of a day; None if it offers nothing."""

    def __init__(self, relay: Relay, key: KeyAccount, offers: Callable[[Day], Sequence[Offer] | None]) -> None:
        self._relay, self._key, self._offers = relay, key, offers
        self._desk, self._residual = (relay.market.contract(name) for name in (wholesale.DESK, wholesale.CONTRACT))

    @property
    def steps(self) -> Sequence[Step]:
        """While the auction is open, and from the gate until it is too late."""
        calendar, due_at = self._relay.market.calendar, self._residual.functions.reportDueAt
        return (
            Step(
                "commit",
                self.commit,
                self._has_committed,
                calendar.opens_at,
                calendar.gate_closes_at,
                self._is_the_desk,
            ),
            Step(
                "report",
                self.report,
                self._has_reported,
                calendar.gate_closes_at,
                lambda day: int(due_at(day).call()),
                self._may_report,
            ),
        )

    def commit(self, day: Day) -> None:
        """Bind the desk to what it will report of a day.

        Raises:
            InputError: the day's rules would not take that.
        """
        message = self._report(day)
        if message is not None:
            self._require_fit(day)
            commitment = WholesaleCommitment(self._key.address, day, message_hash(message))
            domain = self._relay.market.domain(wholesale.DESK)
            wholesale.commit(self._relay, signed(domain, self._key.key, commitment))

    def _has_committed(self, day: Day) -> bool:
        return self._offers(day) is None or any(self._committed(day))

    def _committed(self, day: Day) -> bytes:
        return bytes(self._desk.functions.commitmentOf(day).call())

    def _is_the_desk(self, day: Day) -> bool:
        """The council says who is."""
        [number] = self._relay.records.ids_of([self._key.address])
        return bool(number) and self._desk.functions.deskOf(day).call() == number

    def report(self, day: Day) -> None:
        """Tell what it has committed to.

        Raises:
            RefusedError: it cannot be covered, or is not what it has committed to.
            ChainError: it has committed, and has no offers any more.
        """
        message = self._report(day)
        if message is not None:
            wholesale.report(self._relay, message)
        elif any(self._committed(day)):
            raise ChainError(f"the offers of day {day} that the desk has committed to are gone from its table")

    def _has_reported(self, day: Day) -> bool:
        reported, _ = self._residual.functions.reportOf(day).call()
        return bool(reported)

    def _may_report(self, day: Day) -> bool:
        """Whether it is the desk and has committed; offers that have changed since then are refused, and it says so."""
        return any(self._committed(day)) and self._is_the_desk(day)

    def _require_fit(self, day: Day) -> None:
        rules = self._relay.market.rules_on(day)
        for slot, offer in enumerate(self._offers(day) or ()):
            where = f"offers of day {day}, slot {slot}"
            if (offer.imports or offer.exports) and abs(offer.price) > rules["maxBuy"]:
                why = f"units/Wh are further from zero than the rules allow ({rules['maxBuy']})"
                raise InputError(f"{where}: price", offer.price, why)
            if offer.penalty > rules["penaltyCap"]:
                why = f"units/Wh are above what the rules allow ({rules['penaltyCap']})"
                raise InputError(f"{where}: penalty", offer.penalty, why)

    def _report(self, day: Day) -> WholesaleReport | None:
        offers = self._offers(day)
        return None if offers is None else report_of(self._key.address, self._key.key, day, offers)
