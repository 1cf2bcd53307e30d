"""Readings and estimates, as their events tell."""

import numpy as np

from dem.messages.readings import net_consumption
from dem.model.readings import Reading
from dem.model.strips import LANES, unpack
from dem.replay.days import Days
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.readings import CORRECTED, ESTIMATED, MEASURED, MISSING, MeterValues


class Metering:
    """What meters showed. found: where differences between chain and model are noted."""

    def __init__(self, periods_per_day: int, days: Days, found: list[str]) -> None:
        self._periods_per_day = periods_per_day
        self._days = days
        self._found = found
        self._final: dict[int, dict[int, MeterValues]] = {}
        """Of the last final day: the day after may be estimated from them."""

    def accept(self, args: Args) -> None:
        """A ReadingsAccepted."""
        net = net_consumption(args["registers"])
        own = self._values(args["id"], args["day"])
        sent = slice(args["firstStrip"] * LANES, args["firstStrip"] * LANES + len(net))
        own.net[sent] = net
        own.status[sent] = np.where(own.status[sent] == MISSING, MEASURED, CORRECTED)

    def estimate(self, args: Args) -> None:
        """An Estimated: a strip as it was the day before."""
        id_, number, first = args["id"], args["day"], args["strip"] * LANES
        before = self._final.get(number - 1) or self._days.known(number - 1).readings
        strip = slice(first, first + LANES)
        preceding = before[id_].net[strip].tolist() if id_ in before else [0] * LANES
        estimates = [Reading.of_lane(lane) for lane in unpack(args["word"])[1]]
        self._found += differences(
            f"estimates of member {id_}, day {number}, from slot {first} on",
            [(value.net, value.estimated) for value in estimates],
            [(net, True) for net in preceding],
        )
        own = self._values(id_, number)
        own.net[strip] = [value.net for value in estimates]
        own.status[strip] = ESTIMATED

    def forget(self, day: int) -> None:
        """The day is final."""
        self._final = {day: self._days.known(day).readings}

    def _values(self, id_: int, number: int) -> MeterValues:
        """A member's readings of a day, about to change."""
        day, slots = self._days.changing(number), self._periods_per_day
        day.settlement = None
        if id_ not in day.readings:
            day.readings[id_] = MeterValues(np.zeros(slots, np.int64), np.full(slots, MISSING, np.int8))
        return day.readings[id_]
