"""Whose meter has been silent for so many days that its member orders no more (rule 12.3)."""

from typing import NamedTuple

SILENT_DAYS = 3
"""Estimated days in a row after which a member orders no more."""


class _Row(NamedTuple):
    last: int
    days: int


class Silence:
    """Members whose meters are silent, and for how many days in a row the others' have been."""

    def __init__(self) -> None:
        self.members: set[int] = set()
        """Who may not order."""
        self._rows: dict[int, _Row] = {}

    def estimate(self, id_: int, day: int) -> None:
        """Something of a member's day is estimated."""
        row = self._rows.get(id_, _Row(0, 0))
        row = self._rows[id_] = _Row(day, row.days + 1 if row.last == day - 1 else 1)
        if row.days >= SILENT_DAYS:
            self.members.add(id_)

    def read(self, id_: int) -> None:
        """Its meter reads on."""
        self.members.discard(id_)
