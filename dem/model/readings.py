"""Readings of a meter, as lanes carry them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dem.errors import require_range
from dem.model.markets.auction import Column
from dem.model.strips import LANE_BITS
from dem.model.units import Wh

READING_BIAS = 1 << LANE_BITS - 2
"""Added to net consumption, so that a lane holds no negative number."""

_ESTIMATED = 1 << LANE_BITS - 1


@dataclass(frozen=True, slots=True)
class Reading:
    """Metered net consumption of one period (import - export), Wh, and whether it is estimated."""

    net: Wh
    estimated: bool = False

    def __post_init__(self) -> None:
        require_range("reading in Wh", self.net, -READING_BIAS, READING_BIAS - 1)

    def lane(self) -> int:
        """The 40-bit lane: the flag above the reading biased by 2^38."""
        return (_ESTIMATED if self.estimated else 0) | self.net + READING_BIAS

    @staticmethod
    def of_lane(lane: int) -> "Reading":
        """The reading in a lane.

        Raises:
            InputError: more than 40 bits.
        """
        require_range("reading lane", lane, 0, (1 << LANE_BITS) - 1)
        return Reading(Wh((lane & _ESTIMATED - 1) - READING_BIAS), bool(lane & _ESTIMATED))


def net_of_lanes(lanes: Column) -> Column:
    """Net consumption in lanes of readings, Wh, estimated or not."""
    return (lanes & _ESTIMATED - 1) - READING_BIAS


def estimated_of_lanes(lanes: Column) -> NDArray[np.bool_]:
    """Which of them are estimates."""
    found: NDArray[np.bool_] = lanes & _ESTIMATED != 0
    return found
