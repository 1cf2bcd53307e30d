"""What a role does: steps that are safe to repeat, of which the chain says whether they are done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Day = int
NO_DAY = 0
"""The day of a step that is about none."""


def _always(_day: Day) -> bool:
    return True


@dataclass(frozen=True)
class Step:
    """Something that a role does for a day, or whenever there is some of it.

    act: does what is missing of it. is_done: whether nothing is. may: whether the others have done what it waits for.
    due, until: unix time from which on it may be done, and from which on it is too late; due None: it is about no day.
    """

    what: str
    act: Callable[[Day], object]
    is_done: Callable[[Day], bool]
    due: Callable[[Day], int] | None = None
    until: Callable[[Day], int] | None = None
    may: Callable[[Day], bool] = _always

    def is_due(self, day: Day, now: int) -> bool:
        """Whether it is time, by the chain's clock."""
        if self.due is None:
            return day == NO_DAY
        return day != NO_DAY and self.due(day) <= now and (self.until is None or now < self.until(day))


class Role(Protocol):
    """A role at work on one market: its steps, those that others wait for first."""

    @property
    def steps(self) -> Sequence[Step]: ...

    def now(self) -> int:
        """Unix time by which things are due."""

    def days(self, now: int) -> Sequence[Day]:
        """Days of which something may be due, ascending."""


def due_steps(role: Role, now: int) -> Iterator[tuple[Step, Day]]:
    """Steps whose time has come, with their days: those of no day first, then day by day; done or not."""
    for day in (NO_DAY, *role.days(now)):
        for step in role.steps:
            if step.is_due(day, now):
                yield step, day
