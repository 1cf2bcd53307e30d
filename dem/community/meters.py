"""Simulated smart meters: cumulative registers that follow the scenario's profiles, signed day by day."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from dem.community.keys import Wallet
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.messages.signed import Signed, SignedOnDemand
from dem.messages.signing import Domain
from dem.model.strips import LANES
from dem.model.units import Wh


class Meter:
    """One meter; its registers start at zero with its first day.

    net: metered net energy of a day by slot, Wh, for every day from its first on that may be asked for. Of days that
    are not there it counts nothing.
    is_next: it has taken the place of its member's first one.
    """

    def __init__(
        self, wallet: Wallet, net: Mapping[int, Sequence[int]], first_day: int = 1, *, is_next: bool = False
    ) -> None:
        self._address, self._key = (
            (wallet.next_meter, wallet.next_meter_key) if is_next else (wallet.meter, wallet.meter_key)
        )
        self._net = net
        self._opening = {first_day: Register(Wh(0), Wh(0))}

    def sheets(
        self, domain: Domain, day: int, said: Sequence[int | None], first_sequence: int = 1
    ) -> list[Signed[ReadingSheet]]:
        """The readings of a day, a sheet for strips that follow one another.

        said: net energy by slot, Wh; of a strip without a value it says nothing.
        """
        return [
            SignedOnDemand(domain, self._key, partial(self._readings, day, first_sequence + n, said, run))
            for n, run in enumerate(runs_of(said))
        ]

    def _readings(self, day: int, sequence: int, said: Sequence[int | None], run: range) -> ReadingSheet:
        """The sheet of a run of strips."""
        registers = self._registers(day)
        values = [wh if value is None else value for wh, value in zip(self._net[day], said, strict=True)]
        if values != self._net[day]:
            registers = _advance(registers[0], values)
        sent = registers[run.start * LANES : run.stop * LANES + 1]
        return ReadingSheet(self._address, day, run.start, sequence, pack_registers(sent))

    def _registers(self, day: int) -> list[Register]:
        """The opening register and one per period end."""
        start = max(known for known in self._opening if known <= day)
        for earlier in range(start, day):
            self._opening[earlier + 1] = _advance(self._opening[earlier], self._net.get(earlier, ()))[-1]
        registers = _advance(self._opening[day], self._net[day])
        self._opening[day + 1] = registers[-1]
        return registers


def runs_of(said: Sequence[int | None]) -> Iterator[range]:
    """Strips of a day that follow one another and have a value."""
    strips = [strip for strip in range(len(said) // LANES) if said[strip * LANES] is not None]
    begin = 0
    for end in range(1, len(strips) + 1):
        if end == len(strips) or strips[end] != strips[end - 1] + 1:
            yield range(strips[begin], strips[end - 1] + 1)
            begin = end


def _advance(opening: Register, net: Sequence[int]) -> list[Register]:
    registers = [opening]
    for energy in net:
        last = registers[-1]
        registers.append(Register(Wh(last.imported + max(energy, 0)), Wh(last.exported + max(-energy, 0))))
    return registers
