"""What the dispatcher's page tells of a day: flows and voltages, limits and whom they hold, relief and what it cost."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dem.gateway.network import Course, Flows
from dem.gateway.pages.figures import Market
from dem.gateway.parts import Parts
from dem.gateway.reads import structs
from dem.grid.network import IMPOSSIBLE, PPM, Network
from dem.model.ledger import GRID_OPERATOR
from dem.model.limits import Publication, Share, ZoneLimit, shares_of
from dem.model.markets.intermediaries import Versions
from dem.model.relief import NO_OFFER, Offer, Relief, unpack_relief

if TYPE_CHECKING:
    from dem.grid.violations import Violation

_MOST = 50
"""On a page, of a list."""
_ELEMENTS = 15
_SIZE = 1_000
"""Of the drawing, at its longer side."""
_LEVELS = (250_000, 500_000, 750_000)
"""Loadings from which a branch is drawn otherwise, 1/1,000,000; a further one is the network's limit."""


class Element(NamedTuple):
    """A line or a transformer, with its highest loading of the day, 1/1,000,000 of its rating, and when it had it.

    beyond: so many periods it was above its limit.
    """

    name: str
    is_transformer: bool
    loading: int
    slot: int
    beyond: int


class Beyond(NamedTuple):
    """What was beyond a limit of the network. worst, limit: 1/1,000,000. by: what of members would have to be less."""

    element: str
    what: str
    worst: int
    limit: int
    slot: int
    periods: int
    by: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The network in one period. lines: a class and the paths of all branches that have it. squares: transformers."""

    width: int
    height: int
    lines: Sequence[tuple[str, str]]
    squares: Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Carried:
    """Of one course of the network. highest: loading by slot; rise, fall: the voltages furthest from nominal by slot,
    1/1,000,000; None in slots of which nothing is known.
    """

    highest: Sequence[int | None]
    rise: Sequence[int | None]
    fall: Sequence[int | None]
    elements: Sequence[Element]
    beyond: Sequence[Beyond]
    missing: int

    @property
    def loading(self) -> list[float | None]:
        """The highest loading by slot, per cent."""
        return percent(self.highest)

    @property
    def above(self) -> list[float | None]:
        """The highest voltage by slot, per cent above nominal."""
        return percent([None if own is None else own - PPM for own in self.rise])

    @property
    def below(self) -> list[float | None]:
        """The lowest voltage by slot, per cent above nominal."""
        return percent([None if own is None else own - PPM for own in self.fall])

    @property
    def worst(self) -> int | None:
        """The slot of the highest loading; None if nothing is known."""
        known = [(loading, -slot) for slot, loading in enumerate(self.highest) if loading is not None]
        return -max(known)[1] if known else None


class Run(NamedTuple):
    """Periods one after another in which a zone has the same limits. until: the slot after the last."""

    first: int
    until: int
    share: Share


class Zone(NamedTuple):
    """What a zone leaves its members on a day. element: behind which they are; empty if it is not known here."""

    number: int
    element: str
    members: int
    runs: Sequence[Run]


class Held(NamedTuple):
    """A member that limits hold. share: the lowest of the day. units: what it was charged for what went beyond.

    made_good: what it got because limits were lowered after the gate.
    """

    participant: int
    name: str
    element: str
    share: Share
    periods: int
    excess_wh: int
    units: int
    made_good: int


class Told(NamedTuple):
    """A publication of limits. cause: in words, of one after the gate. strips: of zones, of six periods each."""

    is_late: bool
    strips: int
    cause: str
    report: str
    when: datetime | None


class Relieved(NamedTuple):
    """Relief that was bought of a member's day. delivered, missing, units: None until it was paid."""

    participant: int
    name: str
    wh: int
    price: int
    delivered: int | None
    missing: int | None
    units: int | None


class Offered(NamedTuple):
    """What is on offer in a direction: of how many members, the lowest price of them, and what is paid at most."""

    is_fed_in: bool
    members: int
    lowest: int
    ceiling: int


@dataclass(frozen=True, slots=True)
class Limited:
    """What stands on the chain of a day. model: hash of the network for which limits were worked out."""

    model: str
    is_approved: bool
    is_standing: bool
    told: Sequence[Told]
    zones: Sequence[Zone]
    held: Sequence[Held]
    count: int
    offered: Sequence[Offered]
    relief: Sequence[Relieved]


def percent(shares: Sequence[int | None]) -> list[float | None]:
    """Of 1/1,000,000; what cannot flow at all is nothing that can be drawn."""
    return [None if own is None or own >= IMPOSSIBLE else own * 100 / PPM for own in shares]


# ----------------------------------------------------------------------------------------------- what flowed


