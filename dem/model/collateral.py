"""Money that orders lock."""

from typing import Any, Protocol

import numpy as np

from dem.model.orders import Side
from dem.model.rules import MarketRules
from dem.model.units import Money


class Limit(Protocol):
    """Side, tick and energy of an order, or columns of them."""

    @property
    def side(self) -> Any: ...
    @property
    def tick(self) -> Any: ...
    @property
    def energy(self) -> Any: ...


def order_collateral(orders: Limit, rules: MarketRules, is_brokered: bool = False) -> Money:
    """Money an order locks, or all orders of columns together: what the trade may cost at worst.

    A bid pays its limit and fees, and for what it does not take where the supplier wants to be paid; it locks nothing
    where that is below zero. An ask that delivers nothing buys its energy back from the
    fallback supplier and pays the deviation charge and fees, less the limit it is sure to get.
    Where an intermediary orders for the member either locks the highest commission besides, whatever its limit.
    """
    return Money(int(orders_collateral(orders, rules, is_brokered).sum()))


def orders_collateral(orders: Limit, rules: MarketRules, is_brokered: Any = False) -> Any:
    """The same of each order of columns; is_brokered: of all of them, or a column."""
    limit = rules.prices.price_of(orders.tick)
    per_wh = np.maximum(0, np.where(orders.side == Side.BID, limit + rules.extra, rules.ceiling - limit))
    commission = np.where(is_brokered, rules.commission_cap, 0)
    return orders.energy * (per_wh + commission)
