"""The mechanisms of a market, each in one row: how a scenario, the chain and people call it.

And the set-ups under which `ape run compare` plays one day.

What is kept for each mechanism elsewhere is looked up by its key: its replay in `dem.replay.markets`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A way to trade. label: what people call it.

    contract: its market on chain. There are many of one that ends in a colon: what follows is the name of each.
    """

    contract: str
    label: str

    @property
    def is_many(self) -> bool:
        """Whether it has a contract for each name."""
        return self.contract.endswith(":")


class Markets(BaseModel):
    """The mechanisms of a run. Without any, everybody is supplied, and bought from, at the fallback tariffs.

    Their order is that in which they are plugged into the schedule.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    call_auction: Annotated[bool, Mechanism("CallAuction", "call auction")] = True
    """The day-ahead auction."""
    wholesale: Annotated[bool, Mechanism("WholesaleResidual", "wholesale")] = False
    """What the auction leaves over goes to the wholesale desk."""
    intraday: Annotated[bool, Mechanism("ContinuousMarket", "intraday")] = False
    """The continuous auction after the day-ahead one."""
    bilateral: Annotated[bool, Mechanism("BilateralContracts", "bilateral")] = False
    """Contracts between two."""
    pools: Annotated[bool, Mechanism("CallAuction:", "pool")] = False
    """Auctions of intermediaries among their clients."""
    order_book: Annotated[bool, Mechanism("OrderBook", "order book")] = False
    """A day-ahead market in which the best orders meet first, two by two."""
    random_matching: Annotated[bool, Mechanism("RandomMatching", "random matching")] = False
    """A day-ahead market in which orders meet by lot, two by two."""
    escrow: Annotated[bool, Mechanism("EscrowTrades", "escrow")] = False
    """Trades between two, whose money two of three keys release."""
    congestion: Annotated[bool, Mechanism("CongestionTrades", "congestion")] = False
    """Trades across the border of an area whose lines are too full, for which the grid operator pays."""

    @property
    def names(self) -> tuple[str, ...]:
        """Those used."""
        return tuple(name for name in MECHANISMS if getattr(self, name))

    @property
    def day_ahead(self) -> str | None:
        """Contract of the market in which members order for the day ahead: the first of those used, if any is."""
        used = (MECHANISMS[name].contract for name in self.names)
        return next((contract for contract in used if contract in DAY_AHEAD), None)

    @property
    def is_day_ahead_alone(self) -> bool:
        """Whether the market for the day ahead is all: what members want depends on no other one then."""
        return self.day_ahead is not None and len(self.names) == 1

    @property
    def plugged(self) -> tuple[str, ...]:
        """Contracts that are plugged into the schedule at deployment; without orders the auction clears to nothing."""
        used = (MECHANISMS[name] for name in self.names)
        return AUCTION, *(own.contract for own in used if not own.is_many and own.contract != AUCTION)


MECHANISMS: Mapping[str, Mechanism] = {
    name: row for name, column in Markets.model_fields.items() for row in column.metadata if isinstance(row, Mechanism)
}
"""Every mechanism by its key."""

AUCTION = MECHANISMS["call_auction"].contract
POOL = MECHANISMS["pools"].contract
"""A pool is one more auction: its events are those of "CallAuction:<its name>"."""

DAY_AHEAD = tuple(MECHANISMS[key].contract for key in ("call_auction", "order_book", "random_matching"))
"""Markets whose orders come in as sheets before the gate, from members themselves."""

_KEYS = {mechanism.contract: key for key, mechanism in MECHANISMS.items()}


def mechanism_of(contract: str) -> str | None:
    """Key of the mechanism that a contract is a market of; None if it is no market."""
    name, colon, _ = contract.partition(":")
    return _KEYS.get(name + colon)


def label_of(market: str) -> str:
    """What people call the mechanism of a market's contract."""
    key = mechanism_of(market)
    return market if key is None else MECHANISMS[key].label


def _only(*names: str) -> Markets:
    return Markets(**{name: name in names for name in MECHANISMS})


SETUPS: Mapping[str, Markets] = {
    "fallback only": _only(),
    "bilateral only": _only("bilateral"),
    "pool": _only("pools"),
    "order book": _only("order_book"),
    "random matching": _only("random_matching"),
    "call auction": _only("call_auction"),
    "call auction + intraday": _only("call_auction", "intraday"),
    "all": _only(*MECHANISMS),
}
"""Set-ups by name, from the fewest mechanisms to all of them."""
