"""Every market design on one community, by the reference model alone: which is best for whom.

The designs are those of Fig. 1 and Table 1 of Xiao et al. (`dem.community.presets`), every market that a scenario
describes, and sharing after the fact (`dem.lab.sharing`). Meters are the same in all, but for an island, which cuts
what it cannot balance, and for batteries and loads that follow prices.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from csv import writer
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from io import StringIO

import numpy as np

from dem.community.presets import Mode
from dem.community.scenario import Scenario
from dem.errors import InputError
from dem.lab.indices import Indices, Use, indices
from dem.lab.sharing import LocalPrice, Pool, bill_sharing, mid_market_rate, shared_bills, supply_demand_ratio
from dem.lab.study.playing import COMMUNITY, play_stretch
from dem.model.mechanisms import MECHANISMS, Markets
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.trading import Trading
from dem.results.wording import share

CENT = 10**6
"""A hundredth of the currency, money units."""
SUPPLIER = "supplier alone"
"""The design that all others are measured against."""
ISLAND = "island"
POOLS = {
    Mode.RETAILER: "retailer's pool",
    Mode.VIRTUAL_POWER_PLANT: "virtual power plant",
    Mode.MICROGRID: "microgrid, connected",
}
MARKETS: Mapping[str, tuple[str, ...]] = {
    "bilateral contracts": ("bilateral",),
    "trades in escrow": ("escrow",),
    "peer to peer: call auction": ("call_auction",),
    "peer to peer: order book": ("order_book",),
    "peer to peer: by lot": ("random_matching",),
    "call auction and intraday": ("call_auction", "intraday"),
    "all markets": tuple(MECHANISMS),
}
"""Mechanisms by what a set-up of them is called here."""
SHARING: Mapping[str, LocalPrice] = {
    "sharing: mid-market rate": mid_market_rate,
    "sharing: supply-demand ratio": supply_demand_ratio,
    "sharing: bill sharing": bill_sharing,
}


@dataclass(frozen=True)
class Result:
    """What a design came to over all days. kinds: of the members; alone, paid: of each, money units.

    traded, payments: between members. delivered: of it drawn by who bought, and fed in by who sold. area: what all
    meters as one would cost at the tariffs.
    """

    name: str
    kinds: Mapping[str, str]
    alone: Mapping[str, int]
    paid: Mapping[str, int]
    traded: int
    payments: int
    delivered: int
    area: int
    use: Use

    def saved(self, kind: str | None = None) -> int:
        """Against the tariffs alone for the same meters, money units: by members of a kind, or by all."""
        return sum(self.alone[name] - self.paid[name] for name, own in self.kinds.items() if kind in (None, own))

    @property
    def better_off(self) -> int:
        """Members who pay less than at the tariffs alone, by a hundredth of the currency at least."""
        return sum(self.alone[name] - self.paid[name] >= CENT for name in self.kinds)

    @property
    def worse_off(self) -> int:
        """Members who pay more, likewise: rounding moves a unit here and there."""
        return sum(self.paid[name] - self.alone[name] >= CENT for name in self.kinds)

    @property
    def price(self) -> Fraction | None:
        """Mean price between members, units/Wh."""
        return share(self.payments, self.traded)

    @cached_property
    def indices(self) -> Indices:
        """Zhou's six."""
        return indices(self.alone, self.paid, self.area, self.use)


@dataclass(frozen=True)
class Gallery:
    """All designs that a scenario can have, and of others why it cannot."""

    scenario: Scenario
    results: tuple[Result, ...]
    left_out: Mapping[str, str]

    @property
    def kinds(self) -> dict[str, int]:
        """Groups, and how many belong to each."""
        counts: dict[str, int] = defaultdict(int)
        for kind in self.results[0].kinds.values():
            counts[kind] += 1
        return dict(counts)

    @property
    def with_a_grid(self) -> tuple[Result, ...]:
        """Those that can be compared by what is saved: an island does not supply the same."""
        return tuple(result for result in self.results if result.name != ISLAND)

    def best(self, of: Callable[[Result], int | Fraction]) -> Result:
        """By a figure, the first if several are."""
        return max(self.with_a_grid, key=of)

    def table(self) -> bytes:
        """A row for each design, as CSV: money units, Wh, and indices as shares."""
        kinds = [*self.kinds]
        head = [
            "design",
            "saved_units",
            *(f"saved_{kind}_units" for kind in kinds),
            "better_off",
            "worse_off",
            "traded_wh",
            "payments_units",
            "delivered_wh",
            *(f"{name}_wh" for name in ("drawn", "fed", "shared", "peak")),
            *Indices._fields,
        ]
        rows = [
            [
                one.name,
                one.saved(),
                *(one.saved(kind) for kind in kinds),
                one.better_off,
                one.worse_off,
                one.traded,
                one.payments,
                one.delivered,
                *one.use[:4],
                *("" if index is None else f"{float(index):.6f}" for index in one.indices),
            ]
            for one in self.results
        ]
        text = StringIO()
        writer(text, lineterminator="\n").writerows([head, *rows])
        return text.getvalue().encode()


