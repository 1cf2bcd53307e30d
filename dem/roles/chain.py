"""Roles that have a connection to the chain: what they know of time and days, and the ways they act in the market."""

from collections.abc import Sequence
from dataclasses import dataclass

from dem.relay.batches import Relay
from dem.roles.step import Day, Step


@dataclass(frozen=True)
class ChainRole:
    """Steps on one market. back: days before the last final one of which something may still be due."""

    relay: Relay
    steps: Sequence[Step]
    back: int = 0

    def now(self) -> int:
        """Time of the newest block."""
        return self.relay.chain.now()

    def days(self, now: int) -> range:
        """From the last final day, which may still have to be paid for, or earlier, to that whose tariffs are due."""
        calendar = self.relay.market.calendar
        final: Day = self.relay.market.rules.functions.lastFinalDay().call()
        opened = (now - calendar.opens_at(1)) // calendar.day_length + 1
        return range(max(1, final - self.back), max(final, opened) + 2)
