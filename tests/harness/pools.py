"""A market with an intermediary's pool beside the auction, and the replay that follows both."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dem.intermediaries import IntermediariesReplay, PoolReplay, brokered_energy, trades_of
from dem.ledger import GRID_OPERATOR, Posting
from dem.plan import ROLES, CalendarParameters
from dem.replay import Book, Day, Replay
from dem.settlement import DaySettlement, Delivery, Trades, settle
from dem.units import Money

from .market import ADMIN, Market

POOL = "Pool"
"""The pool's name in events and calls: its contract is one more CallAuction."""


class PooledReplay(Replay):
    """Follows the auction, the pool and the intermediaries."""

    def __init__(self, periods_per_day: int) -> None:
        super().__init__(periods_per_day)
        self.pool = PoolReplay(periods_per_day, Book, self.rules)
        self.intermediaries = IntermediariesReplay(periods_per_day, self.brokered, self.rules)
        self.pool_address = ""
        self._ended_brokered: dict[tuple[bool, int], dict[int, int]] = {}
        self._commissions: list[Posting] = []
        self._moving: list[Posting] = []

    def brokered(self, market: str, day: int) -> Mapping[int, int]:
        """Wh on which clients owe a commission."""
        is_pool = market == self.pool_address
        if (is_pool, day) in self._ended_brokered:
            return self._ended_brokered[is_pool, day]
        if is_pool:
            return self.pool.brokered(day)
        book = self.book(day)
        return brokered_energy(book.standing, book.fills)

    def settlement(self, day: int) -> DaySettlement:
        own = self._known(day)
        if own.settlement is None:
            settled = settle(self.rules(day), self._delivery(own))
            trades, trade = self._trades(own), np.zeros_like(settled.trade)
            rows = np.searchsorted(settled.delivery.participants, trades.participant)
            np.add.at(trade, (rows, trades.slot), trades.payment)
            own.settlement = replace(settled, trade=trade)
        return own.settlement

    def _trades(self, day: Day) -> Trades:
        both = trades_of(day.book.standing, day.book.fills, day.book.clearing), self.pool.trades(day.number)
        return Trades(*(np.concatenate(columns) for columns in zip(*both, strict=True)))

    def _delivery(self, day: Day) -> Delivery:
        trades = self._trades(day)
        members = sorted({GRID_OPERATOR, *day.readings, *trades.participant.tolist()})
        participants = np.array(members, np.int64)
        rows = np.searchsorted(participants, trades.participant)
        bought, sold = np.zeros((2, len(members), self.periods_per_day), np.int64)
        np.add.at(bought, (rows, trades.slot), trades.bought)
        np.add.at(sold, (rows, trades.slot), trades.sold)
        return Delivery(
            tariffs=self.tariffs(day.number),
            prices=[clearing.price for clearing in day.book.clearing],
            participants=participants,
            has_meter=np.array([id_ in day.readings or id_ == GRID_OPERATOR for id_ in members]),
            bought=bought,
            sold=sold,
            metered=self._metered(day, members),
        )

    def _forget(self, number: int) -> None:
        for is_pool in (True, False):
            market = self.pool_address if is_pool else ""
            self._ended_brokered[is_pool, number] = dict(self.brokered(market, number))
        super()._forget(number)
        self.pool.forget(number)

    def _on_Pool_SheetAccepted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        change, has_new = self.pool.accept(args)
        self._day(args["day"]).locked[args["id"]] += change
        if has_new:
            self.ledger.lock(args["id"], Money(max(change, 0)))
        if change < 0:
            self.ledger.unlock(args["id"], Money(-change))

    def _on_Pool_Cleared(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.pool.apply("Cleared", args)

    def _on_Intermediaries_MandateGiven(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.intermediaries.apply("MandateGiven", args)

    def _on_Intermediaries_CommissionPublished(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.intermediaries.apply("CommissionPublished", args)

    def _on_Intermediaries_CommissionPaid(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.intermediaries.apply("CommissionPaid", args)
        self._commissions += self.intermediaries.postings(args)

    def _on_Accounts_Posted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        if not self._commissions:
            super()._on_Accounts_Posted(args)
            return
        expected = self._commissions.pop(0)
        chain = Posting(args["id"], args["amount"], args["release"])
        self._differ("posting of a commission", chain, expected)
        self._moving.append(expected)
        if not self._commissions:
            self.ledger.post(self._moving)
            self._moving = []


class PooledMarket(Market):
    """A market that a pool can be added to."""

    REPLAY = PooledReplay
    replay: PooledReplay

    def add_pool(self, intermediary: int, calendar: CalendarParameters, first_day: int) -> None:
        """Deploy the pool of an intermediary and plug it into the schedule."""
        at = {name: contract.address for name, contract in self.contracts.items()}
        members, _ = self.chain.deploy(ADMIN.address, "PoolMembers", at["ParticipantRegistry"], intermediary)
        arguments = (at["Authority"], calendar.as_tuple(), members.address, at["MarketRules"], at["Accounts"])
        deployed, _ = self.chain.deploy(ADMIN.address, "CallAuction", *arguments)
        pool = self.chain.rename(deployed, POOL)
        self.contracts[POOL], self.contracts["PoolMembers"] = pool, members
        self.replay.pool_address = pool.address
        for role in ROLES:
            for function in role.functions.get("CallAuction", ()):
                selectors = [pool.artifact.functions[function].selector]
                authority = self.contracts["Authority"]
                self.chain.send(ADMIN.address, authority, "setTargetFunctionRole", pool.address, selectors, role.id)
        self.act("Schedule.addMarket", pool.address, first_day)
