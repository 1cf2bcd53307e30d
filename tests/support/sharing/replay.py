"""The market of shares as an outsider follows it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from dem.model.markets.sharing import Share, trades_of

from dem.model.positions import Trades
from dem.replay.market import NOTHING, MarketReplay, Moved


class SharingReplay(MarketReplay):
    """Follows the events of FixedPriceSharing."""

    EVENTS = frozenset({"Shared"})

    def __init__(self) -> None:
        self._shares: dict[int, list[Share]] = defaultdict(list)

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        if name != "Shared":
            return NOTHING
        share = Share(*(args[field] for field in Share._fields))
        self._shares[args["day"]].append(share)
        return Moved(locks=[(share.buyer, share.due)])

    def trades(self, day: int) -> Trades:
        """What is shared on a day that is not final."""
        return trades_of(self._shares.get(day, []))

    def release(self, day: int) -> dict[int, int]:
        """What buyers locked."""
        found: dict[int, int] = defaultdict(int)
        for share in self._shares.get(day, []):
            found[share.buyer] += share.due
        return found

    def forget(self, day: int) -> None:
        """The day is final."""
        self._shares.pop(day, None)
