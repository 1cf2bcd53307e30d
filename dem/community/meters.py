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
    """One meter; its registers start at zero with day 1.

    net: metered net energy of a day by slot, Wh, for every day from 1 on that may be asked for.
    """

    def __init__(self, wallet: Wallet, net: Mapping[int, Sequence[int]]) -> None:
        self._wallet = wallet
        self._net = net
        self._opening = {1: Register(Wh(0), Wh(0))}

    def sheet(self, domain: Domain, day: int, sequence: int) -> Signed[ReadingSheet]:
        """The readings of a whole day."""
        return SignedOnDemand(domain, self._wallet.meter_key, partial(self._readings, day, sequence))

    def _readings(self, day: int, sequence: int) -> ReadingSheet:
        return ReadingSheet(self._wallet.meter, day, 0, sequence, pack_registers(self._registers(day)))

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
