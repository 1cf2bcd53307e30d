"""The network: seconds of power flows and limits, and how much the limits cut beside the least that could be cut.

    bench/grid.py                                             writes bench/grid.json and bench/grid.md
    bench/grid.py "village, plants x 1"                       only that row; the others stay as they were

pandapower is measured in the same run. The least is the best that a successive linear program finds (scipy, HiGHS): it
takes from whom it suits, and is linearised around its own result until it stands still. It is a measure, not a rule.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import pandapower
from host import machine
from scipy.optimize import linprog

from dem.community.scenario import load_scenario
from dem.grid.limits import Dispatcher
from dem.grid.network import Limits
from dem.grid.programme import in_rows
from dem.grid.violations import violations

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from support.pandapower_net import net_of  # noqa: E402

SCENARIOS = {"village": "rural-sunday", "town": "town"}
ROUNDS = 3
CHARGER_WH, CHARGERS = 2_750, 376
"""A quarter-hour of a charger of 11 kW, and every fourth home."""
EVENING = range(68, 84)
"""Quarter-hours from 17 to 21 h."""
GOALS = {"seconds": 20.0, "transformer": 1.03, "local": 1.4}
SAMPLE = 4
NUMBA = version("numba") if find_spec("numba") else "none"
_SMALLEST = 1e-5
_MARGIN_PPM = 20
_NUDGE_WH = 20

INTRODUCTION = """# The network

`dem.grid` beside pandapower {pandapower} (Newton, with numba: {numba}), in the same run. Seconds of the processor, one
thread, the median of {rounds} rounds. 96 power flows are a day.

Written by bench/grid.py (`make bench-grid`) on {machine}.
"""


def dispatcher(name: str, pv: int = 1, limits: Limits | None = None, rating: int = 0) -> tuple[Dispatcher, np.ndarray]:
    """A network with its members, and what their meters showed; pv: plants are so many times as large."""
    scenario = load_scenario(HERE.parent / "scenarios" / SCENARIOS[name])
    network, connections = scenario.network, scenario.connections
    assert network is not None
    assert connections is not None
    if rating:
        own = (
            row._replace(rating=rating, copper_loss=row.copper_loss * rating // row.rating)
            for row in network.transformers
        )
        network = replace(network, transformers=tuple(own))
    network = replace(network, limits=limits or network.limits)
    net = in_rows(connections.names, scenario.metered(1), 96)
    net = np.where(net < 0, pv * net, net)
    return Dispatcher(network, replace(connections, exports=connections.exports * pv), 900), net


def with_chargers(net: np.ndarray) -> np.ndarray:
    """An evening on which every fourth home charges a car."""
    charged = net.copy()
    every = max(1, len(net) // CHARGERS)
    charged[np.ix_(range(0, every * CHARGERS, every), EVENING)] += CHARGER_WH
    return charged


def seconds(act: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Of the processor, after a first time that does not count."""
    act()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return median(taken)


def by_pandapower(own: Dispatcher, net: np.ndarray) -> Callable[[], object]:
    """The same flows, one after another."""
    power, reactive = own.connections.power(own.network, net, own.seconds)
    model = net_of(own.network)

    def act() -> None:
        for real, other in zip(power, reactive, strict=True):
            model.load["p_mw"], model.load["q_mvar"] = real / 1e6, other / 1e6
            pandapower.runpp(model, numba=NUMBA != "none")

    return act


