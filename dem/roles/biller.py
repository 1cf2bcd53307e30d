"""The biller: issues the bills of days that are final, into the book that a gateway shows."""

from collections.abc import Callable, Sequence

from dem.gateway.bills.days import Billing
from dem.roles.step import Day, Step


class Biller:
    """What is due the index and the book tell, so it may be killed at any moment, also amid a day's bills.

    begin: the billing, anew for each look, as the market is then.
    """

    def __init__(self, begin: Callable[[int], Billing], clock: Callable[[], float]) -> None:
        self._begin, self._clock = begin, clock
        self._billing = begin(self.now())

    @property
    def steps(self) -> Sequence[Step]:
        """Of every final day."""
        return (
            Step("bill", lambda day: self._billing.issue(day), lambda day: self._billing.is_done(day), lambda _: 0),
        )

    def now(self) -> int:
        """Unix time."""
        return int(self._clock())

    def days(self, now: int) -> Sequence[Day]:
        """Those that are final for good."""
        self._billing = self._begin(now)
        return self._billing.final_days()
