"""What a run tells whoever watches it: drivers print nothing themselves."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime


class Screen:
    """Watches a run; this one shows nothing. The console has one for a terminal."""

    def title(self, title: str, where: str) -> None:
        """A run begins, on a network or without a chain."""

    def note(self, text: str) -> None:
        """Something that whoever watches should know."""

    def warn(self, text: str) -> None:
        """Something went wrong that the run mends itself."""

    def busy(self, what: str) -> AbstractContextManager[object]:
        """A task whose length nobody knows, for as long as the context lasts."""
        return nullcontext(what)

    def part(self, what: str, done: int, whole: int) -> None:
        """How far a task is; of one without parts `whole` is 0."""

    def days(self) -> AbstractContextManager[object]:
        """The trading days, for as long as the context lasts; `steps` and `step` tell how far they are."""
        return nullcontext()

    def steps(self, number: int) -> None:
        """So many steps the days have."""

    def step(self, what: str, when: datetime, done: int) -> None:
        """What is being done, at which simulated time, and how many steps are done."""


NOBODY = Screen()
"""Nobody watches."""
