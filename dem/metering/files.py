"""A file of a metering operator, whatever its format: found out from what is in it, never from its name."""

from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from dem.errors import InputError
from dem.metering import austria, cim, mscons, template
from dem.metering.record import MOST_BYTES, Delivery
from dem.metering.rows import read_table
from dem.metering.xml import parse

_XML = (b"<", b"\xff\xfe<", b"\xfe\xff\0<")
_FORMATS = "the template, Austrian energy data, CIM A45 and MSCONS"


def zone_of(where: str, name: str | None) -> tzinfo:
    """The zone of times without offset. name: None if they have to have one. where: it was named.

    Raises:
        InputError: there is none of that name.
    """
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise InputError(where, name, "is no time zone: such as Europe/Vienna") from None


def read_delivery(path: Path, zone: tzinfo) -> Delivery:
    """All of a file, or nothing. zone: of times without offset; `datetime.UTC` if they have to have one.

    Raises:
        InputError: it is of no format that is known, too large, or something in it will not do.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(str(path), None, f"cannot be read: {error.strerror}") from error
    return parse_delivery(path, content, zone)


def parse_delivery(path: Path, content: bytes, zone: tzinfo) -> Delivery:
    """The same of a file's content. path: what it is called in errors."""
    if len(content) > MOST_BYTES:
        raise InputError(str(path), None, f"is larger than {MOST_BYTES >> 20} MiB, so divide it")
    if not content.strip():
        raise InputError(str(path), None, "is empty")
    if mscons.is_edifact(content):
        return mscons.read_mscons(path, content)
    if content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_XML):
        root = parse(path, content)
        if root.name == austria.MESSAGE:
            return austria.read_message(path, root)
        if cim.is_cim(root):
            return cim.read_cim(path, root)
        raise InputError(f"{path}, line {root.line}", root.name[:80], f"begins no format that is read: {_FORMATS}")
    table = read_table(path, content)
    if template.is_template(table):
        return template.read_template(path, table, zone)
    if austria.is_energy_data(table):
        return austria.read_energy_data(path, table, zone)
    first, values = table.rows[0] if table.rows else (1, [""])
    why = f"begins no format that is read: {_FORMATS}"
    raise InputError(f"{path}, {table.lines} {first}", ",".join(values)[:80], why)
