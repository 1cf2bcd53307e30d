"""NRGcoin (rule 17) as its events tell: coins of final days, corrections and transfers."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from dem.model.coins import NO_COINS, Coins, CoinTerms, Sums, as_read, coins_down, sums_of
from dem.model.commitments import strips_of
from dem.model.ledger import FIRST_PARTICIPANT
from dem.model.positions import Exchange
from dem.model.reconciliation import MAX_AGE
from dem.model.strips import LANE_BITS, LANES
from dem.replay.events import Args
from dem.replay.late import Counted, LateReconciliations
from dem.replay.market import differences


class NrgCoins:
    """Compares coins with the model's. terms: those of the deployment. found: where differences are noted."""

    def __init__(self, late: LateReconciliations, found: list[str]) -> None:
        self.terms = CoinTerms()
        self.balances: dict[int, int] = defaultdict(int)
        """Units by member."""
        self._late = late
        self._found = found
        self._desks: dict[int, int] = {}
        """Of final days, whose nominations are no energy of the area's."""
        self.sums: dict[int, Sums] = {}
        """Of days that are counted."""
        self._credited: dict[int, set[int]] = defaultdict(set)
        """Members that have coins of a day, while it is credited."""
        self._had: dict[tuple[int, int], Coins] = {}
        """Coins of a member's day that were corrected."""
        self._by: dict[tuple[int, int], Counted] = {}
        """What a member has its coins of a day by, where they were corrected."""
        self._ended: set[int] = set()
        """Days of which everybody has its coins."""

    # ------------------------------------------------------------------------------------------ what is known

    def coins(self, id_: int, day: int) -> Coins:
        """A member's coins of a day that is counted, by the readings that it was settled on."""
        if id_ < FIRST_PARTICIPANT or id_ == self._desks.get(day):
            return NO_COINS
        known = self._late.day(day)
        return coins_down(as_read(known.energies(id_)[1], known.estimates(id_)), self.sums[day], self.terms)

    def corrected(self, id_: int, day: int) -> Coins:
        """The same by what counts as metered now."""
        _, metered, estimated = self._late.energies(id_, day)
        return coins_down(as_read(metered, estimated), self.sums[day], self.terms)

    def words(self, day: int) -> tuple[list[int], list[int]]:
        """The sums of a day as they are brought with a correction: what was fed in and drawn, six lanes a strip."""
        exported, imported = self.sums[day]
        return _lanes(exported), _lanes(imported)

    def before(self, id_: int, day: int) -> list[int]:
        """Strips that a member has its coins of a day for."""
        if (id_, day) in self._by:
            by = self._by[id_, day]
            return strips_of(by.net, by.estimated)
        known = self._late.day(day)
        return strips_of(known.energies(id_)[1], known.estimates(id_))

    def to_correct(self) -> list[tuple[int, int]]:
        """Members and days whose coins are not by what counts as metered now."""
        return [
            (id_, day)
            for (id_, day), now in sorted(self._late.latest.items())
            if day in self._ended
            and id_ >= FIRST_PARTICIPANT
            and id_ != self._desks.get(day)
            and now is not self._by.get((id_, day))
            and strips_of(now.net, now.estimated) != self.before(id_, day)
        ]

    # ---------------------------------------------------------------------------------------------- applying

    def keep(self, day: int, exchange: Exchange | None) -> None:
        """The day is final; what is too old to be corrected is forgotten."""
        if exchange is not None:
            self._desks[day] = exchange.desk
        self._desks.pop(day - MAX_AGE, None)
        self.sums.pop(day - MAX_AGE, None)
        self._ended.discard(day - MAX_AGE)
        for key in [key for key in self._by if key[1] <= day - MAX_AGE]:
            del self._by[key], self._had[key]

    def count(self, args: Args) -> None:
        """A DayCounted."""
        day = args["day"]
        known = self._late.day(day)
        rows = [row for id_, row in known.rows.items() if id_ >= FIRST_PARTICIPANT and id_ != self._desks.get(day)]
        self.sums[day] = sums_of(np.where(known.estimated, 0, known.metered)[rows])
        chain = ([*args["exported"]], [*args["imported"]])
        self._found += differences(f"feed-in and draw of day {day}", chain, self.words(day))

    def credit(self, args: Args) -> None:
        """A Credited."""
        id_, day = args["id"], args["day"]
        model = self.coins(id_, day)
        self._found += differences(f"coins of member {id_}, day {day}", (args["minted"], args["charged"]), tuple(model))
        self._credited[day].add(id_)
        self.balances[id_] += model.net

    def end(self, args: Args) -> None:
        """A DayCredited."""
        day = args["day"]
        self._ended.add(day)
        due = {id_ for id_ in self._late.day(day).rows if self.coins(id_, day) != NO_COINS}
        self._found += differences(
            f"members with coins of day {day}", sorted(self._credited.pop(day, set())), sorted(due)
        )

    def correct(self, args: Args) -> None:
        """A CoinsCorrected."""
        id_, day = args["id"], args["day"]
        key, model = (id_, day), self.corrected(id_, day)
        had = self._had.get(key) or self.coins(id_, day)
        self._found += differences(
            f"corrected coins of member {id_}, day {day}", (args["minted"], args["charged"]), tuple(model)
        )
        self.balances[id_] += model.net - had.net
        self._had[key] = model
        self._by[key] = self._late.latest[key]

    def move(self, args: Args) -> None:
        """A CoinsMoved."""
        self._found += differences(
            f"coins that member {args['from']} gives, at most", True, args["amount"] <= self.balances[args["from"]]
        )
        self.balances[args["from"]] -= args["amount"]
        self.balances[args["to"]] += args["amount"]


def _lanes(energies: Sequence[int]) -> list[int]:
    """Words of six lanes without a day."""
    return [
        sum(energy << k * LANE_BITS for k, energy in enumerate(energies[first : first + LANES]))
        for first in range(0, len(energies), LANES)
    ]
