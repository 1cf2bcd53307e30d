"""The dispatcher of the machine: zones, limits, lowered limits, and what is charged and made good for them."""

from random import Random
from typing import Any

from support.evm.grid import approve, assign_zones, charge, lower_limits, owed, publish_limits
from support.evm.relief import buy_relief, offer_relief, owed_relief, pay_relief


class Dispatching:
    """Part of the machine."""

    random: Random
    market: Any
    people: dict[int, Any]
    owned: Any

    ACTIONS = (
        (2, "change_zones"),
        (4, "limit_a_day"),
        (8, "lower_limits"),
        (2, "approve_a_day"),
        (10, "charge_for_limits"),
        (5, "offer_relief"),
        (7, "buy_relief"),
        (14, "pay_relief"),
    )

    def change_zones(self) -> None:
        """From the next day that opens on, or too early."""
        # Whole attacks are carried out by who has none: their orders are what the attack needs.
        ids = [id_ for id_, person in self.people.items() if person not in self.owned]
        assign_zones(self.random, self.market, ids, self._about(2))

    def limit_a_day(self) -> None:
        """The next one that opens, or another."""
        publish_limits(self.random, self.market, self._about(2))

    def lower_limits(self) -> None:
        """Of a day that is under way, or open."""
        calendar = self.market.calendar
        closed = max(1, (self.market.now + calendar.gate_lead - calendar.opening) // calendar.day_length + 1)
        lower_limits(self.random, self.market, closed if self.random.random() < 0.8 else self._about(0))

    def approve_a_day(self) -> None:
        """One whose gate may have closed."""
        approve(self.market, self._about(1))

    def charge_for_limits(self) -> None:
        """Of a final day, what was beyond limits, or what lowered ones took."""
        last = self.market.call("MarketRules", "lastFinalDay")
        if last:
            is_made_good = self.random.random() < 0.5
            known = range(max(1, last - 5), last + 1)
            days = [day for day in known if owed(self.market, day, is_made_good)] or known
            charge(self.random, self.market, self.random.choice(days), is_made_good)

    def offer_relief(self) -> None:
        """From the first day that can be, or another."""
        offer_relief(self.random, self.market, self.people, self._about(3))

    def buy_relief(self) -> None:
        """For the next day that opens, or another."""
        buy_relief(self.random, self.market, self.people, self._about(2))

    def pay_relief(self) -> None:
        """Of a final day."""
        last = self.market.call("MarketRules", "lastFinalDay")
        if last:
            known = range(max(1, last - 5), last + 1)
            days = [day for day in known if owed_relief(self.market, day)] or known
            pay_relief(self.random, self.market, self.random.choice(days))

    def _charge_all(self, day: int) -> None:
        """Whatever is owed for a final day is brought, and can be brought once."""
        for is_made_good in (False, True):
            for _ in range(2 * len(owed(self.market, day, is_made_good))):
                charge(self.random, self.market, day, is_made_good)

    def _pay_all_relief(self, day: int) -> None:
        """Whatever is due for relief of a final day is brought, and can be brought once."""
        for _ in range(2 * len(owed_relief(self.market, day))):
            pay_relief(self.random, self.market, day)

    def _about(self, ahead: int) -> int:
        """One about so many days ahead of the one in delivery."""
        calendar = self.market.calendar
        today = max(0, (self.market.now - calendar.opening) // calendar.day_length + 1)
        return max(1, today + self.random.choice((ahead - 1, ahead, ahead, ahead, ahead + 1)))