def carried(flows: Flows, course: Course) -> Carried:
    """Of a course: loading and voltage by period, and what was beyond a limit."""
    from dem.grid.violations import violations

    network, flow, known = flows.network, course.flow, course.known
    slots = [slot for slot, is_known in enumerate(known) if is_known]
    nothing: list[int | None] = [None] * len(known)
    highest, rise, fall = [*nothing], [*nothing], [*nothing]
    for slot in slots:
        highest[slot] = int(flow.loading[slot].max(initial=0))
        rise[slot], fall[slot] = int(flow.voltage[slot].max()), int(flow.voltage[slot].min())
    loading = flow.loading[slots] if slots else np.zeros((0, len(network.branches)), np.int64)
    elements = []
    for number in np.argsort(-loading.max(axis=0, initial=0), kind="stable")[:_ELEMENTS].tolist() if slots else ():
        own, branch = loading[:, number], network.branches[number]
        at = int(own.argmax())
        beyond = int((own > network.limits.loading).sum())
        elements.append(Element(branch.name, branch.is_transformer, int(own[at]), slots[at], beyond))
    found: dict[tuple[str, str], list[Violation]] = defaultdict(list)
    for one in violations(network, flow):
        if known[one.point]:
            found[one.element, one.what].append(one)
    return Carried(highest, rise, fall, elements, [*_beyond(found)], course.missing)


def _beyond(found: Mapping[tuple[str, str], Sequence["Violation"]]) -> Iterator[Beyond]:
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    for (element, what), those in ordered[:_MOST]:
        worst = max(those, key=lambda one: abs(one.value - one.limit))
        yield Beyond(element, what, worst.value, worst.limit, worst.point, len(those), worst.by)


def drawing(network: Network, course: Course, slot: int) -> Drawing:
    """The network in a period, each branch by its loading."""
    places = network.places
    low, high = places.min(axis=0), places.max(axis=0)
    scale = _SIZE / max(float((high - low).max()), 1.0)
    margin = _SIZE * 0.03
    across, up = ((high - low) * scale + 2 * margin).tolist()

    def at(bus: int) -> tuple[float, float]:
        x, y = ((places[bus] - low) * scale + margin).tolist()
        return round(x), round(up - y)

    lines: dict[str, list[str]] = defaultdict(list)
    squares = []
    for number, branch in enumerate(network.branches):
        css = _level(int(course.flow.loading[slot, number]), network.limits.loading)
        (x, y), end = at(branch.upper), at(branch.lower)
        if branch.is_transformer:
            squares.append((css, *end))
        if (x, y) != end:
            lines[css].append(f"M{x} {y}L{end[0]} {end[1]}")
    # What is loaded most lies on top.
    return Drawing(round(across), round(up), [(css, "".join(lines[css])) for css in sorted(lines)], sorted(squares))


def _level(loading: int, limit: int) -> str:
    return "l4" if loading > limit else f"l{sum(loading >= level for level in _LEVELS)}"


# --------------------------------------------------------------------------------------- what is on the chain


def limited(parts: Parts, market: Market, day: int, network: Network | None) -> Limited:
    """Limits of a day, relief that was bought before, and what both cost."""
    periods = market.calendar.periods_per_day
    publications, told = _publications(parts, market, day)
    zone_of = zones_on(parts, day)
    standing = standing_on(parts, day)
    names = {
        row["participant"]: row["name"]
        for row in parts.index.rows("SELECT participant, coalesce(name, '') AS name FROM names")
    }
    models = Versions[str]()
    for row in parts.index.rows("SELECT first_day, model FROM grid_limits_model_published ORDER BY block, log_index"):
        models.add(row["model"], row["first_day"], row["first_day"])
    members = Counter(zone_of.values())
    shares = {zone: shares_of(zone, standing.get(zone, Share()), publications, periods) for zone in sorted(members)}
    zones = [
        Zone(zone, _element(network, zone), members[zone], _runs(own))
        for zone, own in shares.items()
        if zone and any(share != Share() for share in own)
    ]
    held = [*_held(parts, day, zone_of, shares, names, network)]
    return Limited(
        model=models.on(day, ""),
        is_approved=bool(
            parts.index.rows("SELECT 1 AS n FROM grid_limits_day_approved WHERE day = :day LIMIT 1", day=day)
        ),
        is_standing=not any(not one.is_late for one in publications),
        told=told,
        zones=zones,
        held=held[:_MOST],
        count=len(held),
        offered=_offered(parts, day),
        relief=_relief(parts, day, names),
    )


def _publications(parts: Parts, market: Market, day: int) -> tuple[list[Publication], list[Told]]:
    found, told = [], []
    for row in parts.index.rows(
        "SELECT p.limits, '' AS cause, p.report, 0 AS is_late, b.time, p.block, p.log_index "
        "FROM grid_limits_limits_published AS p JOIN block AS b ON b.number = p.block WHERE p.day = :day UNION ALL "
        "SELECT p.limits, p.cause, p.report, 1 AS is_late, b.time, p.block, p.log_index "
        "FROM grid_limits_limits_lowered AS p JOIN block AS b ON b.number = p.block WHERE p.day = :day "
        "ORDER BY block, log_index",
        day=day,
    ):
        limits = tuple(ZoneLimit(*map(int, one)) for one in structs(row["limits"]))
        when = None if row["time"] is None else market.local(row["time"])
        found.append(Publication(bool(row["is_late"]), limits))
        told.append(Told(bool(row["is_late"]), len(limits), row["cause"], row["report"], when))
    return found, told


