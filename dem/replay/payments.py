"""Money that comes or goes outside of a settlement."""

from typing import NamedTuple

from dem.model.units import Money


class SidePayment(NamedTuple):
    """Money that came (positive) or went outside of a settlement: a premium, a reward or a commission of a day."""

    member: int
    day: int
    what: str
    amount: Money


class Payments(list[SidePayment]):
    """All since the market's start; whoever writes them down may empty it."""

    def add(self, member: int, day: int, what: str, amount: int) -> None:
        """Note a payment, unless it is of nothing."""
        if amount:
            self.append(SidePayment(member, day, what, Money(amount)))
