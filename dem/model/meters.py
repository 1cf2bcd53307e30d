"""Several meters of one member, beside or after one another: when each lives, and what it has read (rule 12.10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Column
from dem.model.strips import LANES

SOURCES = ("unknown", "sun", "wind", "water", "biomass", "combined_heat", "storage", "other")
"""What feed-in comes from, in the order of the contracts' enum."""
MIXED = "mixed"
"""Of a member whose meters have several."""

Energies = NDArray[np.object_]
"""Import and export, Wh."""


def sides(net: Column) -> Energies:
    """What net energies take in together, and what they feed in, Wh."""
    return np.array([int(np.maximum(net, 0).sum()), int(np.maximum(-net, 0).sum())], object)


@dataclass(slots=True)
class Life:
    """A meter of several. first, last: number of its first period since the opening, and of the first one without it.

    opening, closing: import and export registers as they were noted. read_at: strips that it was read to.
    """

    first: int = 0
    last: int | None = None
    opening: tuple[int, int] | None = None
    closing: tuple[int, int] | None = None
    is_ending: bool = False
    read_at: int = 0

    def lives_in(self, strip: int) -> bool:
        """strip: since the opening."""
        return self.first < (strip + 1) * LANES and (self.last is None or self.last > strip * LANES)


class Part(NamedTuple):
    """What a sheet makes of a strip: net energies of all meters together, Wh, None as long as one is not read.

    billed: what of the registers is billed more than before.
    """

    total: Column | None
    billed: Energies


NO_PART = Part(None, np.array([0, 0], object))


class MemberMeters:
    """The meters of one member; main: the one that it had before."""

    def __init__(self, main: str) -> None:
        self.lives = {main: Life()}
        self._parts: dict[tuple[str, int], Column] = {}
        self._unbilled: set[tuple[str, int]] = set()
        """Parts of strips that do not count yet."""

    def install(self, meter: str, first: int, opening: tuple[int, int]) -> None:
        """A further one."""
        self.lives[meter] = Life(first, opening=opening, read_at=first // LANES)

    def remove(self, meter: str, last: int, closing: tuple[int, int]) -> None:
        """The end of one."""
        life = self.lives[meter]
        life.last, life.closing, life.is_ending = last, closing, True

    def take(
        self,
        meter: str,
        registers: NDArray[np.uint64],
        first: int,
        left_out: frozenset[int],
        before: Sequence[Column | None],
        since: int | None,
    ) -> tuple[list[Part], str | None]:
        """A sheet. left_out: its strips that count as not read. before: what was read of the member, by strip.
        since: strip from which on its registers are accounted for; None if they are not.

        Returns its strips, and a meter whose closing registers are to be accounted for now.
        """
        life = self.lives[meter]
        parts = []
        for n, known in enumerate(before):
            if n in left_out or not life.lives_in(first + n):
                parts.append(NO_PART)
                continue
            own = registers[n * LANES : (n + 1) * LANES + 1].astype(object)
            parts.append(self._take_part(meter, first + n, own, known, since is not None and first + n >= since))
        life.read_at = max(life.read_at, first + len(before))
        ended = next((key for key, other in self.lives.items() if other.is_ending), None)
        if ended is not None:
            self.lives[ended].is_ending = False
        return parts, ended

    def _take_part(
        self, meter: str, strip: int, registers: NDArray[np.object_], before: Column | None, counts: bool
    ) -> Part:
        both = registers[1:] - registers[:-1]
        net, billed = (both[:, 0] - both[:, 1]).astype(np.int64), np.array([0, 0], object)
        own, known = (meter, strip), self._part_of(meter, strip, before)
        was_unbilled = own in self._unbilled
        self._parts[own] = net
        others = [key for key in self.lives if key != meter and self._lives(key, strip)]
        read = [self._part_of(key, strip, before) for key in others]
        if known is None and counts:
            billed = registers[-1] - registers[0]
        if any(part is None for part in read):
            if known is None and counts:
                self._unbilled.add(own)
                billed = billed - sides(net)
            return Part(None, billed)
        self._unbilled.discard(own)
        if known is not None and was_unbilled:
            billed = sides(net)
        elif known is not None and counts:
            billed = sides(net) - sides(known)
        for key in others:
            if (key, strip) in self._unbilled:
                self._unbilled.remove((key, strip))
                billed = billed + sides(self._parts[key, strip])
        return Part(sum((part for part in read if part is not None), net), billed)

    def _lives(self, meter: str, strip: int) -> bool:
        return self.lives[meter].lives_in(strip)

    def _part_of(self, meter: str, strip: int, before: Column | None) -> Column | None:
        """What counted before the member had several meters is what its first one read."""
        if (meter, strip) not in self._parts and before is not None and self.lives[meter].opening is None:
            self._parts[meter, strip] = before
        return self._parts.get((meter, strip))

    @property
    def read_to(self) -> int:
        """Strip to which all have been read."""
        return min(
            (life.read_at for life in self.lives.values() if life.closing is None or life.is_ending), default=1 << 62
        )

    def forget(self, strip: int) -> None:
        """What was read before a strip is final."""
        for key in [key for key in self._parts if key[1] < strip]:
            del self._parts[key]
            self._unbilled.discard(key)
