"""Simulated smart meters: cumulative registers that follow the scenario's profiles, signed day by day."""

from collections.abc import Mapping, Sequence
from functools import partial

from dem.community.keys import Wallet
from dem.community.signing import SignedOnDemand
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.messages.signed import Signed
from dem.messages.signing import Domain
from dem.model.units import Wh


class Meter:
    """One meter; its registers start at zero with its first day.

    net: metered net energy of a day by slot, Wh, for every day from its first on that may be asked for.
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

    def sheet(self, domain: Domain, day: int, sequence: int, said: Sequence[int] | None = None) -> Signed[ReadingSheet]:
        """The readings of a whole day. said: net energy by slot, Wh, if it says something else than it metered."""
        return SignedOnDemand(domain, self._key, partial(self._readings, day, sequence, said))

    def _readings(self, day: int, sequence: int, said: Sequence[int] | None) -> ReadingSheet:
        registers = self._registers(day)
        if said is not None:
            registers = _advance(registers[0], said)
        return ReadingSheet(self._address, day, 0, sequence, pack_registers(registers))

    def _registers(self, day: int) -> list[Register]:
        """The opening register and one per period end."""
        start = max(known for known in self._opening if known <= day)
        for earlier in range(start, day):
            self._opening[earlier + 1] = _advance(self._opening[earlier], self._net[earlier])[-1]
        registers = _advance(self._opening[day], self._net[day])
        self._opening[day + 1] = registers[-1]
        return registers


def _advance(opening: Register, net: Sequence[int]) -> list[Register]:
    registers = [opening]
    for energy in net:
        last = registers[-1]
        registers.append(Register(Wh(last.imported + max(energy, 0)), Wh(last.exported + max(-energy, 0))))
    return registers