def gallery(scenario: Scenario, told: Callable[[str], object] = lambda _name: None) -> Gallery:
    """Play a scenario under every design. told: hears the name of each that begins."""
    results, left_out = [], dict[str, str]()
    for name, prepare in _designs(scenario):
        told(name)
        try:
            prepared = prepare()
        except InputError as error:
            left_out[name] = error.why
        else:
            results.append(_played(name, prepared))
            if name == SUPPLIER:
                results += _shared(prepared, results[0])
    return Gallery(scenario, tuple(results), left_out)


def _designs(scenario: Scenario) -> Iterator[tuple[str, Callable[[], Scenario]]]:
    yield SUPPLIER, lambda: _with(scenario, ())
    for mode, name in POOLS.items():
        yield name, lambda mode=mode: _pooled(scenario, mode)  # type: ignore[misc]
    for name, mechanisms in MARKETS.items():
        yield name, lambda names=mechanisms: _with(scenario, names)  # type: ignore[misc]
    yield ISLAND, scenario.as_an_island


def _with(scenario: Scenario, names: Collection[str]) -> Scenario:
    """The same under these mechanisms alone."""
    return scenario.with_markets(Markets(**{name: name in names for name in MECHANISMS}))


def _pooled(scenario: Scenario, mode: Mode) -> Scenario:
    """Its pools alone, whose intermediaries trade in this way."""
    alone = _with(scenario, ("pools",))
    pools = [pool.model_copy(update={"preset": mode}) for pool in alone.config.pools]
    return replace(alone, config=alone.config.model_copy(update={"pools": pools}))


def _played(name: str, scenario: Scenario) -> Result:
    records = play_stretch(scenario)
    kinds: dict[str, str] = {}
    alone, paid = defaultdict[str, int](int), defaultdict[str, int](int)
    for record in records:
        for member, (kind, bill, tariff) in record["members"].items():
            kinds[member] = kind
            paid[member] += bill
            alone[member] += tariff

    def total(figure: str) -> int:
        return sum(int(record[figure]) for record in records)

    return Result(
        name,
        kinds,
        alone,
        paid,
        traded=total("traded_wh"),
        payments=total("traded_units"),
        delivered=total("delivered_wh"),
        area=total("area_units"),
        use=Use(
            drawn=total("consumed_wh"),
            fed=total("generated_wh"),
            shared=total("shared_wh"),
            peak=max(record["peak_wh"] for record in records),
            slots=len(records) * scenario.calendar.periods_per_day,
        ),
    )


def _shared(scenario: Scenario, beside: Result) -> list[Result]:
    """What sharing after the fact would bring, with the meters of who does not trade; no fees are due for it."""
    paid = {name: dict.fromkeys(beside.kinds, 0) for name in SHARING}
    payments = dict.fromkeys(SHARING, 0)
    market = ModelMarket(scenario)
    names = {market.ids[member.name]: member.name for member in scenario.of_kind(*COMMUNITY)}
    for day in play(Trading(market)):
        delivery = market.settlement(day).delivery
        rows = np.flatnonzero(np.isin(delivery.participants, list(names)))
        members = [names[id_] for id_ in delivery.participants[rows].tolist()]
        for net, tariff in zip(delivery.metered[rows].T.tolist(), market.tariffs(day), strict=True):
            pool = Pool(sum(wh for wh in net if wh > 0), -sum(wh for wh in net if wh < 0), tariff)
            for name, price in SHARING.items():
                payments[name] += pool.local * price(pool)
                for member, bill in zip(members, shared_bills(net, tariff, price), strict=True):
                    paid[name][member] += bill
    shared = beside.use.shared
    return [
        replace(beside, name=name, paid=paid[name], traded=shared, delivered=shared, payments=payments[name])
        for name in SHARING
    ]
