"""AC power flow of a network, many operating points at once, by power-grid-model.

What it finds is rounded to whole 1/1,000,000 before anything is decided. Two machines whose last decimals differ come
to the same numbers, but for the one case in many thousands that lies on the edge of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from power_grid_model import (
    BranchSide,
    CalculationMethod,
    ComponentType,
    DatasetType,
    LoadGenType,
    PowerGridModel,
    WindingType,
    initialize_array,
)

from dem.grid.network import HIGH, IMPOSSIBLE, PPM, Floats, Integers, Line, Network, Transformer

_HERTZ = 50.0
"""Lines have their susceptance, so the frequency cancels out."""
_STIFF = 1e15
"""Short-circuit power of the upper grid, VA: it keeps its voltage."""
_TOLERANCE = 1e-10
_OUTPUT: dict[Any, Any] = {
    ComponentType.node: ["u_pu"],
    ComponentType.line: ["i_from", "i_to", "p_from", "p_to"],
    ComponentType.transformer: ["i_from", "i_to", "p_from", "p_to"],
}


@dataclass(frozen=True, eq=False)
class Flow:
    """What flows at several operating points, a row each.

    voltage: of every bus, 1/1,000,000 of nominal. loading: of every branch, by current, 1/1,000,000 of its rating.
    power: into every branch at its upper end, W, negative upwards. losses: of all branches, W.
    """

    voltage: Integers
    loading: Integers
    power: Integers
    losses: Integers


class PowerFlow:
    """Power flows of a network, area by area: behind each source one is independent of the others."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.areas = [_Area(network, number) for number in range(len(network.sources))]

    def solve(self, power: Floats, reactive: Floats) -> Flow:
        """power, reactive: what every bus takes, W and var, shape (points, buses)."""
        shape = len(power), len(self.network.branches)
        found = Flow(
            np.zeros(power.shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(len(power), np.int64),
        )
        for area in self.areas:
            own = area.solve(power[:, area.buses], reactive[:, area.buses])
            found.voltage[:, area.buses] = own.voltage
            found.loading[:, area.branches] = own.loading
            found.power[:, area.branches] = own.power
            found.losses[:] += own.losses
        return found


class _Area:
    """What one source feeds."""

    def __init__(self, network: Network, number: int) -> None:
        self.network = network
        self.source = network.sources[number]
        of_bus = np.array(network.area)
        self.buses = np.flatnonzero(of_bus == number)
        self.branches = np.array(
            [i for i, branch in enumerate(network.branches) if of_bus[branch.upper] == number], dtype=np.int64
        )
        self._place = {int(bus): place for place, bus in enumerate(self.buses)}
        own = [network.branches[i] for i in self.branches]
        self._lines = np.array([i for i, branch in enumerate(own) if not branch.is_transformer], dtype=np.int64)
        self._transformers = np.array([i for i, branch in enumerate(own) if branch.is_transformer], dtype=np.int64)
        self._down = np.array([branch.starts_above for branch in own], dtype=np.bool_)
        # Current that loads a branch fully, at its first and its second end, A.
        self._full = np.array([_full_load(network, i) for i in self.branches], dtype=np.float64).reshape(-1, 2)

    @cached_property
    def model(self) -> PowerGridModel:
        """As power-grid-model has it: buses, then lines, then transformers, the source and a load at every bus."""
        network, own = self.network, [self.network.branches[i] for i in self.branches]
        lines = [network.lines[own[i].place] for i in self._lines]
        transformers = [network.transformers[own[i].place] for i in self._transformers]
        place = {network.buses[bus].name: i for bus, i in self._place.items()}
        node = initialize_array(DatasetType.input, ComponentType.node, len(self.buses))
        node["id"] = np.arange(len(self.buses))
        node["u_rated"] = [network.buses[bus].voltage for bus in self.buses]
        first = len(self.buses)
        line = _lines(lines, place, first)
        first += len(lines)
        transformer = _transformers(transformers, place, first)
        first += len(transformers)
        source = initialize_array(DatasetType.input, ComponentType.source, 1)
        source["id"], source["node"], source["status"] = first, place[self.source.bus], 1
        source["u_ref"], source["sk"] = self.source.voltage / PPM, _STIFF
        load = initialize_array(DatasetType.input, ComponentType.sym_load, len(self.buses))
        load["id"] = first + 1 + np.arange(len(self.buses))
        load["node"], load["status"], load["type"] = node["id"], 1, LoadGenType.const_power
        load["p_specified"], load["q_specified"] = 0.0, 0.0
        self._loads = load["id"]
        data = {
            ComponentType.node: node,
            ComponentType.line: line,
            ComponentType.transformer: transformer,
            ComponentType.source: source,
            ComponentType.sym_load: load,
        }
        return PowerGridModel({name: rows for name, rows in data.items() if len(rows)}, system_frequency=_HERTZ)

    def solve(self, power: Floats, reactive: Floats) -> Flow:
        """As `PowerFlow.solve`, of this area's buses.

        By iterations of currents, which need one factorisation for all points: half of Newton's time. Where they do
        not end, near what can be carried at all, Newton decides whether there is a flow.
        """
        found = self._solved(power, reactive, CalculationMethod.iterative_current)
        unsolved = np.flatnonzero((found.loading == IMPOSSIBLE).any(axis=1))
        if len(unsolved):
            again = self._solved(power[unsolved], reactive[unsolved], CalculationMethod.newton_raphson)
            for values, better in zip(vars(found).values(), vars(again).values(), strict=True):
                values[unsolved] = better
        return found

    def _solved(self, power: Floats, reactive: Floats, method: CalculationMethod) -> Flow:
        model, points = self.model, len(power)
        update = initialize_array(DatasetType.update, ComponentType.sym_load, power.shape)
        update["id"], update["p_specified"], update["q_specified"] = self._loads, power, reactive
        result = model.calculate_power_flow(
            symmetric=True,
            error_tolerance=_TOLERANCE,
            calculation_method=method,
            update_data={ComponentType.sym_load: update},
            output_component_types=_OUTPUT,
            continue_on_batch_error=True,
        )
        none = np.zeros(points, np.bool_)
        if (error := model.batch_error) is not None:
            none[np.asarray(error.failed_scenarios)] = True
        shape = points, len(self.branches)
        current, into = np.zeros((2, *shape)), np.zeros((2, *shape))
        for kind, places in ((ComponentType.line, self._lines), (ComponentType.transformer, self._transformers)):
            if len(places):
                rows = result[kind]
                current[:, :, places] = rows["i_from"], rows["i_to"]
                into[:, :, places] = rows["p_from"], rows["p_to"]
        voltage = result[ComponentType.node]["u_pu"]
        # Where no flow was found, what stands there means nothing.
        voltage[none], current[:, none], into[:, none] = 0, 0, 0
        share: Floats = np.maximum(current[0] / self._full[:, 0], current[1] / self._full[:, 1])
        loading = _whole(share * PPM)
        loading[none] = IMPOSSIBLE
        upper: Floats = np.where(self._down, into[0], into[1])
        return Flow(_whole(voltage * PPM), loading, _whole(upper), _whole(into.sum(axis=(0, 2))))


def _whole(values: npt.NDArray[Any]) -> Integers:
    rounded: Integers = np.rint(values).astype(np.int64)
    return rounded


def _full_load(network: Network, number: int) -> tuple[float, float]:
    branch = network.branches[number]
    if not branch.is_transformer:
        rating = network.lines[branch.place].rating / 1_000
        return rating, rating
    own = network.transformers[branch.place]
    return own.rating / (3**0.5 * own.high_voltage), own.rating / (3**0.5 * own.low_voltage)


def _lines(lines: Sequence[Line], place: dict[str, int], first: int) -> npt.NDArray[np.void]:
    rows = initialize_array(DatasetType.input, ComponentType.line, len(lines))
    rows["id"] = first + np.arange(len(lines))
    rows["from_node"], rows["to_node"] = [place[line.start] for line in lines], [place[line.end] for line in lines]
    rows["from_status"], rows["to_status"] = 1, 1
    rows["r1"], rows["x1"] = [line.r / 1e6 for line in lines], [line.x / 1e6 for line in lines]
    rows["c1"], rows["tan1"] = [line.b / 1e9 / (2 * np.pi * _HERTZ) for line in lines], 0.0
    rows["i_n"] = [line.rating / 1_000 for line in lines]
    return rows


def _transformers(transformers: Sequence[Transformer], place: dict[str, int], first: int) -> npt.NDArray[np.void]:
    rows = initialize_array(DatasetType.input, ComponentType.transformer, len(transformers))
    rows["id"] = first + np.arange(len(transformers))
    rows["from_node"], rows["to_node"] = (
        [place[own.high] for own in transformers],
        [place[own.low] for own in transformers],
    )
    rows["from_status"], rows["to_status"] = 1, 1
    # Behind one source the shift of a winding turns all angles alike, and no magnitude.
    rows["winding_from"], rows["winding_to"], rows["clock"] = WindingType.wye_n, WindingType.wye_n, 0
    for name, values in {
        "u1": [own.high_voltage for own in transformers],
        "u2": [own.low_voltage for own in transformers],
        "sn": [own.rating for own in transformers],
        "uk": [own.short_circuit / PPM for own in transformers],
        "pk": [own.copper_loss for own in transformers],
        "i0": [own.magnetising / PPM for own in transformers],
        "p0": [own.iron_loss for own in transformers],
        "tap_side": [BranchSide.from_side if own.tap_side == HIGH else BranchSide.to_side for own in transformers],
        "tap_pos": [own.tap_position for own in transformers],
        "tap_min": [own.tap_lowest for own in transformers],
        "tap_max": [own.tap_highest for own in transformers],
        "tap_nom": [own.tap_neutral for own in transformers],
        "tap_size": [
            own.tap_step / PPM * (own.high_voltage if own.tap_side == HIGH else own.low_voltage) for own in transformers
        ],
    }.items():
        rows[name] = values
    return rows
