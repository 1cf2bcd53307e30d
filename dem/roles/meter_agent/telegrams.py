"""What a meter says of its registers: telegrams of its customer interface (P1, DSMR), and plain readings in JSON.

Exact to the Wh. A telegram that was damaged on the way, or is of another meter, is refused with the reason.
"""

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from dem.errors import InputError
from dem.formats import first_mistake

MOST_BYTES = 8_192
"""Of a telegram: those of DSMR 5 have some 1,000."""
_LARGEST = 1 << 63
"""Registers fit 64 bits, and the integers of SQLite."""
_FRAME = re.compile(rb"(/[^!]*!)([0-9A-Fa-f]{4})[\r\n]*")
_OBJECT = re.compile(r"(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3})(?:\*\d{1,3})?(\(.*\))")
_ENERGY = re.compile(r"\(([0-9]{1,12}(?:\.[0-9]{1,6})?)\*(k?Wh)\)")
_TIME = re.compile(r"\((\d{12})([SW])\)")
_TIMESTAMP = "0-0:1.0.0"
_SERIALS = ("0-0:96.1.1", "0-0:96.1.0", "0-0:42.0.0", "0-0:98.1.1")
"""Where meters tell who they are: the Netherlands and Belgium; then others."""
_HOURS = {"S": 2, "W": 1}
"""Offset of summer and of winter time: meters with this interface stand in Central Europe's time."""


class Seen(NamedTuple):
    """Registers of a meter at a moment, Wh. at: unix time. serial: what the meter calls itself."""

    serial: str
    at: int
    imported: int
    exported: int


def crc16(data: bytes) -> int:
    """CRC-16/ARC, as P1 telegrams carry it: polynomial x16 + x15 + x2 + 1, least significant bit first, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def read_telegram(where: str, payload: bytes) -> Seen:
    """A P1 telegram, from its slash to its check sum.

    Raises:
        InputError: it is none, was damaged, or lacks its time, its meter or its registers.
    """
    frame = _FRAME.fullmatch(_small(where, payload))
    if not frame:
        raise InputError(where, None, "is no telegram from / to ! and a check sum: DSMR 4 or newer is needed")
    found = crc16(frame[1])
    if found != int(frame[2], 16):
        told = frame[2].decode()
        raise InputError(where, told, f"is not its check sum, {found:04X}: it was damaged on the way")
    objects: dict[str, str] = {}
    for line in frame[1].decode("ascii", "replace").splitlines():
        if item := _OBJECT.fullmatch(line.strip()):
            if item[1] in objects and objects[item[1]] != item[2]:
                raise InputError(where, item[1], "is there twice, with different values")
            objects[item[1]] = item[2]
    serial = next((objects[name][1:-1] for name in _SERIALS if name in objects), "")
    if not serial:
        raise InputError(where, None, f"does not say whose it is: {' or '.join(_SERIALS)} is needed")
    registers = (_register(where, objects, code) for code in ("1", "2"))
    imported, exported = registers
    if imported is None:
        raise InputError(where, None, "has no register of import: 1-0:1.8.0, or 1-0:1.8.1 and following")
    return Seen(serial, _time(where, objects.get(_TIMESTAMP, "")), imported, exported or 0)


def _small(where: str, payload: bytes) -> bytes:
    if len(payload) > MOST_BYTES:
        raise InputError(where, None, f"has {len(payload)} bytes: at most {MOST_BYTES}")
    return payload


def _register(where: str, objects: dict[str, str], code: str) -> int | None:
    """Wh of all tariffs together; a meter that tells the total tells it as such."""
    names = [name for name in objects if re.fullmatch(rf"1-\d{{1,3}}:{code}\.8\.\d", name)]
    totals = [name for name in names if name.endswith(".0")]
    if len(totals) > 1:
        raise InputError(where, ", ".join(totals), "are several totals, and only one can be the meter's")
    if not names:
        return None
    return sum(_energy(f"{where}, {name}", objects[name]) for name in totals or names)


def _energy(where: str, text: str) -> int:
    found = _ENERGY.fullmatch(text)
    if not found:
        raise InputError(where, text[:40], "is no energy such as (000123.456*kWh)")
    energy = Decimal(found[1]) * (1_000 if found[2] == "kWh" else 1)
    if energy != int(energy):
        raise InputError(where, text[:40], "is no whole number of Wh")
    return int(energy)


def _time(where: str, text: str) -> int:
    found = _TIME.fullmatch(text)
    if not found:
        raise InputError(f"{where}, {_TIMESTAMP}", text[:40] or None, "is no time such as (260301120000W)")
    try:
        local = datetime.strptime(found[1], "%y%m%d%H%M%S")  # noqa: DTZ007 - the letter after it is its zone
    except ValueError:
        raise InputError(f"{where}, {_TIMESTAMP}", text, "is no time of the calendar") from None
    return int(local.replace(tzinfo=timezone(timedelta(hours=_HOURS[found[2]]))).timestamp())


Register = Annotated[int, Field(ge=0, lt=_LARGEST)]


class Plain(BaseModel):
    """A reading in JSON. at: with its offset."""

    model_config = ConfigDict(extra="forbid", strict=True)

    meter: str = Field(min_length=1, max_length=64)
    at: AwareDatetime
    import_wh: Register
    export_wh: Register = 0


def read_plain(where: str, payload: bytes) -> Seen:
    """A reading in JSON.

    Raises:
        InputError: it is none, or a field is missing, unknown or will not do.
    """
    try:
        found = Plain.model_validate_json(_small(where, payload))
    except ValidationError as error:
        # Without the value: what a home takes is not for a log.
        mistake = first_mistake(where, error)
        raise InputError(mistake.where, None, mistake.why) from None
    if found.at.microsecond:
        raise InputError(f"{where}, at", found.at.isoformat(), "must be a whole second")
    return Seen(found.meter, int(found.at.timestamp()), found.import_wh, found.export_wh)
