"""What the members of a community remember of days that have ended, if their strategies learn.

A day's orders are made from what was final when its auction opened, two or three days before, and from nothing later:
so a run comes to the same memories whether it is played at once or started again, on a chain or without.
"""

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any

import numpy as np

from dem.community.scenario import Kind, Scenario
from dem.community.strategies import Bands, Ended, OrderColumns, Strategy
from dem.model.settlement import DaySettlement
from dem.replay.book import Book


class Memories:
    """Those of all members whose strategy learns, by the day for which they order."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._ended: dict[int, dict[str, Ended]] = {}
        """By day and name, of days that nobody has learnt from yet."""
        self._at: dict[int, dict[str, Any]] = {}
        """By the last day that has been learnt from; 0 before any."""

    @cached_property
    def learners(self) -> Mapping[str, Strategy]:
        """Members' strategies by name."""
        scenario = self._scenario
        members = scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER, Kind.INTERMEDIARY)
        found = {member.name: scenario.strategy(member.name) for member in members}
        return {name: strategy for name, strategy in found.items() if strategy.learns}

    def of(self, day: int) -> Mapping[str, Any]:
        """What everybody remembers when the auction of a day opens, by name."""
        if not self.learners:
            return {}
        last = max(0, day - self._scenario.calendar.final_lead_days)
        return self._after(last)

    def end(self, day: int, ids: Mapping[str, int], book: Book, settlement: DaySettlement) -> None:
        """A day is final. ids: numbers of members. book: of its day-ahead market."""
        if not self.learners or day in self._ended or day in self._at:
            return
        memories = self.of(day)
        places = {id_: row for row, id_ in enumerate(settlement.delivery.participants.tolist())}
        market = _Market(self._scenario, day, book, settlement)
        self._ended[day] = {
            name: market.ended(name, ids[name], places[ids[name]], memories[name])
            for name in self.learners
            if ids.get(name) in places
        }

    def _after(self, last: int) -> dict[str, Any]:
        if last in self._at:
            return self._at[last]
        if last == 0:
            slots, seed = self._scenario.calendar.periods_per_day, self._scenario.config.seed
            found = {name: strategy.begin(name, seed, slots) for name, strategy in self.learners.items()}
        else:
            before, ended = self._after(last - 1), self._ended.pop(last)
            found = {
                name: strategy.learn(deepcopy(before[name]), ended[name]) if name in ended else before[name]
                for name, strategy in self.learners.items()
            }
        self._at[last] = found
        # Orders of a day, and what it teaches, are asked for until it is final: nothing older is.
        for old in [key for key in self._at if key < last - 2 * self._scenario.calendar.final_lead_days]:
            del self._at[old]
        return found


class _Market:
    """A day that is final, as far as everybody knows it."""

    def __init__(self, scenario: Scenario, day: int, book: Book, settlement: DaySettlement) -> None:
        self._scenario, self._day, self._settlement = scenario, day, settlement
        self._prices = np.array([-1 if tick is None else tick for tick in book.common_ticks], np.int64)
        self._traded = np.array([one.volume for one in book.clearing], np.int64)
        self._orders, self._fills = OrderColumns.of(book.standing), book.fills
        tariffs = scenario.tariffs(day)
        self._bands = Bands.of(tariffs, scenario.rules(day))
        self._buy, self._sell = (
            np.array([getattr(one, side) for one in tariffs], np.int64) for side in ("buy", "sell")
        )

    def ended(self, name: str, id_: int, row: int, memory: Any) -> Ended:
        """As one member knows it."""
        own = np.flatnonzero(self._orders.participant == id_)
        # A chain may have taken them in another order.
        own = own[np.lexsort((self._orders.layer[own], self._orders.slot[own]))]
        metered = self._settlement.delivery.metered[row]
        return Ended(
            day=self._scenario.numbered(self._day),
            name=name,
            seed=self._scenario.config.seed,
            prices=self._prices,
            traded=self._traded,
            bands=self._bands,
            orders=OrderColumns(*(column[own] for column in self._orders)),
            filled=self._fills[own],
            contracted=self._settlement.contracted[row],
            metered=metered,
            paid=sum(self._settlement.bill_of(id_)),
            alone=int((np.where(metered > 0, self._buy, self._sell) * metered).sum()),
            tick=self._scenario.config.prices.tick,
            memory=memory,
        )
