"""Simulated smart meters: cumulative registers that follow the scenario's profiles, signed day by day."""

from collections.abc import Mapping, Sequence

from dem.signing import Domain, ReadingSheet, Register, SignedSheet, compact, pack_registers, sign
from dem.units import Wh
from dem.wallets import Wallet


class Meter:
    """One meter; its registers start at zero with day 1.

    net: metered net energy of a day by slot, Wh, for every day from 1 on that may be asked for.
    """

    def __init__(self, wallet: Wallet, net: Mapping[int, Sequence[int]]) -> None:
        self._wallet = wallet
        self._net = net
        self._opening = {1: Register(Wh(0), Wh(0))}

    @property
    def address(self) -> str:
        """Of the key it signs with."""
        return self._wallet.meter

    def sheet(self, day: int, sequence: int, domain: Domain) -> SignedSheet:
        """The signed readings of a whole day."""
        registers = self._registers(day)
        message = ReadingSheet(self._wallet.meter, day, 0, sequence, pack_registers(registers))
        signature = sign(domain, message, self._wallet.meter_key)
        return (message.meter, day, 0, sequence, message.registers), *compact(signature)

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


def boundary(net: Mapping[str, Sequence[int]]) -> list[int]:
    """What the meter at the area's boundary shows: everybody's net energy and the network's losses, Wh by slot."""
    return [sum(values) for values in zip(*net.values(), strict=True)]
