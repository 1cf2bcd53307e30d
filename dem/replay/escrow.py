"""Escrowed trades (rule 16) as an outsider follows them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dem.model.markets.auction import Column
from dem.model.markets.escrow import EscrowedTrade
from dem.model.positions import Trades
from dem.model.rules import MarketRules
from dem.model.units import Money, UnitsPerWh, Wh
from dem.replay.events import OFFICE
from dem.replay.market import NOTHING, MarketReplay, Moved, differences
from dem.replay.market import ROLLING as IN_ESCROW
from dem.replay.payments import SidePayment

WHAT = "escrow"
"""The payments of escrows, as tables call them."""


class EscrowReplay(MarketReplay):
    """Follows the events of EscrowTrades.

    rules: the rules of a day. metered: net consumption of a day and a member by slot, as far as it is known.
    """

    EVENTS = frozenset({"Funded", "Released", "ReleasedByReadings"})
    IGNORED = OFFICE | {"Revoked"}  # what was signed and will never have an effect

    def __init__(
        self,
        periods_per_day: int,
        rules: Callable[[int], MarketRules],
        metered: Callable[[int, int], Column],
    ) -> None:
        self._periods_per_day = periods_per_day
        self._rules = rules
        self._metered = metered
        self.unpaid: dict[int, EscrowedTrade] = {}
        """Trades whose escrow nobody has released, by number."""
        self.delivered: dict[int, int] = {}
        """Of those whose day is final, Wh by number; 0 where the day's trades do not count."""
        self._of_day: dict[int, dict[int, EscrowedTrade]] = defaultdict(dict)
        """Trades of days that are not final, by day and number."""
        self._voided: set[int] = set()
        self._last = 0
        """Number of the last trade."""

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        match name:
            case "Funded":
                return self._fund(args)
            case "Released":
                return self._release(args)
            case "ReleasedByReadings":
                return self._expire(args)
        return NOTHING

    def take(self, trade: EscrowedTrade, number: int | None = None) -> None:
        """Take a trade that is funded. number: the next one, if it is not said."""
        number = self._last + 1 if number is None else number
        self._last = number
        self.unpaid[number] = self._of_day[trade.day][number] = trade

    def trades(self, day: int) -> Trades:
        """What its sellers have delivered, as far as the meters tell."""
        return self._trades(day, self._delivered)

    def promised(self, day: int) -> Trades:
        """What its sellers are to deliver."""
        return self._trades(day, lambda trade: trade.promised(self._periods_per_day))

    def _trades(self, day: int, energy_of: Callable[[EscrowedTrade], Column]) -> Trades:
        columns: list[tuple[Column, ...]] = [tuple(np.zeros((5, 0), np.int64))]
        for trade in self._of_day.get(day, {}).values():
            energy = energy_of(trade)
            slots = np.flatnonzero(energy)
            bought, nothing = energy[slots], np.zeros_like(slots)
            for id_, both in ((trade.buyer, (bought, nothing)), (trade.seller, (nothing, bought))):
                columns.append((np.full_like(slots, id_), slots, *both, nothing))
        return Trades(*(np.concatenate(column) for column in zip(*columns, strict=True)))

    def release(self, day: int) -> dict[int, int]:
        """Collateral that settling the day releases, by member: all but the escrows."""
        found: dict[int, int] = defaultdict(int)
        for trade in self._of_day.get(day, {}).values():
            for id_, cover in zip((trade.buyer, trade.seller), trade.covers(self._rules(day)), strict=True):
                found[id_] += cover
        return {id_: cover for id_, cover in found.items() if cover}

    def held(self, day: int) -> dict[int, int]:
        """The same of a day that is not settled; of no day in particular, what is in escrow."""
        if day != IN_ESCROW:
            return self.release(day)
        found: dict[int, int] = defaultdict(int)
        for trade in self.unpaid.values():
            found[trade.buyer] += trade.escrow
        return found

    def void(self, day: int) -> Mapping[int, int]:
        """The day does not count: nothing of it is delivered."""
        self._voided.add(day)
        return {}

    def forget(self, day: int) -> None:
        """The day is final: what was delivered is known for good."""
        for number, trade in self._of_day.pop(day, {}).items():
            if number in self.unpaid:
                self.delivered[number] = 0 if day in self._voided else int(self._delivered(trade).sum())
        self._voided.discard(day)

    def _delivered(self, trade: EscrowedTrade) -> Column:
        return trade.delivered(self._metered(trade.day, trade.seller))

    def _fund(self, args: Mapping[str, Any]) -> Moved:
        terms, day, number = args["terms"], args["day"], args["number"]
        energy, price = Wh(terms["energy"]), UnitsPerWh(terms["price"])
        trade = EscrowedTrade(args["buyer"], args["seller"], day, terms["slots"], energy, price)
        self.take(trade, number)
        locks = trade.locks(self._rules(day))
        return Moved(
            differences(f"locked for escrowed trade {number}", (args["buyerLocks"], args["sellerLocks"]), locks),
            [(trade.buyer, locks[0]), (trade.seller, locks[1])],
        )

    def _release(self, args: Mapping[str, Any]) -> Moved:
        number, to_seller = args["number"], args["toSeller"]
        escrow = self.unpaid[number].escrow if number in self.unpaid else 0
        return self._pay(
            number, to_seller, differences(f"escrow of trade {number}", to_seller + args["toBuyer"], escrow)
        )

    def _expire(self, args: Mapping[str, Any]) -> Moved:
        number = args["number"]
        if number not in self.delivered:
            return Moved([f"escrow of trade {number}: paid by readings that are not final, or paid before"])
        trade, delivered = self.unpaid[number], self.delivered[number]
        to_seller = trade.by_readings(delivered)
        chain = tuple(args[name] for name in ("delivered", "toSeller", "toBuyer"))
        found = differences(
            f"escrow of trade {number} by readings", chain, (delivered, to_seller, trade.escrow - to_seller)
        )
        return self.pay_by_readings(number)._replace(differences=found)

    def pay_by_readings(self, number: int) -> Moved:
        """Pay what is in escrow of a trade whose day is final by what was delivered."""
        return self._pay(number, self.unpaid[number].by_readings(self.delivered[number]), [])

    def _pay(self, number: int, to_seller: Money, found: list[str]) -> Moved:
        trade = self.unpaid.pop(number, None)
        self.delivered.pop(number, None)
        if trade is None:
            return Moved([*found, f"escrow of trade {number}: paid before"])
        paid = [
            SidePayment(trade.buyer, trade.day, WHAT, Money(-to_seller)),
            SidePayment(trade.seller, trade.day, WHAT, to_seller),
        ]
        return Moved(found, postings=trade.postings(to_seller), payments=paid)
