"""Order books that are known as a whole, without the sheets that brought them."""

from functools import cached_property

import numpy as np

from dem.model.markets.auction import OrderBook
from dem.model.orders import Lanes
from dem.replay.book import Book, SentOrders


class ModelBook(Book):
    """The book of a day, of orders by participant, layer and slot: all of them stand."""

    def __init__(self, day: int, periods_per_day: int, orders: OrderBook) -> None:
        super().__init__(day, periods_per_day)
        self._orders = orders

    @staticmethod
    def empty(day: int, periods_per_day: int) -> "ModelBook":
        """A book without orders."""
        return ModelBook(day, periods_per_day, OrderBook(*np.zeros((6, 0), np.int64)))

    @property
    def has_orders(self) -> bool:
        """Whether there are any."""
        return bool(self._orders.energy.size)

    @cached_property
    def standing(self) -> OrderBook:
        """All orders."""
        return self._orders

    @cached_property
    def sent(self) -> SentOrders:
        """The same."""
        orders = self._orders
        place = orders.layer * self.periods_per_day + orders.slot
        stands = np.ones(len(place), np.bool_)
        return SentOrders(orders.participant, place, Lanes(orders.side, orders.tick, orders.energy), stands)
