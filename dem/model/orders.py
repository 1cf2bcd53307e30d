"""Orders of the day-ahead auction and their 40-bit lanes in order lines.

Lane: bit 39 side, bits 38..27 tick, bits 26..0 energy in Wh; a lane without an order is all zero.
Line: one strip of one layer, `line = layer * strips_per_day + strip`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, require_range
from dem.model.strips import LANES, pack, strips_per_day, unpack
from dem.model.units import MAX_TICK, Tick, Wh

ENERGY_BITS = 27
TICK_BITS = 12
MAX_ENERGY = (1 << ENERGY_BITS) - 1
"""Largest energy of one order, Wh."""
MAX_LINE = (1 << 16) - 1

BROKERED_LAYER = 1024
"""Layers from this one on hold what an intermediary orders for a member."""

_SIDE_SHIFT = ENERGY_BITS + TICK_BITS


class Side(IntEnum):
    """Buying or selling."""

    BID = 0
    ASK = 1


@dataclass(frozen=True, slots=True)
class Order:
    """One order: `energy` Wh (1..2^27-1) in `slot` of a day at no worse than the limit `tick`.

    A participant's orders for one slot differ in their layer.
    """

    participant: int
    layer: int
    slot: int
    side: Side
    tick: Tick
    energy: Wh

    def __post_init__(self) -> None:
        require_range("participant", self.participant, 1)
        require_range("layer", self.layer, 0)
        require_range("slot", self.slot, 0)
        require_range("side", self.side, Side.BID, Side.ASK)
        require_range("tick", self.tick, 0, MAX_TICK)
        require_range("order energy in Wh", self.energy, 1, MAX_ENERGY)


def encode_lane(order: Order) -> int:
    """The 40-bit lane of an order."""
    return order.side << _SIDE_SHIFT | order.tick << ENERGY_BITS | order.energy


def decode_lane(participant: int, layer: int, slot: int, lane: int) -> Order | None:
    """The order in a lane, None if the lane is all zero.

    Raises:
        InputError: more than 40 bits, or a side or tick without energy.
    """
    require_range("lane", lane, 0, (1 << _SIDE_SHIFT + 1) - 1)
    if lane == 0:
        return None
    return Order(
        participant=participant,
        layer=layer,
        slot=slot,
        side=Side(lane >> _SIDE_SHIFT),
        tick=Tick(lane >> ENERGY_BITS & MAX_TICK),
        energy=Wh(lane & MAX_ENERGY),
    )


class Lanes(NamedTuple):
    """Side, tick and energy in Wh of many lanes; all zero where a lane holds no order."""

    side: NDArray[np.int64]
    tick: NDArray[np.int64]
    energy: NDArray[np.int64]


def decode_lanes(lanes: NDArray[np.int64]) -> Lanes:
    """What `decode_lane` says of each lane.

    Raises:
        InputError: a side or tick without energy.
    """
    decoded = Lanes(lanes >> _SIDE_SHIFT, lanes >> ENERGY_BITS & MAX_TICK, lanes & MAX_ENERGY)
    if ((decoded.energy == 0) & (lanes != 0)).any():
        raise InputError("lanes", lanes[(decoded.energy == 0) & (lanes != 0)].tolist(), "have a limit but no energy")
    return decoded


def lines_of(orders: Iterable[Order], day: int, periods_per_day: int) -> dict[int, int]:
    """Order lines of one participant's day: {line: word}, without the lines that are empty.

    Raises:
        InputError: orders of several participants, two orders in one lane, or a slot, line or
            day out of range.
    """
    strips = strips_per_day(periods_per_day)
    lanes: dict[int, list[int]] = {}
    participants = set()
    for order in orders:
        participants.add(order.participant)
        require_range("slot", order.slot, 0, periods_per_day - 1)
        line = order.layer * strips + order.slot // LANES
        require_range("line", line, 0, MAX_LINE)
        strip = lanes.setdefault(line, [0] * LANES)
        if strip[order.slot % LANES]:
            raise InputError("order", order, "shares its layer and slot with another order")
        strip[order.slot % LANES] = encode_lane(order)
    if len(participants) > 1:
        raise InputError("order sheet", sorted(participants), "must be of one participant")
    return {line: pack(day, strip) for line, strip in sorted(lanes.items())}


def orders_of(participant: int, day: int, line: int, word: int, periods_per_day: int) -> list[Order]:
    """Orders of one line in slot order; none if the word belongs to another day.

    Raises:
        InputError: the line or word is out of range, or a lane holds no valid order.
    """
    require_range("line", line, 0, MAX_LINE)
    layer, strip = divmod(line, strips_per_day(periods_per_day))
    tagged, lanes = unpack(word)
    if tagged != day:
        return []
    orders = (decode_lane(participant, layer, strip * LANES + k, lane) for k, lane in enumerate(lanes))
    return [order for order in orders if order is not None]
