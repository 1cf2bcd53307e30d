"""One day of a community that orders in the call auction alone, and what it costs whom if somebody acts otherwise.

Orders, forecasts and meters are those of a run. Two accounts more have a connection and no meter: on paper they trade
what they like. What the fund pays of the day counts, as if the day before had left it nothing.
"""

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.community.config import RulesVersion
from dem.community.crowd import Crowd
from dem.community.scenario import Kind, Scenario
from dem.community.strategies import Bands, OrderColumns
from dem.model.collateral import orders_collateral
from dem.model.fund import pay_claims
from dem.model.ledger import GRID_OPERATOR
from dem.model.markets.auction import Column, OrderBook, clear_day, fills_of_day
from dem.model.mechanisms import Markets
from dem.model.orders import BROKERED_LAYER, Side
from dem.model.positions import Grid, Trades, auction_trades, positions
from dem.model.rules import MarketRules
from dem.model.settlement import DaySettlement, Delivery, settle
from dem.offchain.market import ModelMarket

PAPER_ACCOUNTS = 2
"""Members without a meter."""


class Outcome(NamedTuple):
    """What a day came to.

    costs: what each member pays in the end, rewards and premiums set off, money units, in the order of the members.
    by_slot: the same of trade, imbalance, fees and charges alone, a row per member.
    kept: what the fund keeps, money units.
    """

    costs: Column
    by_slot: Grid
    kept: int
    settlement: DaySettlement


def with_rules(scenario: Scenario, rules: RulesVersion) -> Scenario:
    """The same community and days under other rules, the call auction alone."""
    version = rules.model_copy(update={"first_day": 1})
    return replace(scenario, config=scenario.config.model_copy(update={"rules": [version], "markets": Markets()}))


