"""What meters sign: their registers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, RegisterDecreasedError, require_range
from dem.model.strips import LANES
from dem.model.units import Wh

REGISTER_BYTES = 16
"""Import and export register of one reading, Wh, uint64 each, big endian."""


@dataclass(frozen=True, slots=True)
class ReadingSheet:
    """A meter's registers (see pack_registers) from the opening of strip `first_strip` on.

    substituted: periods of the day, a bit each, whose values the metering operator has put in the place of readings.
    """

    TYPE: ClassVar = (
        ("meter", "address"),
        ("day", "uint32"),
        ("firstStrip", "uint8"),
        ("sequence", "uint40"),
        ("registers", "bytes"),
        ("substituted", "uint96"),
    )
    meter: str
    day: int
    first_strip: int
    sequence: int
    registers: bytes
    substituted: int = 0


@dataclass(frozen=True, slots=True)
class LateReading:
    """What a member's meter counted on a final day, once it is known better.

    run: number of the late reconciliation of this member and day. net: a word of six signed lanes for each strip.
    """

    TYPE: ClassVar = (("id", "uint32"), ("day", "uint32"), ("run", "uint8"), ("net", "bytes32[]"))
    id: int
    day: int
    run: int
    net: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """Cumulative energy a meter has counted, Wh."""

    imported: Wh
    exported: Wh


def pack_registers(registers: Sequence[Register]) -> bytes:
    """Registers as a ReadingSheet carries them: the opening one, then one per period end.

    Raises:
        InputError: a register beyond 64 bits.
    """
    data = bytearray()
    for n, register in enumerate(registers):
        for energy in (register.imported, register.exported):
            require_range(f"register {n}", energy, 0, (1 << 64) - 1)
            data += energy.to_bytes(8, "big")
    return bytes(data)


def registers_of(registers: bytes) -> NDArray[np.uint64]:
    """The registers of a ReadingSheet, Wh: a row per reading, import and export.

    Raises:
        InputError: not the length of an opening register and whole strips.
    """
    strip_bytes = LANES * REGISTER_BYTES
    if len(registers) <= REGISTER_BYTES or len(registers) % strip_bytes != REGISTER_BYTES:
        why = f"bytes is not {REGISTER_BYTES} and a multiple of {strip_bytes}"
        raise InputError("registers", len(registers), why)
    return np.frombuffer(registers, ">u8").reshape(-1, 2).astype(np.uint64)


def net_of(registers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Import - export of each period between two registers, Wh; no sense in it where a register runs backwards."""
    energy = np.diff(registers, axis=0).astype(np.int64)
    return energy[:, 0] - energy[:, 1]


def net_consumption(registers: bytes) -> NDArray[np.int64]:
    """Import - export of each period between two registers of a ReadingSheet, Wh; one fewer than registers.

    Raises:
        InputError: not the length of an opening register and whole strips.
        RegisterDecreasedError: a register below the one before it.
    """
    table = registers_of(registers)
    for n, column in np.argwhere(table[1:] < table[:-1])[:1].tolist():
        raise RegisterDecreasedError(n + 1, int(table[n, column]), int(table[n + 1, column]))
    return net_of(table)
