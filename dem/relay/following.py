"""The replay of a market's events, kept up with its chain."""

from collections.abc import Callable

from dem.relay.records import Records
from dem.replay.replay import Replay


class Following:
    """Called, the replay of all events until now; each is read once.

    ended: told of each day that has become final, while the replay is where the day ended.
    """

    def __init__(self, records: Records, ended: Callable[[int, Replay], object] = lambda _day, _replay: None) -> None:
        self._records, self._ended = records, ended
        self._begin()

    def _begin(self) -> None:
        market = self._records.market
        self._replay = Replay(market.calendar.periods_per_day, market.addresses)
        self._next_block = market.manifest.first_block

    def __call__(self) -> Replay:
        """As far as the chain is now.

        Raises:
            ChainError: the node does not tell; the next time all is read anew, for part of it is in the replay.
        """
        last = self._records.chain.block
        try:
            for day in self._replay.ended_days(self._records.events_between(self._next_block, last)):
                self._ended(day, self._replay)
        except BaseException:
            self._begin()
            raise
        self._next_block = last + 1
        return self._replay
