"""A radial network as plain tables of whole numbers, checked as it is read, and the hash that names it.

`docs/guide/grid.md` describes every table and column. All lines and transformers of the tables are in service; where a
switch is open, the line is left out.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from eth_hash.auto import keccak

from dem.errors import InputError, Mistakes
from dem.tables import Cell, Row, read_rows

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PPM = 1_000_000
IMPOSSIBLE = 10**9
"""Loading where no power flow exists: so much cannot be carried at all. The voltage is 0 then."""
HIGH: Final = "high"
LOW: Final = "low"
T = TypeVar("T")
BUSES, LINES, TRANSFORMERS, SOURCES, LIMITS = "buses", "lines", "transformers", "sources", "limits"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    BUSES: ("bus", "voltage_v", "x_m", "y_m"),
    LINES: ("line", "from_bus", "to_bus", "r_uohm", "x_uohm", "b_ns", "rating_ma"),
    TRANSFORMERS: (
        "transformer",
        "high_bus",
        "low_bus",
        "rating_va",
        "high_voltage_v",
        "low_voltage_v",
        "short_circuit_ppm",
        "copper_loss_w",
        "iron_loss_w",
        "magnetising_ppm",
        "tap_side",
        "tap_position",
        "tap_neutral",
        "tap_lowest",
        "tap_highest",
        "tap_step_ppm",
    ),
    SOURCES: ("source", "bus", "voltage_ppm"),
    LIMITS: (
        "lowest_voltage_ppm",
        "highest_voltage_ppm",
        "loading_ppm",
        "load_reactive_permille",
        "plant_reactive_permille",
    ),
}
"""Columns of every table, in their order."""
_VOLTAGE_APART_PERCENT = 20
"""A winding's rated voltage may be so far from its bus's nominal one."""
_WIDEST_TAP_PPM = 300_000


class Bus(NamedTuple):
    """voltage: between two phases, V. x, y: m from the south-west corner, where it is known."""

    name: str
    voltage: int
    x: int | None
    y: int | None


class Line(NamedTuple):
    """r, x: of a phase, micro-ohm. b: nS. rating: mA."""

    name: str
    start: str
    end: str
    r: int
    x: int
    b: int
    rating: int


class Transformer(NamedTuple):
    """rating: VA. high_voltage, low_voltage: of its windings, V. Losses in W, other shares in 1/1,000,000."""

    name: str
    high: str
    low: str
    rating: int
    high_voltage: int
    low_voltage: int
    short_circuit: int
    copper_loss: int
    iron_loss: int
    magnetising: int
    tap_side: Literal["high", "low"]
    tap_position: int
    tap_neutral: int
    tap_lowest: int
    tap_highest: int
    tap_step: int


class Source(NamedTuple):
    """Where the upper grid feeds the network. voltage: that it keeps, 1/1,000,000 of nominal."""

    name: str
    bus: str
    voltage: int


class Limits(NamedTuple):
    """What is allowed, in 1/1,000,000 of nominal voltage and of rating; reactive power in 1/1000 of the real one.

    load_reactive: of what is drawn. plant_reactive: of what is fed in; plants take it up.
    """

    lowest_voltage: int = 900_000
    highest_voltage: int = 1_100_000
    loading: int = PPM
    load_reactive: int = 0
    plant_reactive: int = 0


class Branch(NamedTuple):
    """A line or a transformer as a part of the tree. upper, lower: numbers of its buses, seen from the source."""

    name: str
    upper: int
    lower: int
    is_transformer: bool
    place: int
    """In its table."""
    starts_above: bool
    """Whether its first bus is the upper one."""


@dataclass(frozen=True)
class Network:
    """A network that was checked: every bus has one way to one source."""

    buses: tuple[Bus, ...]
    lines: tuple[Line, ...]
    transformers: tuple[Transformer, ...]
    sources: tuple[Source, ...]
    limits: Limits

    @cached_property
    def number(self) -> Mapping[str, int]:
        """Of a bus, by its name."""
        return {bus.name: number for number, bus in enumerate(self.buses)}

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """From the sources outwards: a branch comes after the one that feeds it."""
        return tuple(_tree(self))

    @cached_property
    def feeding(self) -> tuple[int | None, ...]:
        """Of each bus the branch that feeds it, by number; None at a source."""
        found: list[int | None] = [None] * len(self.buses)
        for number, branch in enumerate(self.branches):
            found[branch.lower] = number
        return tuple(found)

    @cached_property
    def depth(self) -> tuple[int, ...]:
        """Of each branch: how many others lie between it and its source."""
        found: list[int] = []
        for branch in self.branches:
            above = self.feeding[branch.upper]
            found.append(0 if above is None else found[above] + 1)
        return tuple(found)

    @cached_property
    def area(self) -> tuple[int, ...]:
        """Of each bus the number of its source."""
        found = [-1] * len(self.buses)
        for number, source in enumerate(self.sources):
            found[self.number[source.bus]] = number
        for branch in self.branches:
            found[branch.lower] = found[branch.upper]
        return tuple(found)

    @cached_property
    def behind(self) -> tuple["np.ndarray[tuple[int], np.dtype[np.bool_]]", ...]:
        """The zone of each branch: which buses it feeds."""
        found = [np.zeros(len(self.buses), np.bool_) for _ in self.branches]
        for number in range(len(self.branches) - 1, -1, -1):
            branch = self.branches[number]
            found[number][branch.lower] = True
            above = self.feeding[branch.upper]
            if above is not None:
                found[above] |= found[number]
        return tuple(found)

    def zones_of(self, bus: int) -> list[int]:
        """The branches that feed a bus, from the nearest to the source."""
        found, above = [], self.feeding[bus]
        while above is not None:
            found.append(above)
            above = self.feeding[self.branches[above].upper]
        return found

    def feeder_of(self, bus: int) -> list[int]:
        """The zones to hold if a bus is out of the voltage band: its feeder, then all of its area.

        A feeder is what a line feeds that begins where a transformer or the source ends.
        """
        zones = self.zones_of(bus)
        lines = [zone for zone in zones if not self.branches[zone].is_transformer]
        return list(dict.fromkeys([*lines[-1:], *zones[-1:]]))

    @cached_property
    def places(self) -> Floats:
        """Where buses are drawn, shape (buses, 2): where they are, or else as a tree, from the sources down."""
        if all(bus.x is not None and bus.y is not None for bus in self.buses):
            return np.array([(bus.x, bus.y) for bus in self.buses], np.float64)
        found = np.zeros((len(self.buses), 2))
        below: dict[int, list[int]] = {}
        for branch in self.branches:
            below.setdefault(branch.upper, []).append(branch.lower)
        column = 0
        waiting = [(self.number[source.bus], 0) for source in reversed(self.sources)]
        while waiting:
            bus, depth = waiting.pop()
            found[bus] = column, -depth
            column += not below.get(bus)
            waiting += [(lower, depth + 1) for lower in reversed(below.get(bus, []))]
        return found

    @cached_property
    def rows(self) -> Mapping[str, Sequence[Sequence[object]]]:
        """The tables, in the order of their columns."""
        places = [(*bus[:2], *("" if at is None else at for at in bus[2:])) for bus in self.buses]
        return {
            BUSES: places,
            LINES: [*self.lines],
            TRANSFORMERS: [*self.transformers],
            SOURCES: [*self.sources],
            LIMITS: [self.limits],
        }

    @cached_property
    def digest(self) -> str:
        """Names the network: keccak-256 of its tables one after another, each as it is written."""
        return "0x" + keccak(b"".join(as_csv(COLUMNS[table], self.rows[table]) for table in COLUMNS)).hex()

    def write(self, folder: Path) -> None:
        """Write the tables."""
        folder.mkdir(parents=True, exist_ok=True)
        for table, columns in COLUMNS.items():
            (folder / f"{table}.csv").write_bytes(as_csv(columns, self.rows[table]))


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as it is written: the same bytes everywhere."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue().encode()


def read_network(folder: Path, mistakes: Mistakes | None = None) -> Network:
    """Read and check the network in a folder.

    Raises:
        InputError: a table is missing, or something in it is wrong. Where mistakes are gathered, they are there, too.
    """
    mistakes = mistakes or Mistakes()
    before = len(mistakes.found)
    reading = _Reading(folder, mistakes)
    network = Network(
        tuple(reading.table(BUSES, reading.bus)),
        tuple(reading.table(LINES, reading.line)),
        tuple(reading.table(TRANSFORMERS, reading.transformer)),
        tuple(reading.table(SOURCES, reading.source)),
        reading.limits(),
    )
    reading.check_tree(network)
    if len(mistakes.found) > before:
        raise InputError(str(folder), None, "holds no network that can be computed")
    return network


class _Reading:
    """The tables of a folder, row by row; where each name stands, for what is found out later."""

    def __init__(self, folder: Path, mistakes: Mistakes) -> None:
        self.folder = folder
        self.mistakes = mistakes
        self.voltages: dict[str, int] = {}
        self.cells: dict[tuple[str, str], Cell] = {}

    def table(self, name: str, row_of: Callable[[Row], T]) -> list[T]:
        """Rows of one table, without those that are wrong."""
        path = self.folder / f"{name}.csv"
        found: list[T] = []
        for row in read_rows(path, COLUMNS[name], (), self.mistakes):
            with self.mistakes:
                key = row[COLUMNS[name][0]]
                if not key.text:
                    raise key.wrong("must have a name")
                if (name, key.text) in self.cells:
                    raise key.wrong("is there twice")
                self.cells[name, key.text] = key
                found.append(row_of(row))
        if not found and name in (BUSES, SOURCES, LIMITS):
            self.mistakes.add(InputError(str(path), None, "has no rows"))
        return found

    def bus(self, row: Row) -> Bus:
        voltage = _positive(row["voltage_v"], "a bus without a voltage cannot be computed")
        self.voltages[row["bus"].text] = voltage
        x, y = (row[column].integer() if row[column].text else None for column in ("x_m", "y_m"))
        return Bus(row["bus"].text, voltage, x, y)

    def line(self, row: Row) -> Line:
        start, end = self._ends(row, "from_bus", "to_bus")
        if self.voltages[start] != self.voltages[end]:
            raise row["to_bus"].wrong(
                f"has {self.voltages[end]} V, but {start} has {self.voltages[start]} V: a transformer must be between"
            )
        r, x = row["r_uohm"].integer(), row["x_uohm"].integer()
        if not r + x:
            raise row["r_uohm"].wrong("and x_uohm are zero: a line without impedance is one bus, so give it one name")
        rating = _positive(row["rating_ma"], "the rating is missing: what current may flow, in mA")
        return Line(row["line"].text, start, end, r, x, row["b_ns"].integer(), rating)

    def transformer(self, row: Row) -> Transformer:
        high, low = self._ends(row, "high_bus", "low_bus")
        rating = _positive(row["rating_va"], "the rating is missing: what power it may pass, in VA")
        voltages = [_positive(row[f"{side}_voltage_v"], "the winding's voltage is missing") for side in (HIGH, LOW)]
        for side, bus, voltage in zip((HIGH, LOW), (high, low), voltages, strict=True):
            if abs(voltage - self.voltages[bus]) * 100 > _VOLTAGE_APART_PERCENT * self.voltages[bus]:
                raise row[f"{side}_voltage_v"].wrong(f"is too far from the {self.voltages[bus]} V of {bus}")
        short_circuit = _positive(row["short_circuit_ppm"], "a transformer without impedance cannot be computed")
        copper = row["copper_loss_w"].integer()
        if copper * PPM > (short_circuit + 1) * rating:  # both are rounded
            raise row["copper_loss_w"].wrong("is more than short_circuit_ppm allows")
        iron, magnetising = row["iron_loss_w"].integer(), row["magnetising_ppm"].integer()
        if iron * PPM > (magnetising + 1) * rating:
            raise row["iron_loss_w"].wrong("is more than magnetising_ppm allows")
        if row["tap_side"].text not in (HIGH, LOW):
            raise row["tap_side"].wrong(f"must be {HIGH} or {LOW}")
        position, neutral, lowest, highest = (
            row[f"tap_{what}"].multiple(1, "steps") for what in ("position", "neutral", "lowest", "highest")
        )
        if not lowest <= position <= highest:
            raise row["tap_position"].wrong(f"must be {lowest} to {highest}")
        step = row["tap_step_ppm"].integer()
        if max(abs(lowest - neutral), abs(highest - neutral)) * step > _WIDEST_TAP_PPM:
            raise row["tap_step_ppm"].wrong(f"takes the ratio further off than {_WIDEST_TAP_PPM} ppm")
        return Transformer(
            row["transformer"].text,
            high,
            low,
            rating,
            voltages[0],
            voltages[1],
            short_circuit,
            copper,
            iron,
            magnetising,
            HIGH if row["tap_side"].text == HIGH else LOW,
            position,
            neutral,
            lowest,
            highest,
            step,
        )

    def source(self, row: Row) -> Source:
        bus = self._bus(row["bus"])
        return Source(row["source"].text, bus, _positive(row["voltage_ppm"], "1000000 is the nominal voltage"))

    def limits(self) -> Limits:
        """The only row of its table; its first column is a number, not a name."""
        rows = self.table(LIMITS, self._limits)
        if len(rows) > 1:
            self.mistakes.add(
                InputError(str(self.folder / f"{LIMITS}.csv"), len(rows), "rows are too many: it has one")
            )
        return rows[0] if rows else Limits()

    def _limits(self, row: Row) -> Limits:
        found = Limits(*(row[column].integer() for column in COLUMNS[LIMITS]))
        if not found.lowest_voltage < PPM < found.highest_voltage:
            raise row["lowest_voltage_ppm"].wrong("and highest_voltage_ppm must have the nominal 1000000 between them")
        _positive(row["loading_ppm"], "1000000 allows all of the rating")
        return found

    def _ends(self, row: Row, start: str, end: str) -> tuple[str, str]:
        names = self._bus(row[start]), self._bus(row[end])
        if names[0] == names[1]:
            raise row[end].wrong(f"is its {start}, too")
        return names

    def _bus(self, cell: Cell) -> str:
        if cell.text not in self.voltages:
            raise cell.wrong(f"is no bus of {BUSES}.csv")
        return cell.text

    def check_tree(self, network: Network) -> None:
        """Every bus has one way to one source: a branch that makes a second one is named, and a bus that has none."""
        joined = {bus.name: bus.name for bus in network.buses}

        def top(name: str) -> str:
            while joined[name] != name:
                joined[name] = name = joined[joined[name]]
            return name

        first = network.sources[0].bus if network.sources else ""
        for source in network.sources[1:]:
            if top(source.bus) == top(first):
                self._refuse(SOURCES, source.name, "is at a bus that has a source")
                continue
            joined[top(source.bus)] = top(first)
        for table, branch in [*((LINES, line) for line in network.lines)] + [
            (TRANSFORMERS, transformer) for transformer in network.transformers
        ]:
            ends = top(branch[1]), top(branch[2])
            if ends[0] == ends[1]:
                why = "closes a loop, or joins two sources: the network must be a tree, so leave out where it is open"
                self._refuse(table, branch.name, why)
                continue
            joined[ends[0]] = ends[1]
        for bus in network.buses:
            if first and top(bus.name) != top(first):
                self._refuse(BUSES, bus.name, "has no path to a source")

    def _refuse(self, table: str, name: str, why: str) -> None:
        with self.mistakes:
            raise self.cells[table, name].wrong(why)


def _positive(cell: Cell, why: str) -> int:
    if not cell.text or not cell.integer():
        raise cell.wrong(why)
    return cell.integer()


def _tree(network: Network) -> Iterable[Branch]:
    """Branches, breadth first from the sources; of one bus in the order of the tables."""
    number = network.number
    at: list[list[tuple[int, int, bool, str]]] = [[] for _ in network.buses]
    firsts: dict[tuple[bool, int], int] = {}
    ends = [(False, place, line.name, line.start, line.end) for place, line in enumerate(network.lines)]
    ends += [(True, place, own.name, own.high, own.low) for place, own in enumerate(network.transformers)]
    for is_transformer, place, name, first, last in ends:
        start, end = number[first], number[last]
        firsts[is_transformer, place] = start
        at[start].append((end, place, is_transformer, name))
        at[end].append((start, place, is_transformer, name))
    waiting = [number[source.bus] for source in network.sources]
    seen = set(waiting)
    for upper in waiting:
        for lower, place, is_transformer, name in at[upper]:
            if lower not in seen:
                seen.add(lower)
                waiting.append(lower)
                yield Branch(name, upper, lower, is_transformer, place, firsts[is_transformer, place] == upper)
