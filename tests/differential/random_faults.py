"""Random days on which markets fail while they are settled, or are never cleared.

What fails is real: the schedule may not book the market any more, until somebody mends that.
"""

from support.evm.faults import release_stuck, set_bookable
from support.evm.pools import POOL

from .random_pools import RandomPools

FAULTY = ("CallAuction", "WholesaleResidual", POOL)


class RandomFaults(RandomPools):
    """Auction, residual and pool fail; the pool of some days is never cleared."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.broken: str | None = None
        self._forgotten = {day for day in range(1, self.days + 1) if self.random.random() < 0.15}

    def run(self) -> None:
        super().run()
        release_stuck(self.market)

    def clear_pool(self, day: int, strip: int) -> None:
        if day not in self._forgotten:
            super().clear_pool(day, strip)

    def settle(self, day: int) -> None:
        """As ever, with a market that fails meanwhile."""
        if not self.market.call("MeterReadings", "isClosed", day):
            self._soon(self.settle, day)
            return
        if not self.market.call("Schedule", "isComplete", day):
            self._at(self.calendar.corrections_close_at(day), self.settle, day)
            return
        if self.broken is None and self.random.random() < 0.15:
            self.broken = self.random.choice(FAULTY)
            set_bookable(self.market, self.broken, False)
        elif self.broken is not None and self.random.random() < 0.3:
            set_bookable(self.market, self.broken, True)
            self.broken = None
        super().settle(day)

    def _some(self) -> int:
        return super()._some() if self.broken is None else 1
