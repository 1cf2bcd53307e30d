"""A network's tables from a pandapower net; pandapower is needed for this and nothing else."""

import json
import math
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from dem.errors import InputError
from dem.grid.network import HIGH, LOW, PPM, Bus, Limits, Line, Network, Source, Transformer

_MISSING = "pip install pandapower (the package of the group `extract`), then try again"
_METRES_PER_DEGREE = 111_320
_BAND = Limits()


def open_net(what: str) -> Any:
    """A pandapower net: a JSON file, `pandapower:NAME` of its own networks, or `simbench:CODE`.

    Raises:
        InputError: it cannot be read, or the package is not there.
    """
    kind, _, name = what.partition(":")
    try:
        if kind == "simbench":
            import simbench

            return simbench.get_simbench_net(name)
        import pandapower
        import pandapower.networks

        if kind == "pandapower":
            return getattr(pandapower.networks, name)()
        if not Path(what).is_file():
            raise InputError(
                what, None, "is no file; a net is a JSON file of pandapower, pandapower:NAME or simbench:CODE"
            )
        return pandapower.from_json(what)
    except ImportError as error:
        raise InputError("net", what, f"needs the package {error.name}, which is not installed: {_MISSING}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("net", what, f"cannot be read: {type(error).__name__}: {error}") from error


def from_pandapower(net: Any, opened: Collection[str] = ()) -> tuple[Network, Mapping[str, int]]:
    """The tables of a net, and what was left out, by what it is.

    opened: names of lines that are to be open, too, so that no ring is left. Open lines and what is out of service are
    left out, and so are buses that then have no source. Loads and plants are no part of the tables: members are.

    Raises:
        InputError: it has something that the tables cannot hold.
    """
    left: Counter[str] = Counter()
    for kind in ("trafo3w", "impedance", "dcline", "xward", "ward", "gen", "shunt"):
        if kind in net and len(net[kind]) and net[kind].in_service.any():
            raise InputError("net", kind, "is no line, transformer or source: the tables have no place for it")
    switches = net.switch if len(net.switch) else net.switch.iloc[:0]
    if ((switches["et"] == "b") & switches["closed"]).any():
        raise InputError("net", "switch between buses", "is closed: make one bus of them first (pandapower.fuse_buses)")
    cut = {
        (kind, int(element))
        for kind, element, closed in zip(switches.et, switches.element, switches.closed, strict=True)
        if not closed
    }
    if unknown := sorted(set(opened) - set(net.line.name)):
        raise InputError("net", unknown[0], "is no line that could be open")
    lines = [
        row
        for row in net.line.itertuples()
        if _in_use(row, ("l", row.Index) in cut or row.name in opened, left, "lines")
    ]
    transformers = [
        row for row in net.trafo.itertuples() if _in_use(row, ("t", row.Index) in cut, left, "transformers")
    ]
    sources = [row for row in net.ext_grid.itertuples() if _in_use(row, False, left, "sources")]
    fed = _fed(lines, transformers, sources)
    left["buses"] += len(net.bus) - len(fed)
    left["lines"] += sum(row.from_bus not in fed for row in lines)
    named = _names(net.bus, sorted(fed, key=lambda bus: (bus not in set(net.load.bus), bus)))
    places = _places(net, fed)
    network = Network(
        buses=tuple(
            Bus(named[bus], round(net.bus.vn_kv[bus] * 1_000), *places.get(bus, (None, None))) for bus in sorted(fed)
        ),
        lines=tuple(_line(net, row, name, named) for row, name in _each(lines, fed, "from_bus")),
        transformers=tuple(_transformer(row, name, named) for row, name in _each(transformers, fed, "hv_bus")),
        sources=tuple(Source(name, named[row.bus], round(row.vm_pu * PPM)) for row, name in _each(sources, fed, "bus")),
        limits=_BAND._replace(load_reactive=_reactive(net.load), plant_reactive=_reactive(net.sgen)),
    )
    return network, {what: count for what, count in left.items() if count}


def _in_use(row: Any, is_open: bool, left: Counter[str], what: str) -> bool:
    is_used = bool(row.in_service) and not is_open
    left[what] += not is_used
    return is_used


def _fed(lines: list[Any], transformers: list[Any], sources: list[Any]) -> set[int]:
    """Buses that a source reaches."""
    near: dict[int, list[int]] = {}
    for start, end in [(row.from_bus, row.to_bus) for row in lines] + [
        (row.hv_bus, row.lv_bus) for row in transformers
    ]:
        near.setdefault(start, []).append(end)
        near.setdefault(end, []).append(start)
    waiting = [row.bus for row in sources]
    fed = set(waiting)
    for bus in waiting:
        for other in near.get(bus, ()):
            if other not in fed:
                fed.add(other)
                waiting.append(other)
    return fed


def _names(buses: Any, order: list[int]) -> dict[int, str]:
    """Names of their own; of those that share one the first keeps it, and those with a load come first."""
    taken: set[str] = set()
    named: dict[int, str] = {}
    for bus in order:
        name = str(buses.name[bus] or f"bus {bus}")
        named[bus] = name if name not in taken else f"{name} ({bus})"
        taken.add(named[bus])
    return named


def _each(rows: list[Any], fed: set[int], bus: str) -> list[tuple[Any, str]]:
    """Those that are fed, with names of their own."""
    taken: set[str] = set()
    found = []
    for row in rows:
        if getattr(row, bus) in fed:
            name = str(row.name or row.Index)
            name = name if name not in taken else f"{name} ({row.Index})"
            taken.add(name)
            found.append((row, name))
    return found


def _places(net: Any, fed: set[int]) -> dict[int, tuple[int, int]]:
    """Metres east and north of the south-west corner, from longitude and latitude; nothing if some are missing."""
    if "geo" not in net.bus:
        return {}
    points: dict[int, tuple[float, float]] = {}
    for bus in fed:
        try:
            points[bus] = tuple(json.loads(net.bus.geo[bus])["coordinates"][:2])
        except (TypeError, ValueError, KeyError):
            return {}
    west, south = (min(point[axis] for point in points.values()) for axis in (0, 1))
    wide = _METRES_PER_DEGREE * math.cos(math.radians(south))
    return {
        bus: (round((east - west) * wide), round((north - south) * _METRES_PER_DEGREE))
        for bus, (east, north) in points.items()
    }


def _line(net: Any, row: Any, name: str, named: Mapping[int, str]) -> Line:
    length, parallel = row.length_km, row.parallel
    return Line(
        name,
        named[row.from_bus],
        named[row.to_bus],
        round(row.r_ohm_per_km * length / parallel * 1e6),
        round(row.x_ohm_per_km * length / parallel * 1e6),
        round(2 * math.pi * net.f_hz * row.c_nf_per_km * length * parallel),
        round(row.max_i_ka * row.df * parallel * 1e6),
    )


def _transformer(row: Any, name: str, named: Mapping[int, str]) -> Transformer:
    rating = row.sn_mva * row.parallel
    step, neutral, position = (
        0.0 if math.isnan(value) else value for value in (row.tap_step_percent, row.tap_neutral, row.tap_pos)
    )
    lowest, highest = (neutral if math.isnan(value) else value for value in (row.tap_min, row.tap_max))
    return Transformer(
        name,
        named[row.hv_bus],
        named[row.lv_bus],
        round(rating * row.df * 1e6),
        round(row.vn_hv_kv * 1_000),
        round(row.vn_lv_kv * 1_000),
        round(row.vk_percent * 1e4),
        round(row.vkr_percent / 100 * rating * 1e6),
        round(row.pfe_kw * 1_000 * row.parallel),
        round(row.i0_percent * 1e4),
        LOW if row.tap_side == "lv" else HIGH,
        round(position),
        round(neutral),
        min(round(lowest), round(position)),
        max(round(highest), round(position)),
        round(step * 1e4),
    )


def _reactive(table: Any) -> int:
    """Reactive power of all in 1/1000 of the real one."""
    real = float(table.p_mw.sum())
    return max(0, round(1_000 * float(table.q_mvar.sum()) / real)) if real else 0