class AuctionDay:
    """A day of a scenario in which everybody trades in the call auction alone."""

    def __init__(self, scenario: Scenario, day: int) -> None:
        self.scenario = scenario
        self.day = day
        self.rules: MarketRules = scenario.rules(day)
        self.tariffs = scenario.tariffs(day)
        self.slots = scenario.calendar.periods_per_day
        self.crowd = Crowd(scenario, day)
        ids = ModelMarket(scenario).ids
        self.ids = ids
        shown = {ids[name]: values for name, values in self.crowd.shown(ids, {}, None).items()}
        self.paper = [max(ids.values()) + 1 + n for n in range(PAPER_ACCOUNTS)]
        self.members: Column = np.array(sorted([*shown, *self.paper]), np.int64)
        self.metered: Grid = self._grid(shown)
        boundary = self.row(GRID_OPERATOR)
        # The grid operator's is what the boundary meter has beyond the sum of the others: the losses.
        self.metered[boundary] -= self.metered.sum(axis=0) - self.metered[boundary]
        self.expected: Grid = self._grid({ids[name]: values for name, values in self.crowd.forecasts.items()})
        self.orders = self.crowd.order_columns(ids)
        self.names = {id_: name for name, id_ in ids.items()} | dict.fromkeys(self.paper, "somebody without a meter")

    def _grid(self, rows: dict[int, list[int]]) -> Grid:
        nothing = [0] * self.slots
        return np.array([rows.get(id_, nothing) for id_ in self.members.tolist()], np.int64)

    def row(self, id_: int) -> int:
        """Where a member stands in grids."""
        return int(np.searchsorted(self.members, id_))

    @cached_property
    def bands(self) -> Bands:
        """In which a trade is worth its fees."""
        return Bands.of(self.tariffs, self.rules)

    @cached_property
    def is_long(self) -> Column:
        """Slots in which the area is expected to have a surplus: everybody can know that."""
        expected: Column = self.expected.sum(axis=0) < 0
        return expected

    @cached_property
    def alone(self) -> Column:
        """What each member pays at the tariffs alone, money units, in the order of the members."""
        buy, sell = (np.array([getattr(tariff, side) for tariff in self.tariffs], np.int64) for side in ("buy", "sell"))
        units: Column = (np.where(self.metered > 0, buy, sell) * self.metered).sum(axis=1)
        return units

    @cached_property
    def community(self) -> list[int]:
        """Numbers of consumers and prosumers."""
        of_kind = self.scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER)
        return sorted(self.ids[member.name] for member in of_kind if member.takes_part(self.day))

    def capacity(self, id_: int) -> tuple[int, int]:
        """Of a member's connection, Wh per period: in and out."""
        member = self.scenario.participant(self.names[id_]).on(self.day)
        return member.import_capacity, member.export_capacity

    @cached_property
    def as_it_is(self) -> Outcome:
        """What the day comes to if nobody acts otherwise."""
        return self.outcome()

    def outcome(
        self,
        orders: OrderColumns | None = None,
        metered: Grid | None = None,
        afterwards: Trades | None = None,
        flexible: Grid | None = None,
    ) -> Outcome:
        """What the day comes to with other orders or meters.

        afterwards: trades of members between each other after the auction. flexible: what they sold back, for premiums.
        """
        book = OrderBook(*(self.orders if orders is None else orders))
        clearings = clear_day(book, self.slots)
        trades = [auction_trades(book, fills_of_day(book, clearings), clearings, self.rules.prices)]
        trades += [] if afterwards is None else [afterwards]
        bought, sold, payments = positions(trades, self.members, self.slots)
        settled = settle(
            self.rules,
            Delivery(
                tariffs=self.tariffs,
                prices=[clearing.price for clearing in clearings],
                participants=self.members,
                has_meter=~np.isin(self.members, self.paper),
                bought=bought,
                sold=sold,
                metered=self.metered if metered is None else metered,
                payments=payments,
                flexible=flexible,
            ),
        )
        by_slot = settled.trade + settled.imbalance_units + settled.fees + settled.deviation
        costs: Column = by_slot.sum(axis=1)
        income = settled.fund()
        paid = pay_claims(self.rules, income, income, settled.claims).paid
        for id_, both in paid.items():
            costs[self.row(id_)] -= sum(both)
        return Outcome(costs, by_slot, income - sum(sum(both) for both in paid.values()), settled)

    def cost(self, outcome: Outcome, who: Collection[int]) -> int:
        """What some members pay together, money units."""
        return sum(int(outcome.costs[self.row(id_)]) for id_ in who)

    def gain(self, who: Collection[int], outcome: Outcome) -> int:
        """What some members gain together against the day as it is, money units."""
        return self.cost(self.as_it_is, who) - self.cost(outcome, who)

    def collateral(self, id_: int) -> int:
        """What a member's orders lock, money units."""
        own = only(self.orders, self.orders.participant == id_)
        return int(orders_collateral(own, self.rules, own.layer >= BROKERED_LAYER).sum())


def only(orders: OrderColumns, rows: NDArray[np.bool_]) -> OrderColumns:
    """Some of the orders."""
    return OrderColumns(*(column[rows] for column in orders))


def without(orders: OrderColumns, *ids: int) -> OrderColumns:
    """All orders but those of some members."""
    return only(orders, ~np.isin(orders.participant, ids))


def with_orders(
    orders: OrderColumns, id_: int, side: Side, slots: Column, ticks: Column, energies: Column
) -> OrderColumns:
    """And one more order of a member in some slots; none of no energy, or of a limit that cannot be said."""
    rows = (energies > 0) & (ticks >= 0)
    slots, count = slots[rows], int(rows.sum())
    taken = orders.layer[orders.participant == id_]
    layer = int(taken.max(initial=-1)) + 1
    who, layers, sides = (np.full(count, value, np.int64) for value in (id_, layer, side))
    return OrderColumns.together([orders, OrderColumns(who, layers, slots, sides, ticks[rows], energies[rows])])