def zones_on(parts: Parts, day: int) -> dict[int, int]:
    """Of members, on a day: what was to come on a day or later an assignment for that day replaces."""
    found: dict[int, int] = {}
    for row in parts.index.rows(
        "SELECT ids, zones FROM grid_limits_zones_assigned WHERE first_day <= :day ORDER BY block, log_index", day=day
    ):
        found.update(zip(json.loads(row["ids"]), json.loads(row["zones"]), strict=True))
    return found


def standing_on(parts: Parts, day: int) -> dict[int, Share]:
    rows = parts.index.rows(
        "SELECT zone, imports, exports FROM grid_limits_standing_limit_set WHERE first_day <= :day "
        "ORDER BY block, log_index",
        day=day,
    )
    return {row["zone"]: Share(row["imports"], row["exports"]) for row in rows}


def _element(network: Network | None, zone: int) -> str:
    """A zone has the number of the branch that it lies behind, from 1 on."""
    return network.branches[zone - 1].name if network and 0 < zone <= len(network.branches) else ""


def _runs(shares: Sequence[Share]) -> list[Run]:
    """Periods with a limit, those together that follow one another with the same."""
    found, first = [], 0
    for share, same in groupby(shares):
        until = first + len([*same])
        if share != Share():
            found.append(Run(first, until, share))
        first = until
    return found


def _held(
    parts: Parts,
    day: int,
    zone_of: Mapping[int, int],
    shares: Mapping[int, Sequence[Share]],
    names: Mapping[int, str],
    network: Network | None,
) -> Iterator[Held]:
    """Members whom limits hold, those first who were charged most."""
    charged = {
        row["id"]: row
        for row in parts.index.rows(
            "SELECT id, energy, units FROM grid_charges_excess_charged WHERE day = :day ORDER BY block, log_index",
            day=day,
        )
    }
    good = {
        row["id"]: int(row["units"])
        for row in parts.index.rows("SELECT id, units FROM grid_charges_made_good WHERE day = :day", day=day)
    }
    found = []
    for id_, zone in zone_of.items():
        own = [share for share in shares[zone] if share != Share()]
        if own:
            lowest = Share(min(share.imports for share in own), min(share.exports for share in own))
            cost = charged.get(id_, {"energy": 0, "units": 0})
            energy, units = int(cost["energy"]), int(cost["units"])
            element = _element(network, zone)
            found.append(Held(id_, names.get(id_, ""), element, lowest, len(own), energy, units, good.get(id_, 0)))
    yield from sorted(found, key=lambda one: (-one.units, one.participant))


def _offered(parts: Parts, day: int) -> list[Offered]:
    versions: dict[int, Versions[Offer]] = defaultdict(Versions)
    for row in parts.index.rows(
        "SELECT id, drawn, drawn_price, fed_in, fed_in_price, first_day, earliest FROM grid_relief_relief_offered "
        "ORDER BY block, log_index"
    ):
        offer = Offer(row["drawn"], row["drawn_price"], row["fed_in"], row["fed_in_price"])
        versions[row["id"]].add(offer, row["first_day"], row["earliest"])
    of_day = {id_: own.on(day, NO_OFFER) for id_, own in versions.items()}
    ceiling = of_day.pop(GRID_OPERATOR, NO_OFFER)
    found = []
    for is_fed_in in (False, True):
        prices = [one.price(is_fed_in) for one in of_day.values() if one.share(is_fed_in)]
        most = ceiling.price(is_fed_in) if ceiling.share(is_fed_in) else 0
        if prices:
            found.append(Offered(is_fed_in, len(prices), min(prices), most))
    return found


def _relief(parts: Parts, day: int, names: Mapping[int, str]) -> list[Relieved]:
    paid = {
        row["id"]: row
        for row in parts.index.rows(
            "SELECT id, delivered, missing, units FROM grid_relief_relief_paid WHERE day = :day "
            "ORDER BY block, log_index",
            day=day,
        )
    }
    found = []
    for row in parts.index.rows(
        "SELECT id, reliefs FROM grid_relief_relief_bought WHERE day = :day ORDER BY id", day=day
    ):
        slots = unpack_relief(
            [Relief(int(s), bool(f), int(e), int(m), int(p)) for s, f, e, m, p in structs(row["reliefs"])]
        )
        wh = sum(own.energy for own in slots.values())
        price = max((own.price for own in slots.values()), default=0)
        id_, own = row["id"], paid.get(row["id"])
        done = (None,) * 3 if own is None else tuple(int(own[key]) for key in ("delivered", "missing", "units"))
        found.append(Relieved(id_, names.get(id_, ""), wh, price, *done))
    return sorted(found, key=lambda one: -one.wh)
