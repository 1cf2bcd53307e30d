"""The residual to the wholesale market (rule 6) as an outsider follows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from dem.model.markets.auction import Clearing, Column, OrderBook
from dem.model.markets.wholesale import (
    Direction,
    Offer,
    Residual,
    clear_residual,
    offers_of,
    report_collateral,
    residual_fills,
)
from dem.model.positions import Exchange, Trades, trades_at
from dem.model.rules import MarketRules
from dem.replay.events import OFFICE
from dem.replay.market import NOTHING, MarketReplay, Moved, differences


class AuctionBook(Protocol):
    """What is needed of the day-ahead auction: its orders, what they traded, and the prices."""

    @property
    def standing(self) -> OrderBook: ...
    @property
    def fills(self) -> Column: ...
    @property
    def clearing(self) -> Sequence[Clearing]: ...


@dataclass(slots=True, eq=False)
class _Report:
    """A desk's report of a day, and what comes of it."""

    desk: int
    offers: list[Offer]
    outcomes: list[Residual]
    fills: Column
    locked: int


@dataclass(eq=False)
class ResidualReplay(MarketReplay):
    """An outsider's recomputation of the residual, from the desk's reports and the auction's book of a day."""

    EVENTS = frozenset({"Reported", "ResidualCleared"})
    IGNORED = OFFICE | {"ResidualProgress"}  # a clearing that goes on in another transaction

    periods_per_day: int
    auction: Callable[[int], AuctionBook]
    rules: Callable[[int], MarketRules]
    _reports: dict[int, _Report] = field(default_factory=dict)

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        match name:
            case "Reported":
                return self._report(args)
            case "ResidualCleared":
                return Moved(self._compare(args))
        return NOTHING

    def offers(self, day: int) -> list[Offer]:
        """What the desk reported, by slot; nothing without a report."""
        return self._reports[day].offers if day in self._reports else []

    def outcomes(self, day: int) -> list[Residual]:
        """What each slot trades; none without a report."""
        return self._reports[day].outcomes if day in self._reports else []

    def trades(self, day: int) -> Trades:
        """What members import and export, and the desk's other side of it."""
        report = self._reports.get(day)
        if report is None:
            return Trades(*np.zeros((5, 0), np.int64))
        book, prices = self.auction(day).standing, np.array([o.price for o in report.outcomes], np.int64)
        members = trades_at(book, report.fills, prices)
        volumes = np.array([o.volume for o in report.outcomes], np.int64)
        slots = np.flatnonzero(volumes)
        imports = np.array([o.direction == Direction.IMPORT for o in report.outcomes])[slots]
        sold, bought = np.where(imports, volumes[slots], 0), np.where(imports, 0, volumes[slots])
        payment = (bought - sold) * prices[slots]
        desk = Trades(np.full(len(slots), report.desk, np.int64), slots, bought, sold, payment)
        return Trades(*(np.concatenate(both) for both in zip(members, desk, strict=True)))

    def exchange(self, day: int) -> Exchange | None:
        """What the desk nominated; None if nothing is exchanged."""
        report = self._reports.get(day)
        if report is None or not any(o.volume for o in report.outcomes):
            return None
        sign = {Direction.IMPORT: -1, Direction.NONE: 0, Direction.EXPORT: 1}
        net = np.array([sign[o.direction] * o.volume for o in report.outcomes], np.int64)
        rates = np.array([offer.penalty for offer in report.offers], np.int64)
        return Exchange(report.desk, net, rates)

    def release(self, day: int) -> dict[int, int]:
        """The desk's collateral; the auction's lock covers what its orders trade here."""
        report = self._reports.get(day)
        return {report.desk: report.locked} if report else {}

    def forget(self, day: int) -> None:
        """The day is final."""
        self._reports.pop(day, None)

    def _report(self, args: Mapping[str, Any]) -> Moved:
        day, rules = args["day"], self.rules(args["day"])
        margin = rules.wholesale_margin
        words = ([int.from_bytes(word, "big") for word in args[name]] for name in ("prices", "imports", "exports"))
        offers = offers_of(*words)
        auction = self.auction(day)
        outcomes = clear_residual(auction.standing, auction.fills, offers, margin, rules.prices)
        fills = residual_fills(auction.standing, auction.fills, outcomes)
        locked = report_collateral(offers, rules)
        self._reports[day] = _Report(args["id"], offers, outcomes, fills, locked)
        found = differences(f"margin of the residual of day {day}", args["margin"], margin)
        return Moved(found, [(args["id"], locked)])

    def _compare(self, args: Mapping[str, Any]) -> list[str]:
        day, slot = args["day"], args["slot"]
        names = ("direction", "price", "volume", "tick", "share", "marginal")
        chain = tuple(args[name] for name in names)
        model = tuple(int(getattr(self._reports[day].outcomes[slot], name)) for name in names)
        if chain != model:
            return [f"residual of day {day}, slot {slot} ({', '.join(names)}): chain {chain}, model {model}"]
        return []