def least(own: Dispatcher, net: np.ndarray, area: int, start: np.ndarray) -> float:
    """Wh that must be cut of one period and area, by successive linear programs from a start that is within limits.

    A result counts if an AC power flow finds it within the limits and a margin of rounding. The start is the worst one.
    """
    limit, flow_of = own.network.limits, own.power_flow.areas[area]
    members = np.flatnonzero(np.array(own.network.area)[own.connections.bus] == area)
    wants, now = net[members].astype(float), start[members].astype(float)
    best = abs(wants - now).sum()

    def look(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        whole = np.zeros((len(net), values.shape[1]))
        whole[members] = values
        power, reactive = own.connections.power(own.network, np.rint(whole * 1000).astype(np.int64), own.seconds)
        flow = flow_of.solve(power[:, flow_of.buses] / 1000, reactive[:, flow_of.buses] / 1000)
        return flow.loading, flow.voltage

    buses = own.connections.bus[members]
    kinds, where = np.unique(buses, return_inverse=True)
    radius = float(abs(wants).max())
    for _ in range(12):
        # Of all members of one bus a Wh does the same: one nudge for each bus and sign.
        nudged = np.repeat(now[:, np.newaxis], len(kinds) + 1, axis=1)
        first = [np.flatnonzero(where == kind)[0] for kind in range(len(kinds))]
        for kind, member in enumerate(first):
            nudged[member, kind + 1] += _NUDGE_WH if wants[member] >= 0 else -_NUDGE_WH
        loading, voltage = look(nudged)
        signs = np.array([1 if wants[member] >= 0 else -1 for member in first])
        by_load = ((loading[1:] - loading[0]) / (_NUDGE_WH * signs[:, np.newaxis]))[where]
        by_voltage = ((voltage[1:] - voltage[0]) / (_NUDGE_WH * signs[:, np.newaxis]))[where]
        near = loading[0] > limit.loading * 0.6
        low, high = (
            np.flatnonzero(voltage[0] < limit.lowest_voltage + 20_000),
            np.flatnonzero(voltage[0] > limit.highest_voltage - 20_000),
        )
        rows = np.concatenate([by_load[:, near].T, -by_voltage[:, low].T, by_voltage[:, high].T])
        room = (
            np.concatenate(
                [
                    limit.loading - loading[0][near],
                    voltage[0][low] - limit.lowest_voltage,
                    limit.highest_voltage - voltage[0][high],
                ]
            )
            - 1.0
        )
        if not len(rows):
            return float(best)
        bounds = [
            (max(min(0.0, want) - at, -radius), min(max(0.0, want) - at, radius))
            for want, at in zip(wants, now, strict=True)
        ]
        result = linprog(-np.sign(wants), rows, room, bounds=bounds, method="highs")
        if result.status != 0:
            radius /= 2
            continue
        reached = now + result.x
        loading, voltage = (values[0] for values in look(reached[:, np.newaxis]))
        within = (
            loading.max() <= limit.loading + _MARGIN_PPM
            and voltage.min() >= limit.lowest_voltage - _MARGIN_PPM
            and voltage.max() <= limit.highest_voltage + _MARGIN_PPM
        )
        cut = abs(wants - reached).sum()
        if within and cut < best * (1 - _SMALLEST):
            best, now = cut, reached
        else:
            radius = min(radius, abs(result.x).max()) / 3
            if radius < 0.5:
                break
    return float(best)


def gini(shares: np.ndarray) -> float:
    """0 if all have the same, towards 1 if one has all."""
    ordered, count = np.sort(shares), len(shares)
    total = ordered.sum()
    return float((2 * np.arange(1, count + 1) - count - 1) @ ordered / (count * total)) if total else 0.0


def curtailment(own: Dispatcher, net: np.ndarray, name: str) -> dict[str, object]:
    """Limits of a day: seconds, energy, what it is beside the least, and how even it is."""
    began = time.process_time()
    limits = own.limits(net)
    taken = time.process_time() - began
    held = limits.held(net)
    cut = abs(net - held)
    areas = np.array(own.network.area)[own.connections.bus]
    points = sorted({hold.point for hold in limits.holds})
    # The least takes long: of a network of many areas it is looked for in some periods only.
    looked = points[:: SAMPLE if len(own.network.sources) > 1 else 1]
    lowest = sum(
        least(own, net[:, point], area, held[:, point])
        for point in looked
        for area in np.unique(areas[cut[:, point] > 0]).tolist()
    )
    # How even: among those of the affected areas who fed in, or drew, when somebody had to give way.
    affected = np.isin(areas, np.unique(areas[cut.sum(axis=1) > 0]))
    sign = np.sign((net * (cut > 0)).sum())
    wanted = np.maximum(0, sign * net[:, points]).sum(axis=1)
    there = affected & (wanted > 0)
    there_cut = cut[:, looked].sum()
    return {
        "name": name,
        "periods": len(points),
        "zones": len({(hold.zone, hold.by) for hold in limits.holds}),
        "cut kWh": round(cut.sum() / 1000, 1),
        "of periods": len(looked),
        "cut there": round(there_cut / 1000, 1),
        "least kWh": round(lowest / 1000, 1),
        "ratio": round(float(there_cut / lowest), 3) if lowest else None,
        "members cut": int((cut.sum(axis=1) > 0).sum()),
        "gini": round(gini(cut.sum(axis=1)[there] / wanted[there]), 2),
        "left": len({found.point for found in violations(own.network, own.flow(held))}),
        "seconds": round(taken, 2),
    }


def speeds() -> list[dict[str, object]]:
    """Power flows of a day beside pandapower's."""
    rows = []
    for name in SCENARIOS:
        own, net = dispatcher(name)
        flows = seconds(lambda own=own, net=net: own.flow(net))
        other = seconds(by_pandapower(own, net), 1)
        rows.append({"name": name, "buses": len(own.network.buses), "dem": flows, "pandapower": other})
    return rows


def _high(highest: int) -> Callable[[], tuple[Dispatcher, np.ndarray]]:
    """A village whose transformer is large enough, so that something local binds."""
    band = Limits(highest_voltage=highest, load_reactive=395)
    return lambda: dispatcher("village", 3, band, rating=630_000)


def _evening() -> tuple[Dispatcher, np.ndarray]:
    own, net = dispatcher("town")
    return own, with_chargers(net)


CASES: dict[str, Callable[[], tuple[Dispatcher, np.ndarray]]] = {
    "village, plants x 1": lambda: dispatcher("village", 1),
    "village, plants x 2": lambda: dispatcher("village", 2),
    "village, plants x 3": lambda: dispatcher("village", 3),
    "village, 630 kVA, plants x 3, at most 105 %": _high(1_050_000),
    "village, 630 kVA, plants x 3, at most 104 %": _high(1_040_000),
    "town, plants x 2": lambda: dispatcher("town", 2),
    "town, evening, 376 chargers of 11 kW": _evening,
}


def main() -> None:
    """Measure and write: everything, or only what is named, rows or "flows"; then the others stay as they were."""
    file, host = HERE / "grid.json", machine()
    record = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"flows": [], "limits": {}}
    if not sys.argv[1:] or "flows" in sys.argv[1:]:
        record["flows"] = speeds()
    for name, case in CASES.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            record["limits"][name] = curtailment(*case(), name)
            print(record["limits"][name], flush=True)
    record |= {"machine": host, "pandapower": pandapower.__version__, "numba": NUMBA, "goals": GOALS}
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    text = INTRODUCTION.format(pandapower=pandapower.__version__, numba=NUMBA, rounds=ROUNDS, machine=host)
    text += "\n| 96 power flows | buses | dem, s | pandapower, s | times |\n|---|--:|--:|--:|--:|\n"
    for row in record["flows"]:
        text += f"| {row['name']} | {row['buses']:,} | {row['dem']:.4f} | {row['pandapower']:.2f} "
        text += f"| {row['pandapower'] / row['dem']:,.0f} |\n"
    text += TABLE
    for name in CASES:
        if name in record["limits"]:
            text += "| " + " | ".join(str(record["limits"][name][key]) for key in COLUMNS) + " |\n"
    if missing := [name for name in CASES if name not in record["limits"]]:
        text += f"\nNot measured yet: {'; '.join(missing)}.\n"
    (HERE / "grid.md").write_text(text, encoding="utf-8")
    print(text)


COLUMNS = (
    "name",
    "periods",
    "zones",
    "cut kWh",
    "of periods",
    "cut there",
    "least kWh",
    "ratio",
    "members cut",
    "gini",
    "left",
    "seconds",
)
TABLE = f"""
A day's limits, with the day known: nested zones, in proportion to the connection. "Least" is what the successive linear
program cuts, in so many of the periods; beside it what the limits cut there. The ratio is to be at most
{GOALS["transformer"]:g} where the transformer binds (the rows of 160 kVA and of plants in the town) and
{GOALS["local"]:g} at local bottlenecks (a line, or a voltage). Gini: of the share that is cut of what members wanted to
feed in or draw then, over members of the affected areas. "Left" counts periods that are beyond a limit after the cut,
of an AC power flow. A day of the town is to take at most {GOALS["seconds"]:g} s.

| a day's limits | periods | zones | cut kWh | least: periods | cut there | least | ratio | members | Gini | left | s |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""


if __name__ == "__main__":
    main()
