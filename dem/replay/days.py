"""What is known of the days that are not final."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from dem.model.rules import Tariff
from dem.model.settlement import DaySettlement
from dem.replay.readings import MeterValues


@dataclass(slots=True, eq=False)
class Day:
    """A delivery day as far as the events have told it; its trades are with the markets."""

    number: int
    readings: dict[int, MeterValues] = field(default_factory=dict)
    published: list[Tariff] = field(default_factory=list)
    posted: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Money posted, by member; what an office is paid out is kept apart from its bill: under its negative number."""
    released: set[int] = field(default_factory=set)
    """Members whose collateral is released."""
    is_settled: bool = False
    settlement: DaySettlement | None = None
    """By the reference model, on the readings known now; None until it is asked for."""


class Days:
    """The days that something is known of and that are not final."""

    def __init__(self) -> None:
        self._days: dict[int, Day] = {}

    def __iter__(self) -> Iterator[Day]:
        return iter(self._days.values())

    @property
    def numbers(self) -> list[int]:
        """Theirs, ascending."""
        return sorted(self._days)

    def known(self, number: int) -> Day:
        """A day as it is known; one that nothing is known of any more, or yet, is empty."""
        return self._days.get(number) or Day(number)

    def changing(self, number: int) -> Day:
        """A day about to change."""
        return self._days.setdefault(number, self.known(number))

    def forget(self, number: int) -> None:
        """The day is final."""
        self._days.pop(number, None)
