"""The order book of a day, from its accepted sheets."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.collateral import order_collateral
from dem.model.markets.auction import Clearing, Column, OrderBook, clear_day, fills_of_day
from dem.model.orders import BROKERED_LAYER, Lanes, Side, decode_lanes
from dem.model.rules import MarketRules
from dem.model.strips import LANES, unpack_all
from dem.model.units import PriceRange, Tick
from dem.replay.market import differences

_NO_LANES = np.zeros(0, np.int64)
_NO_PRICE = -1
_PLACE_BITS = 20
"""Of a place in a member's book: 65,536 lines of six lanes are fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class SentOrders:
    """Columns of all orders that the chain took, in its order; those that do not stand were replaced later."""

    participant: Column
    place: Column
    lanes: Lanes
    stands: NDArray[np.bool_]


class Book:
    """The order book of a day, as its accepted sheets left it.

    A member's orders lie side by side: six lanes a line, line after line, so that a place is layer * periods + slot.
    Those of its intermediary, in the brokered layers, are kept apart.
    """

    def __init__(self, day: int, periods_per_day: int) -> None:
        self.day = day
        self.periods_per_day = periods_per_day
        self._sheets: list[tuple[int, int, Column]] = []
        self._lanes: dict[int, Column] = {}
        self._brokered: dict[int, Column] = {}

    def accept(self, sheet: Mapping[str, Any]) -> tuple[Column, Column]:
        """Take an accepted sheet (the event's arguments); returns the lanes that stood in its place and its own."""
        id_, first = sheet["id"], sheet["firstLine"] * LANES
        days, lanes = unpack_all(sheet["lines"])
        come = np.where(days == self.day, lanes.T, 0).T.ravel()
        hand, at = self._lanes, first
        if self.is_brokered(sheet):
            hand, at = self._brokered, first - BROKERED_LAYER * self.periods_per_day
        own = self._of(hand, id_, at + len(come))
        gone = own[at : at + len(come)].copy()
        own[at : at + len(come)] = come
        self._sheets.append((id_, first, come))
        for computed in ("sent", "standing", "clearing", "fills", "common_ticks", "keeps_limits"):
            self.__dict__.pop(computed, None)
        return gone, come

    @property
    def has_orders(self) -> bool:
        """Whether any sheet came."""
        return bool(self._sheets)

    def is_brokered(self, sheet: Mapping[str, Any]) -> bool:
        """Whether a sheet is for the layers of a member's intermediary."""
        return bool(sheet["firstLine"] * LANES >= BROKERED_LAYER * self.periods_per_day)

    def _of(self, hand: dict[int, Column], id_: int, places: int) -> Column:
        """A member's lanes, with room for so many."""
        own = hand.get(id_, _NO_LANES)
        if len(own) < places:
            layers = -(-places // self.periods_per_day)
            hand[id_] = np.zeros(layers * self.periods_per_day, np.int64)
            hand[id_][: len(own)] = own
        return hand[id_]

    @property
    def layers(self) -> dict[int, int]:
        """Layers by member that its sheets ever reached: what the chain goes through, whatever was cancelled."""
        return self._layers_of(self._lanes)

    @property
    def brokered_layers(self) -> dict[int, int]:
        """The same of its intermediary's sheets."""
        return self._layers_of(self._brokered)

    def _layers_of(self, hand: dict[int, Column]) -> dict[int, int]:
        return {id_: len(lanes) // self.periods_per_day for id_, lanes in hand.items()}

    @cached_property
    def sent(self) -> SentOrders:
        """Every order the chain took."""
        lengths = [len(lanes) for _, _, lanes in self._sheets]
        participant = np.repeat([id_ for id_, _, _ in self._sheets], lengths).astype(np.int64)
        place = np.concatenate([_NO_LANES] + [np.arange(at, at + len(lanes)) for _, at, lanes in self._sheets])
        lanes = np.concatenate([_NO_LANES] + [lanes for _, _, lanes in self._sheets])
        _, from_the_end = np.unique((participant << _PLACE_BITS | place)[::-1], return_index=True)
        stands = np.zeros(len(lanes), np.bool_)
        stands[len(lanes) - 1 - from_the_end] = True
        orders = lanes != 0
        return SentOrders(participant[orders], place[orders], decode_lanes(lanes[orders]), stands[orders])

    @cached_property
    def standing(self) -> OrderBook:
        """The orders in force, in the order in which the chain took them."""
        sent = self.sent
        layer, slot = np.divmod(sent.place[sent.stands], self.periods_per_day)
        return OrderBook(sent.participant[sent.stands], layer, slot, *(column[sent.stands] for column in sent.lanes))

    @cached_property
    def clearing(self) -> list[Clearing]:
        """What the reference model makes of the book, by slot."""
        return clear_day(self.standing, self.periods_per_day)

    @cached_property
    def fills(self) -> Column:
        """Energy each standing order trades, Wh."""
        return fills_of_day(self.standing, self.clearing)

    @cached_property
    def common_ticks(self) -> list[Tick | None]:
        """What everybody sees of a slot's price; none where nothing is traded."""
        return [clearing.price for clearing in self.clearing]

    @cached_property
    def keeps_limits(self) -> NDArray[np.bool_]:
        """Of each standing order, whether it trades at no price that is worse than its limit."""
        orders = self.standing
        prices = np.array([_NO_PRICE if tick is None else tick for tick in self.common_ticks])[orders.slot]
        better = np.where(orders.side == Side.BID, prices <= orders.tick, prices >= orders.tick)
        kept: NDArray[np.bool_] = (better & (prices != _NO_PRICE)) | (self.fills == 0)
        return kept

    def paid(self, prices: PriceRange) -> Column:
        """What each standing order pays, money units; who sells receives it."""
        orders = self.standing
        slots = prices.price_of(np.array([tick or 0 for tick in self.common_ticks]))
        amounts: Column = self.fills * slots[orders.slot] * np.where(orders.side == Side.BID, 1, -1)
        return amounts


class SheetChange(NamedTuple):
    """What a sheet changed: the collateral of its member, money units, and whether it brings an order that did not
    stand: who is in arrears may cancel orders, not place any."""

    collateral: int
    has_new: bool

    def locks(self, id_: int) -> list[tuple[int, int]]:
        """The change as money locked and unlocked."""
        locked = [(id_, max(self.collateral, 0))] if self.has_new else []
        return [*locked, (id_, self.collateral)] if self.collateral < 0 else locked


def accept_sheet(book: Book, sheet: Mapping[str, Any], rules: MarketRules) -> SheetChange:
    """Take an accepted sheet into a book; what it changes under the rules of its day."""
    before, after = book.accept(sheet)
    is_brokered = book.is_brokered(sheet)
    had, has = (
        order_collateral(decode_lanes(lanes), rules, is_brokered) if lanes.any() else 0 for lanes in (before, after)
    )
    return SheetChange(has - had, bool(((after != before) & (after != 0)).any()))


def compare_clearing(what: str, book: Book, args: Mapping[str, Any]) -> list[str]:
    """How a Cleared differs from what the model makes of the book; what: the auction's day in words."""
    day, slot = args["day"], args["slot"]
    model = book.clearing[slot]
    rationed = 0 if model.rationed is None else model.rationed + 1
    return differences(
        f"clearing of {what} {day}, slot {slot} (price, volume, rationed, share, marginal)",
        tuple(args[name] for name in ("price", "volume", "rationed", "share", "marginal")),
        (model.price or 0, model.volume, rationed, model.share, model.marginal),
    )
