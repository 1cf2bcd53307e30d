"""What the replay needs of every market: how it follows the market's events, and what that comes to."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dem.model.ledger import Posting
from dem.model.positions import Exchange, Flexible, Trades
from dem.model.units import Money
from dem.replay.events import OFFICE
from dem.replay.payments import SidePayment

RING = 8
"""Days whose records the chain keeps side by side."""
ROLLING = 0
"""Stands for the day of collateral that goes from day to day."""


class Moved(NamedTuple):
    """What an event did. differences: where the chain says otherwise than the model. locks: money units by member, in
    order; positive locked, negative unlocked. Locking nothing still asks whether the member may lock. forfeits: what
    is given up at once of a member's collateral. postings: what is posted next. payments: what that is for."""

    differences: Sequence[str] = ()
    locks: Sequence[tuple[int, int]] = ()
    forfeits: "Forfeits | None" = None
    postings: Sequence[Posting] = ()
    payments: Sequence[SidePayment] = ()


class Forfeits(NamedTuple):
    """Collateral of one member that others receive: how much of it is taken for each, and what the chain says that each
    receives of that."""

    of: int
    to: Sequence[tuple[int, Money]]
    received: Sequence[int]


NOTHING = Moved()


class MarketReplay(ABC):
    """A market, as an outsider follows it."""

    EVENTS: ClassVar[frozenset[str]]
    """Names of the events that it follows."""
    IGNORED: ClassVar[frozenset[str]] = OFFICE
    """Names of those that tell nothing of energy or money."""

    @abstractmethod
    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the market's contract."""

    @abstractmethod
    def trades(self, day: int) -> Trades:
        """What was contracted on a day that is not final."""

    def promised(self, day: int) -> Trades:
        """What members expect to have contracted on a day, before it is delivered."""
        return self.trades(day)

    @abstractmethod
    def release(self, day: int) -> dict[int, int]:
        """Collateral by member that the first settlement of a day releases, or released."""

    @abstractmethod
    def forget(self, day: int) -> None:
        """The day is final."""

    def held(self, day: int) -> dict[int, int]:
        """Collateral by member that is locked for a day until it is settled; for no day in particular: ROLLING."""
        return {} if day == ROLLING else self.release(day)

    def keep(self, day: int, id_: int) -> int:  # noqa: ARG002
        """Take note that the day is booked for a member, the first time; what of its release stays locked."""
        return 0

    def kept(self) -> Mapping[tuple[int, int], int]:
        """What is locked still of days that are booked, by member and day."""
        return {}

    def void(self, day: int) -> Mapping[int, int]:  # noqa: ARG002
        """The day does not count: what is kept locked of it, by member, which the market forgets."""
        return {}

    def flexible(self, day: int) -> Flexible:  # noqa: ARG002
        """Energy sold back on a day that may earn the premium."""
        return Flexible(*np.zeros((3, 0), np.int64))

    def owed(self, day: int) -> Mapping[int, int]:  # noqa: ARG002
        """Energy of a day that is booked, whose commission is secured and not collected, Wh by member."""
        return {}

    def collect(self, day: int, id_: int) -> None:  # noqa: B027
        """A commission is collected: nothing is locked for it any more."""

    def exchange(self, day: int) -> Exchange | None:  # noqa: ARG002
        """What was nominated to the upper grid on a day, if anything."""
        return None


def differences(what: str, chain: object, model: object) -> list[str]:
    """Where chain and model differ in something, in words; nothing where they agree."""
    return [] if chain == model else [f"{what}: chain {chain}, model {model}"]
