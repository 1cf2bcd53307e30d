"""What a meter's registers show and no period is billed for (rule 12.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Column
from dem.model.meters import Part, sides
from dem.model.strips import LANES


class ReadStrip(NamedTuple):
    """What counted for a strip before a sheet: net energies of a reading, Wh; None of an estimate."""

    net: Column | None


@dataclass(slots=True)
class MeterState:
    """A meter since its first reading: registers at the latest one in time, Wh; times in strips since the opening."""

    imported: int
    exported: int
    read_at: int
    since: int

    @staticmethod
    def begun(registers: NDArray[np.uint64], first: int) -> "MeterState":
        """Before the first sheet; first: strip with which it begins."""
        imported, exported = registers[0].tolist()
        return MeterState(imported, exported, first, first)


@dataclass(slots=True)
class MemberAccount:
    """What a member's meters advanced by since a strip and no period is billed for, Wh; strips: estimated instead."""

    since: int
    import_wh: int = 0
    export_wh: int = 0
    strips: int = 0
    ahead: tuple[int, int] = (0, 0)
    """What was stated late before the register showed it: as much comes off what it will show."""

    def take(
        self,
        meter: MeterState,
        registers: NDArray[np.uint64],
        first: int,
        left_out: frozenset[int],
        before: Sequence[ReadStrip | None],
        parts: Sequence[Part] | None = None,
    ) -> tuple[int, int, int]:
        """A sheet. left_out: its strips that count as not read, from 0. before: by strip, None if there was no value.

        parts: what it makes of its strips, if the member has several meters.
        Returns what import, export and estimated strips change by.
        """
        last = first + len(before)
        change = np.array([0, 0], object)
        if last >= meter.read_at:
            change = registers[-1].astype(object) - np.array([meter.imported, meter.exported], object)
        replaced = 0
        for n, known in enumerate(before):
            if parts is not None:
                change -= parts[n].billed
            if first + n < meter.since or n in left_out or (parts is not None and parts[n].total is None):
                continue
            is_estimate = known is not None and known.net is None
            replaced += is_estimate and first + n >= self.since
            if parts is not None:
                continue
            own = registers[n * LANES : (n + 1) * LANES + 1].astype(object)
            if known is not None and known.net is not None:
                net = (own[1:] - own[:-1])[:, 0] - (own[1:] - own[:-1])[:, 1]
                change -= sides(net.astype(np.int64)) - sides(known.net)
            else:
                change -= own[-1] - own[0]
        if first > meter.read_at:
            change -= np.array(self.ahead, object)
            self.ahead = (0, 0)
        if last >= meter.read_at:
            meter.imported, meter.exported = registers[-1].tolist()
            meter.read_at = last
        imported, exported = (int(part) for part in change)
        self.add(imported, exported, -replaced)
        return imported, exported, -replaced

    def bill_others(
        self, first: int, before: Sequence[ReadStrip | None], parts: Sequence[Part]
    ) -> tuple[int, int, int]:
        """A sheet of a meter that has no account yet: what the others had read of strips that count now is billed."""
        imported, exported = (int(part) for part in sum((part.billed for part in parts), np.array([0, 0], object)))
        replaced = sum(
            part.total is not None and known is not None and known.net is None and first + n >= self.since
            for n, (known, part) in enumerate(zip(before, parts, strict=True))
        )
        self.add(-imported, -exported, -replaced)
        return -imported, -exported, -replaced

    def add(self, import_wh: int, export_wh: int, strips: int) -> None:
        """Change the account."""
        self.import_wh += import_wh
        self.export_wh += export_wh
        self.strips += strips
