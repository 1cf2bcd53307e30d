"""The tables: one for each event of each contract, by its ABI, and those of what events hold packed into words."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dem.chain.abi import EventCodec
from dem.chain.events import Event
from dem.messages.readings import net_of, registers_of
from dem.model.orders import decode_lanes
from dem.model.readings import Reading, net_of_lanes
from dem.model.rules import Tariff
from dem.model.strips import LANES, unpack, unpack_all
from dem.model.units import FROM_ZERO

Row = tuple[Any, ...]

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a word begins in a name of Solidity."""
_LARGEST = (1 << 63) - 1
"""Integer of 64 bits, of SQLite and PostgreSQL."""
_BASE = ("block INTEGER NOT NULL", "log_index INTEGER NOT NULL")
_ORIGIN = (*_BASE, "transaction_hash TEXT NOT NULL", "contract TEXT NOT NULL")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of what one event tells, and how its rows follow from it."""

    name: str
    definition: str
    rows: Callable[[Event], Iterable[Row]]


def type_name(contract: str) -> str:
    """The contract whose code this one has: a pool "CallAuction:roofs" is a CallAuction."""
    return contract.partition(":")[0]


def tables_of(codecs: Iterable[EventCodec]) -> dict[tuple[str, str], list[Table]]:
    """The tables that an event fills, by contract and name of the event."""
    found = {}
    for codec in codecs:
        key = codec.contract, codec.name
        found[key] = [_table_of(codec), *_UNPACKED.get(key, ())]
    return found


def _table_of(codec: EventCodec) -> Table:
    name = f"{_snake(codec.contract)}_{_snake(codec.name)}"
    columns = [f'"{column}" {kind} NOT NULL' for entry in codec.inputs for column, kind in _columns(entry)]
    definition = _definition(name, [*_ORIGIN, *columns], "block, log_index")

    def rows(event: Event) -> Iterator[Row]:
        values = (value for entry in codec.inputs for value in _values(entry, event.args[entry["name"]]))
        yield event.block, event.log_index, event.transaction, event.contract, *values

    return Table(name, definition, rows)


def _definition(name: str, columns: Sequence[str], key: str) -> str:
    lines = ",\n  ".join([*columns, f"PRIMARY KEY ({key})"])
    return f"CREATE TABLE {name} (\n  {lines}\n) STRICT, WITHOUT ROWID"


def _columns(entry: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and types of an argument's columns: one, or one for each member of a struct."""
    name = prefix + _snake(entry["name"])
    if entry["type"] == "tuple":
        for member in entry["components"]:
            yield from _columns(member, f"{name}_")
    else:
        yield name, _type(entry["type"])


def _type(kind: str) -> str:
    """In the words of SQLite. ANY keeps integers as they are, and as text what is too large for an INTEGER."""
    integer = re.fullmatch(r"(u?)int(\d+)", kind)
    if integer is None:
        return "INTEGER" if kind == "bool" else "TEXT"
    return "INTEGER" if int(integer[2]) + bool(integer[1]) <= 64 else "ANY"


def _values(entry: Mapping[str, Any], value: Any) -> Iterator[Any]:
    if entry["type"] == "tuple":
        for member in entry["components"]:
            yield from _values(member, value[member["name"]])
    else:
        yield _value(value)


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value <= _LARGEST else str(value)
    if isinstance(value, list | tuple):
        return json.dumps([_value(element) for element in value])
    if isinstance(value, Mapping):
        return _value(list(value.values()))
    return value.replace("\0", "\N{SYMBOL FOR NULL}")  # of which PostgreSQL has none in a text


def _snake(name: str) -> str:
    return _WORD.sub("_", name).lower()


# -------------------------------------------------------------------------------- what is packed into words


def _unpacked(name: str, columns: str, key: str, values: Callable[[Event], Iterable[Row]]) -> Table:
    """A table with several rows an event; key: the columns that tell them apart."""

    def rows(event: Event) -> Iterator[Row]:
        for row in values(event):
            yield event.block, event.log_index, *row

    columns_of_all = [f"{column.strip()} NOT NULL" for column in columns.split(",")]
    return Table(name, _definition(name, [*_BASE, *columns_of_all], f"block, log_index, {key}"), rows)


