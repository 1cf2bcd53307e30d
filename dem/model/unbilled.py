"""What a meter's registers show and no period is billed for (rule 12.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Column
from dem.model.strips import LANES


class ReadStrip(NamedTuple):
    """What counted for a strip before a sheet: net energies of a reading, Wh; None of an estimate."""

    net: Column | None


@dataclass(slots=True)
class MeterAccount:
    """A meter of a member since its first reading; energies in Wh, times in strips since the market's opening.

    imported, exported: registers at the latest reading in time. import_wh, export_wh: what they advanced by and no
    period is billed for. strips: estimated instead.
    """

    imported: int
    exported: int
    read_at: int
    since: int
    import_wh: int = 0
    export_wh: int = 0
    strips: int = 0
    ahead: tuple[int, int] = (0, 0)
    """What was stated late before the register showed it: as much comes off what it will show."""

    @staticmethod
    def begun(registers: NDArray[np.uint64], first: int) -> "MeterAccount":
        """Before the first sheet; first: strip with which it begins."""
        imported, exported = registers[0].tolist()
        return MeterAccount(imported, exported, first, first)

    def take(
        self, registers: NDArray[np.uint64], first: int, left_out: frozenset[int], before: Sequence[ReadStrip | None]
    ) -> tuple[int, int, int]:
        """A sheet. left_out: its strips that count as not read, from 0. before: by strip, None if there was no value.

        Returns what import, export and estimated strips change by.
        """
        last = first + len(before)
        change = np.array([0, 0], object)
        if last >= self.read_at:
            change = registers[-1].astype(object) - np.array([self.imported, self.exported], object)
        replaced = 0
        for n, known in enumerate(before):
            if first + n < self.since or n in left_out:
                continue
            own = registers[n * LANES : (n + 1) * LANES + 1].astype(object)
            if known is not None and known.net is not None:
                net = (own[1:] - own[:-1])[:, 0] - (own[1:] - own[:-1])[:, 1]
                change -= sides(net.astype(np.int64)) - sides(known.net)
                continue
            replaced += known is not None
            change -= own[-1] - own[0]
        if first > self.read_at:
            change -= np.array(self.ahead, object)
            self.ahead = (0, 0)
        if last >= self.read_at:
            self.imported, self.exported = registers[-1].tolist()
            self.read_at = last
        imported, exported = (int(part) for part in change)
        self.add(imported, exported, -replaced)
        return imported, exported, -replaced

    def add(self, import_wh: int, export_wh: int, strips: int) -> None:
        """Change the account."""
        self.import_wh += import_wh
        self.export_wh += export_wh
        self.strips += strips


def sides(net: Column) -> NDArray[np.object_]:
    """What net energies take in together, and what they feed in, Wh."""
    return np.array([int(np.maximum(net, 0).sum()), int(np.maximum(-net, 0).sum())], object)