def _orders(event: Event) -> Iterator[Row]:
    """Lanes of a sheet: each stands in the place of what was there before; without energy it is a cancellation."""
    args = event.args
    days, lanes = unpack_all(args["lines"])
    lanes[days != args["day"]] = 0
    places = range(args["firstLine"] * LANES, (args["firstLine"] + len(lanes)) * LANES)
    decoded = zip(*(column.ravel().tolist() for column in decode_lanes(lanes)), strict=True)
    for place, (side, tick, energy) in zip(places, decoded, strict=True):
        yield event.contract, args["id"], args["day"], place, side, tick, energy


def _tariffs(event: Event) -> Iterator[Row]:
    """Counted from the market's lowest price, as they are packed."""
    lanes = (lane for word in event.args["words"] for lane in unpack(word)[1])
    for slot, lane in enumerate(lanes):
        tariff = Tariff.of_lane(lane, FROM_ZERO)
        yield event.args["day"], slot, tariff.buy, tariff.sell


def _readings(event: Event) -> Iterator[Row]:
    """Of strips that were not left out."""
    args = event.args
    for n, net in enumerate(net_of(registers_of(args["registers"])).tolist()):
        slot = args["firstStrip"] * LANES + n
        if not args["leftOut"] >> n // LANES & 1:
            yield args["id"], args["day"], slot, net, 0, args["substituted"] >> slot & 1


def _strips_read(event: Event) -> Iterator[Row]:
    """Strips that were not left out."""
    args = event.args
    readings = len(net_of(registers_of(args["registers"])))
    for n in range(readings // LANES):
        if not args["leftOut"] >> n & 1:
            yield args["id"], args["day"], args["firstStrip"] + n


def _estimates(event: Event) -> Iterator[Row]:
    args = event.args
    for slot, lane in enumerate(unpack(args["word"])[1], start=args["strip"] * LANES):
        yield args["id"], args["day"], slot, Reading.of_lane(lane).net, 1, 0


def _scheduled(event: Event) -> Iterator[Row]:
    for slot, net in enumerate(_nets(event)):
        yield event.args["id"], event.args["day"], slot, net


def _scheduled_days(event: Event) -> Iterator[Row]:
    """An event tells all of a day."""
    nets = _nets(event)
    bought, sold = (sum(max(sign * net, 0) for net in nets) for sign in (1, -1))
    yield event.args["id"], event.args["day"], bought, sold


def _nets(event: Event) -> list[int]:
    lanes = unpack_all([word.to_bytes(32, "big") for word in event.args["net"]])[1]
    found: list[int] = net_of_lanes(lanes).ravel().tolist()
    return found


_READING = "id INTEGER, day INTEGER, slot INTEGER, net_wh INTEGER, is_estimated INTEGER, is_substituted INTEGER"
_UNPACKED = {
    ("CallAuction", "SheetAccepted"): [
        _unpacked(
            "order_lane",
            "contract TEXT, id INTEGER, day INTEGER, place INTEGER, is_ask INTEGER, tick INTEGER, energy_wh INTEGER",
            "place",
            _orders,
        )
    ],
    ("FallbackSupply", "TariffsPublished"): [
        _unpacked("tariff", "day INTEGER, slot INTEGER, buy INTEGER, sell INTEGER", "slot", _tariffs)
    ],
    ("MeterReadings", "ReadingsAccepted"): [
        _unpacked("reading", _READING, "slot", _readings),
        _unpacked("strip_read", "id INTEGER, day INTEGER, strip INTEGER", "strip", _strips_read),
    ],
    ("MeterReadings", "Estimated"): [_unpacked("estimate", _READING, "slot", _estimates)],
    ("Schedule", "Scheduled"): [
        _unpacked("scheduled", "id INTEGER, day INTEGER, slot INTEGER, net_wh INTEGER", "slot", _scheduled),
        _unpacked(
            "scheduled_day",
            "id INTEGER, day INTEGER, bought_wh INTEGER, sold_wh INTEGER",
            "id",
            _scheduled_days,
        ),
    ],
}
"""By contract and event."""
