"""A scenario: the community, its meters, prices and rules, read from a folder and checked.

A folder holds `scenario.toml` and names the CSV tables it reads, its own or shared ones;
`docs/guide/scenarios.md` describes every key and column. Whatever is wrong with them is an `InputError`
that names the file, the key or line and column, the value, and why it is refused.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from eth_hash.auto import keccak

from dem.community.agreements import Agreement, read_agreements
from dem.community.catalogue import strategy_kind, strategy_named
from dem.community.config import (
    NAME,
    WHOLE_DAY_SECONDS,
    Calendar,
    Config,
    FlatTariff,
    TableTariff,
    TimeOfUseTariff,
    read_config,
)
from dem.community.flexibility import Battery
from dem.community.forecast import Energy, History, Past, forecast, forecast_load, forecast_pv, past_net
from dem.community.own import (
    Community,
    OwnOrder,
    Reports,
    day_of,
    read_forecasts,
    read_orders,
    read_reports,
)
from dem.community.profiles import Later, Profiles, ShapedProfiles, Without, check_cover, read_profiles
from dem.community.strategies import NoOrders, Situation, Strategy
from dem.errors import InputError, Mistakes
from dem.grid.dispatch import DayLimits, Dispatch
from dem.grid.network import Network, read_network
from dem.grid.programme import FEED_IN, Connections, connect
from dem.model.mechanisms import Markets
from dem.model.meters import SOURCES
from dem.model.orders import Order
from dem.model.relief import NO_OFFER, Offer, Offers
from dem.model.rules import SHARE_SCALE, MarketRules, Tariff
from dem.model.strips import MAX_POSITION
from dem.model.units import Money, UnitsPerWh, Wh, currency, price_per_kwh
from dem.tables import START, Cell, Row, read_rows, read_series

CONFIG = "scenario.toml"
UNITS_PER_WH_PER_MWH = 100
"""Units/Wh of 1 currency/MWh."""
_PRICES = {"price_per_mwh": UNITS_PER_WH_PER_MWH}
MAX_AMOUNT = 10**15
"""Largest deposit and credit limit, 10^-8 currency: ten million."""


class Kind(StrEnum):
    """What a member is in the market."""

    FALLBACK_SUPPLIER = "fallback_supplier"
    OPERATOR = "operator"
    GRID_OPERATOR = "grid_operator"
    CONSUMER = "consumer"
    PROSUMER = "prosumer"
    INTERMEDIARY = "intermediary"
    WHOLESALE_DESK = "wholesale_desk"


METERED = frozenset({Kind.GRID_OPERATOR, Kind.CONSUMER, Kind.PROSUMER})
"""Kinds with a meter; the grid operator's shows the losses of the network."""
ONE_OF_EACH = (Kind.FALLBACK_SUPPLIER, Kind.OPERATOR, Kind.GRID_OPERATOR)
"""Kinds a market has exactly one of."""
TRADING = frozenset({Kind.CONSUMER, Kind.PROSUMER, Kind.INTERMEDIARY, Kind.WHOLESALE_DESK})
"""Kinds that may contract energy."""

_CONNECTED = (Kind.CONSUMER, Kind.PROSUMER)
"""Kinds whose meters are somewhere in the network. The grid operator's losses are everywhere: they are computed."""

PARTICIPANT_COLUMNS = (
    "participant",
    "kind",
    "bus",
    "import_capacity_wh",
    "export_capacity_wh",
    "deposit",
    "credit_limit",
    "strategy",
)
"""Of participants.csv, without those that it may lack."""
_OPTIONAL = (
    "intermediary",
    "share_permille",
    "battery_wh",
    "battery_w",
    "shiftable_permille",
    "joins",
    "leaves",
    "returns",
    "new_meter",
    "source",
)
_TERM = ("joins", "leaves", "returns", "new_meter")
_CONNECTION_COLUMNS = ("participant", "date", "import_capacity_wh", "export_capacity_wh")
_MAX_BATTERY_WH = 1_000_000


# --------------------------------------------------------------------------------------------------
# the scenario


class Connection(NamedTuple):
    """What a connection carries from a day on, Wh per period."""

    first_day: int
    imports: Wh
    exports: Wh


@dataclass(frozen=True, slots=True)
class Participant:
    """A member of the market.

    bus: where in the network it is connected, empty if nowhere.
    import_capacity, export_capacity: Wh per period, until one of its connections takes their place.
    deposit: paid in before day 1, 10^-8 currency.
    credit_limit: how far its account may go below zero, 10^-8 currency.
    intermediary: whose client it is, empty if nobody's. share: 1/1000 of its energy that goes through the intermediary.
    battery: if it has one. shiftable: 1/1000 of its load that can be moved within the day.
    joins, leaves: its first and its last day, None for the scenario's. returns: the day from which on it is back, None
    if it does not come back. new_meter: the day from which on it has another meter. source: what its feed-in comes
    from, empty if that is not on record. connections: that take the place of its first one, day by day.
    """

    name: str
    kind: Kind
    bus: str
    import_capacity: Wh
    export_capacity: Wh
    deposit: Money
    credit_limit: Money
    strategy: str
    intermediary: str = ""
    share: int = 0
    battery: Battery | None = None
    shiftable: int = 0
    joins: int = 1
    leaves: int | None = None
    returns: int | None = None
    new_meter: int | None = None
    source: str = ""
    connections: tuple[Connection, ...] = ()

    def takes_part(self, day: int) -> bool:
        """Whether it is a member on a day."""
        is_back = self.returns is not None and day >= self.returns
        return is_back or self.joins <= day <= (self.leaves or day)

    def has_next_meter(self, day: int) -> bool:
        """Whether another meter has taken the place of its first one."""
        return self.new_meter is not None and day >= self.new_meter

    def on(self, day: int) -> "Participant":
        """The same with the connection that it has on a day."""
        known = [connection for connection in self.connections if connection.first_day <= day]
        if not known:
            return self
        return replace(self, import_capacity=known[-1].imports, export_capacity=known[-1].exports)

    @property
    def flexible(self) -> bool:
        """Whether it has a battery or load that can be moved."""
        return self.battery is not None or self.shiftable > 0

    @property
    def metered(self) -> bool:
        """Whether it has a meter."""
        return self.kind in METERED


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. Days count from 1, slots of a day from 0, energy is in Wh.

    Period numbers are real ones, unix start / period length; `period0` is the first of day 1.
    """

    config: Config
    folder: Path
    _members: Mapping[str, Participant]
    profiles: Profiles
    _tariffs: tuple[Tariff, ...]
    _agreements: tuple[Agreement, ...] = ()
    _wholesale: tuple[int, ...] = ()
    _orders: Mapping[int, tuple[OwnOrder, ...]] = field(default_factory=dict)
    _forecasts: Mapping[str, Energy] = field(default_factory=dict)
    reports: Reports = field(default_factory=dict)
    network: Network | None = None
    """That members are connected to, if it is described."""
    _dispatch: Dispatch | None = None
    """Works out what the network leaves its members, if the scenario has a dispatcher."""
    _foreseen: int = 0
    """Percent of the way from what is expected day ahead to what happens."""
    modules: tuple[Path, ...] = ()
    """Folders, beside its own, in which strategies of somebody's own may lie."""
    before: int = 0
    """Days of the scenario from which this is cut that lie before its first."""
    _built: dict[str, Strategy] = field(default_factory=dict, compare=False, repr=False)
    """Strategies by name, each with its parameters."""

    @property
    def markets(self) -> Markets:
        """The mechanisms it uses."""
        return self.config.markets

    @property
    def islanded(self) -> bool:
        """Whether there is no upper grid."""
        return self.config.islanded

    def on(self, day: int) -> "Scenario":
        """The same with the connections that members have on a day."""
        if self.config.tables.connections is None:
            return self
        return replace(self, _members={name: member.on(day) for name, member in self._members.items()})

    def with_markets(self, markets: Markets) -> "Scenario":
        """The same community and days under other mechanisms.

        Without any there is nothing to deviate from: everybody has the fallback tariffs, and no deviation is charged.

        Raises:
            InputError: the scenario does not say how one of them works.
        """
        for name in markets.names:
            if name not in self.config.possible.names:
                raise InputError(f"{self.config.name}, markets", name, "is not described by the scenario")
        changed: dict[str, Any] = {"markets": markets}
        if not markets.names:
            supplied = {"imbalance_pricing": "tariff", "deviation_rate": 0}
            changed["rules"] = [version.model_copy(update=supplied) for version in self.config.rules]
        return replace(self, config=self.config.model_copy(update=changed))

    def without_trade(self) -> "Scenario":
        """The same community, days and rules if nobody trades."""
        nothing = Markets(**dict.fromkeys(self.markets.names, False))
        return replace(self, config=self.config.model_copy(update={"markets": nothing}))

    def without_limits(self) -> "Scenario":
        """The same if no dispatcher limited anybody."""
        grid = self.config.grid and self.config.grid.model_copy(update={"dispatcher": False, "relief": None})
        return replace(self, config=self.config.model_copy(update={"grid": grid}), _dispatch=None)

    def as_an_island(self) -> "Scenario":
        """The same community without an upper grid: truthful orders in the auction alone, no stores, no losses."""
        on_island = {"imbalance_pricing": "single", "deviation_rate": 0}
        rules = [version.model_copy(update=on_island) for version in self.config.rules]
        changed = {"islanded": True, "markets": Markets(), "rules": rules}
        honest = self.without_limits().trading_by("truthful")
        members = {name: replace(member, battery=None, shiftable=0) for name, member in honest._members.items()}
        return replace(
            honest,
            config=honest.config.model_copy(update=changed),
            profiles=Without(self.profiles, self.of_kind(Kind.GRID_OPERATOR)[0].name),
            _members=members,
        )

    def ruled_by(self, **changes: Any) -> "Scenario":
        """The same community and days under other rules: keys of scenario.toml, changed in every version."""
        rules = [version.model_copy(update=changes) for version in self.config.rules]
        return replace(self, config=self.config.model_copy(update={"rules": rules}))

    def trading_by(self, strategy: str, *names: str) -> "Scenario":
        """The same if these members, or without names all that trade, follow another strategy."""
        members = {
            name: replace(member, strategy=strategy)
            if name in names or (not names and member.strategy != NoOrders.name)
            else member
            for name, member in self._members.items()
        }
        return replace(self, _members=members)

    def seeded(self, seed: int) -> "Scenario":
        """The same with other random draws."""
        config = self.config.model_copy(update={"seed": seed})
        profiles = self.profiles
        if isinstance(profiles, ShapedProfiles) and len(profiles.resampled):
            profiles = replace(profiles, seed=seed)
        return replace(self, config=config, profiles=profiles)._dispatching()

    def finding_modules_in(self, *folders: Path) -> "Scenario":
        """The same with further folders in which strategies of somebody's own may lie."""
        return replace(self, modules=(*self.modules, *folders), _built={})

    def cut(self, first: int, count: int) -> "Scenario":
        """Some of its days as a scenario of their own, which begins with the first deposits.

        Raises:
            InputError: these are not all days of it, or somebody comes or goes on the way.
        """
        where, calendar = f"{self.config.name}, days", self.calendar
        if not 1 <= first <= first + count - 1 <= calendar.days:
            raise InputError(where, (first, first + count - 1), f"must be within 1..{calendar.days}")
        if (first - 1) % calendar.parts:
            raise InputError(where, first, "must be the first trading day of a date")
        for member in self.participants:
            if member.joins > 1 or member.leaves is not None or member.new_meter is not None or member.connections:
                why = "comes, goes or changes its meter or connection on the way: play all days in one stretch"
                raise InputError(f"{self.config.name}, participant", member.name, why)
        by, end, per_day = first - 1, first + count, calendar.periods_per_day
        slots = slice(by * per_day, (end - 1) * per_day)
        # Trading days follow one another whatever clocks do, so they keep the offset of the first of all.
        days = {
            "start": calendar.date_of(first),
            "days": count,
            "timezone": None,
            "utc_offset_seconds": round(calendar.offset_hours * 3_600),
        }
        versions = [version for version in self.config.rules if version.first_day <= first][-1:]
        versions += [version for version in self.config.rules if first < version.first_day < end]
        rules = [version.model_copy(update={"first_day": max(1, version.first_day - by)}) for version in versions]
        config = self.config.model_copy(update={"calendar": calendar.model_copy(update=days), "rules": rules})
        return replace(
            self,
            config=config,
            profiles=Later(self.profiles, by),
            _tariffs=self._tariffs[slots],
            _wholesale=self._wholesale[slots],
            _orders={day - by: orders for day, orders in self._orders.items() if first <= day < end},
            _forecasts={name: expected[by : by + count] for name, expected in self._forecasts.items()},
            reports={(day - by, name): one for (day, name), one in self.reports.items() if first <= day < end},
            before=self.before + by,
        )._dispatching()

    def foreseen(self, percent: int) -> "Scenario":
        """The same if everybody's forecast day ahead came so far towards what happens."""
        return replace(self, _foreseen=percent)

    def quoting(self, beside: int) -> "Scenario":
        """The same if the wholesale desk takes the upper market's price to be other by so much, units/Wh."""
        return replace(self, _wholesale=tuple(price + beside for price in self._wholesale))

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """What participants agree on two by two, as contracts or in escrow; nothing if it uses neither."""
        return self._agreements if self.markets.bilateral or self.markets.escrow else ()

    def wholesale_prices(self, day: int) -> list[int]:
        """What the wholesale market pays on a day, units/Wh by slot, negative or not.

        Raises:
            InputError: the scenario has no wholesale desk.
        """
        slots = self._slots(day)
        if not self._wholesale:
            raise InputError(f"{self.config.name}, wholesale", None, "is not described by the scenario")
        return list(self._wholesale[slots.start : slots.stop])

    @property
    def participants(self) -> tuple[Participant, ...]:
        """All members, in the table's order."""
        return tuple(self._members.values())

    @property
    def as_they_join(self) -> list[Participant]:
        """All members, day by day as they join."""
        return sorted(self.participants, key=lambda member: member.joins)

    @property
    def calendar(self) -> Calendar:
        """Start, lengths and gates."""
        return self.config.calendar

    @property
    def days(self) -> range:
        """Delivery days: 1, 2, ..."""
        return range(1, self.calendar.days + 1)

    @property
    def period0(self) -> int:
        """Number of the first period of day 1."""
        return self.calendar.opening // self.calendar.period_seconds

    def numbered(self, day: int) -> int:
        """The number of a day in the scenario from which this is cut: what is drawn by the day follows it."""
        return self.before + day

    def periods(self, day: int) -> range:
        """Period numbers of a day, in slot order."""
        slots = self._slots(day)
        return range(self.period0 + slots.start, self.period0 + slots.stop)

    def participant(self, name: str) -> Participant:
        """The member of that name.

        Raises:
            InputError: there is none.
        """
        if name not in self._members:
            raise InputError(f"participant of {self.config.name}", name, "is unknown")
        return self._members[name]

    def of_kind(self, *kinds: Kind) -> tuple[Participant, ...]:
        """Members of these kinds, in the table's order."""
        return tuple(member for member in self.participants if member.kind in kinds)

    def rules(self, day: int) -> MarketRules:
        """The rules that apply to a day."""
        self._slots(day)
        valid = [version for version in self.config.rules if version.first_day <= day]
        return valid[-1].within(self.config.prices.range)

    def tariffs(self, day: int) -> list[Tariff]:
        """The fallback supplier's prices of a day, by slot."""
        slots = self._slots(day)
        return list(self._tariffs[slots.start : slots.stop])

    def load(self, day: int) -> dict[str, list[int]]:
        """Consumption before netting of every meter, Wh by slot; losses are the grid operator's."""
        self._slots(day)
        return self._by_name(self.profiles.load(day), day)

    def pv(self, day: int) -> dict[str, list[int]]:
        """Generation before netting of every meter, Wh by slot, not negative."""
        self._slots(day)
        return self._by_name(self.profiles.pv(day), day)

    def metered(self, day: int) -> dict[str, list[int]]:
        """What every meter shows, net, Wh by slot: consumption positive, generation negative.

        Batteries and moved loads not included: `dem.community.crowd` knows what they do.
        """
        self._slots(day)
        return self._by_name(self.profiles.load(day) - self.profiles.pv(day), day)

    def history(self, day: int) -> History:
        """What all meters showed on the days whose readings are due by a day's gate, at the same hours.

        Raises:
            InputError: the tables begin too late to hold such a day.
        """
        self._slots(day)
        # Where 24 hours are several trading days, those of the same hours tell of one another.
        parts, newest = self.calendar.parts, day - self.calendar.lead_days
        oldest = 1 - self.profiles.history_days
        newest -= (newest - day) % parts
        known = range(oldest + (day - oldest) % parts, newest + 1, parts)
        if not known:
            seconds = self.calendar.day_seconds * max(self.calendar.lead_days, parts)
            why = (
                f"has no whole day of readings that are due before its gate: begin the tables of load and pv at least "
                f"{-(-seconds // WHOLE_DAY_SECONDS)} days before {self.calendar.start}"
            )
            raise InputError(f"{self.config.name}, day", day, why)
        return History(
            load=Past(self.profiles.load, known),
            pv=Past(self.profiles.pv, known),
            lead=(day - newest) // parts,
        )

    def forecasts(self, day: int) -> dict[str, list[int]]:
        """Net consumption that consumers and prosumers expect, Wh by slot, known at the gate."""
        expected = self._by_name(forecast(self.history(day)), day) | self._own_forecasts(day)
        traders = (member.name for member in self.of_kind(Kind.CONSUMER, Kind.PROSUMER))
        mine = {name: expected[name] for name in traders if name in expected}
        if not self._foreseen:
            return mine
        foreseen = self._foresee({name: np.array(net, np.int64) for name, net in mine.items()}, day)
        return {name: net.tolist() for name, net in foreseen.items()}

    def _foresee(self, expected: dict[str, Energy], day: int) -> dict[str, Energy]:
        """What is expected, moved towards what happens."""
        if not self._foreseen:
            return expected
        metered = self.metered(day)
        return {name: net + (np.array(metered[name]) - net) * self._foreseen // 100 for name, net in expected.items()}

    def past_net(self, day: int) -> dict[str, Energy]:
        """Net consumption of consumers and prosumers on the days a forecast is made from, Wh: a row for each such day.

        Whoever brings a forecast of its own has that in every row: it is taken to be sure.
        """
        past = past_net(self.history(day))
        own = self._own_forecasts(day)
        rows = {name: row for row, name in enumerate(self.profiles.names)}
        traders = (member.name for member in self.of_kind(Kind.CONSUMER, Kind.PROSUMER))
        expected: dict[str, Energy] = {
            name: np.array([own[name]] * len(past)) if name in own else past[:, rows[name]]
            for name in traders
            if self.participant(name).takes_part(day)
        }
        return self._foresee(expected, day)

    def expected(self, day: int) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Load and generation before netting that all meters are expected to show, Wh by slot, known at the gate."""
        past = self.history(day)
        load, pv = (
            self._by_name(energy, day) for energy in (forecast_load(past.load, past.lead), forecast_pv(past.pv))
        )
        for name, net in self._own_forecasts(day).items():
            load[name], pv[name] = [max(wh, 0) for wh in net], [max(-wh, 0) for wh in net]
        return load, pv

    def public_forecast(self, day: int) -> dict[str, list[int]]:
        """What every meter will show by its past readings alone, net, Wh by slot: anybody comes to the same.

        Load and generation are told apart by the sign of what the meter showed.
        """
        past = self.history(day)

        def shown(sign: int) -> Past:
            def of(known: int) -> Energy:
                net: Energy = np.maximum(0, sign * (self.profiles.load(known) - self.profiles.pv(known)))
                return net

            return Past(of, past.load.days)

        return self._by_name(forecast_load(shown(1), past.lead) - forecast_pv(shown(-1)), day)

    @property
    def connections(self) -> Connections | None:
        """Where consumers and prosumers are connected to the network, if there is one."""
        if self.network is None:
            return None
        members = self.of_kind(*_CONNECTED)
        return connect(self.network, {m.name: (m.bus, m.import_capacity, m.export_capacity) for m in members})

    @property
    def dispatch(self) -> Dispatch | None:
        """What a dispatcher publishes; None without one."""
        return self._dispatch

    def limits(self, day: int) -> DayLimits | None:
        """What the network leaves its members on a day; None without a dispatcher."""
        return None if self._dispatch is None else self._dispatch.day(day, self.public_forecast)

    def _dispatching(self) -> "Scenario":
        """The same with limits of its own, which nobody has worked out yet."""
        if self.network is None or self.connections is None or not (self.config.grid and self.config.grid.dispatcher):
            return self
        offers = self.relief_offers
        found = Dispatch(
            self.network,
            self.connections,
            self.calendar.period_seconds,
            offers=None if offers is None else lambda _day: offers,
        )
        return replace(self, _dispatch=found)

    @property
    def relief_offers(self) -> Offers | None:
        """What members would do without for the network's sake, and what is paid for it; None if nobody buys any."""
        relief = self.config.grid.relief if self.config.grid else None
        if relief is None:
            return None
        members: dict[str, Offer] = {}
        for own in relief.offers:
            for member in self.of_kind(*_CONNECTED):
                # An offer needs a day to be known, and a newcomer none before it takes part.
                if member.takes_part(1) and {member.name, member.kind.value} & {*own.members}:
                    known = members.get(member.name, NO_OFFER)
                    members[member.name] = (
                        known._replace(fed_in=own.share, fed_in_price=own.price)
                        if own.direction == FEED_IN
                        else known._replace(drawn=own.share, drawn_price=own.price)
                    )
        return Offers(members, Offer(SHARE_SCALE, relief.pays, SHARE_SCALE, relief.pays))

    def lot_secret(self, day: int) -> bytes:
        """What the council's seat of a simulation pledges for the lot of a day: the same in every run."""
        return bytes(keccak(f"DEM simulation/{self.config.name}/{self.config.seed}/lot/{day}".encode()))

    def own_orders(self, day: int) -> tuple[OwnOrder, ...]:
        """Orders that members bring themselves, who take part."""
        return tuple(
            order for order in self._orders.get(day, ()) if self.participant(order.participant).takes_part(day)
        )

    @property
    def own_traders(self) -> frozenset[str]:
        """Who orders in the day-ahead auction what it brings, and nothing else on any day."""
        return frozenset(order.participant for orders in self._orders.values() for order in orders)

    def _own_forecasts(self, day: int) -> dict[str, list[int]]:
        return {
            name: expected[day - 1].tolist()
            for name, expected in self._forecasts.items()
            if self.participant(name).takes_part(day)
        }

    def strategy(self, name: str) -> Strategy:
        """How a participant trades, with the scenario's parameters."""
        called = self.participant(name).strategy
        if called not in self._built:
            self._built[called] = _strategy(self.config, called, self.folder, self.modules)
        return self._built[called]

    def orders(self, day: int, ids: Mapping[str, int]) -> list[Order]:
        """Everybody's orders of a day, made from forecasts; ids: registry number by name."""
        tariffs, rules = self.tariffs(day), self.rules(day)
        orders: list[Order] = []
        for name, expected in self.forecasts(day).items():
            member = self.participant(name).on(day)
            situation = Situation(
                participant=ids[name],
                name=name,
                day=day,
                seed=self.config.seed,
                forecast=expected,
                tariffs=tariffs,
                rules=rules,
                import_capacity=member.import_capacity,
                export_capacity=member.export_capacity,
            )
            orders += self.strategy(name).orders(situation)
        return orders

    def _slots(self, day: int) -> range:
        """A day's periods, counted from the first of day 1."""
        if day not in self.days:
            raise InputError(f"{self.config.name}, day", day, f"must be 1..{self.calendar.days}")
        per_day = self.calendar.periods_per_day
        return range((day - 1) * per_day, day * per_day)

    def _by_name(self, energy: Energy, day: int) -> dict[str, list[int]]:
        """Rows as lists of plain integers, by the name of the meter's member, of those who take part on a day."""
        rows = zip(self.profiles.names, energy.tolist(), strict=True)
        return {name: row for name, row in rows if self._members[name].takes_part(day)}


# --------------------------------------------------------------------------------------------------
# reading


def load_scenario(folder: Path | str, changes: Mapping[str, Any] | None = None) -> Scenario:
    """Read and check the scenario in a folder.

    changes: keys of scenario.toml to be otherwise than they stand there, as `tomllib` would read them.

    Raises:
        InputError: a file is missing or something in it is wrong.
    """
    scenario = examine(Path(folder), Mistakes(), changes)
    assert scenario is not None
    return scenario


def examine(folder: Path, mistakes: Mistakes, changes: Mapping[str, Any] | None = None) -> Scenario | None:
    """Read and check the scenario in a folder; None if it cannot be put together.

    Raises:
        InputError: something is wrong, and mistakes are not to be gathered.
    """
    path = folder / CONFIG
    config = read_config(path, mistakes, changes)
    if config is None:
        return None
    parts: dict[str, Any] = {}
    with mistakes:
        parts["network"] = read_network(folder / config.grid.folder, mistakes) if config.grid else None
    with mistakes:
        participants, network = folder / config.tables.participants, parts.get("network")
        members = _read_participants(participants, config, path, network, mistakes)
        _check_offices(config, members, path, mistakes)
        with mistakes:
            parts["_tariffs"] = tuple(_read_tariffs(folder, config, mistakes))
            config = _with_least_sell(config, parts["_tariffs"])
        members = _with_connections(folder, config, members, mistakes)
        with mistakes:
            parts["_agreements"] = tuple(_read_agreements(folder, config, members, mistakes))
        with mistakes:
            parts["_wholesale"] = tuple(_read_wholesale(folder, config, mistakes))
        with mistakes:
            parts["profiles"] = read_profiles(
                folder,
                config,
                participants={name: member.metered for name, member in members.items()},
                resampled={name for name, member in members.items() if member.kind is not Kind.GRID_OPERATOR},
                mistakes=mistakes,
            )
        community = _community(config, members)
        with mistakes:
            if config.tables.orders:
                parts["_orders"] = read_orders(folder / config.tables.orders, community, mistakes)
        with mistakes:
            if config.tables.forecast:
                unit = 1_000 if config.tables.unit == "kWh" else 1
                forecasts = read_forecasts(folder / config.tables.forecast, unit, community, mistakes)
                parts["_forecasts"] = {name: forecasts[name] for name in forecasts if name in members}
        with mistakes:
            if config.tables.readings:
                parts["reports"] = read_reports(folder / config.tables.readings, community, mistakes)
        if not {"_tariffs", "_agreements", "_wholesale", "profiles"} <= parts.keys():
            return None
        scenario = Scenario(config=config, folder=folder, _members=members, **parts)
        _check_capacities(scenario, mistakes)
        _check_island(scenario, mistakes)
        _check_dispatcher(scenario, path, mistakes)
        _check_changes(scenario, mistakes)
        with mistakes:
            scenario.history(1)
        return scenario._dispatching()
    return None


def _community(config: Config, members: Mapping[str, Participant]) -> Community:
    def capacities(name: str, day: int) -> tuple[int, int]:
        member = members[name].on(day)
        return member.import_capacity, member.export_capacity

    return Community(
        calendar=config.calendar,
        prices=config.prices.range,
        rules=tuple(config.rules),
        members=members.keys(),
        households={member.name for member in members.values() if member.kind in (Kind.CONSUMER, Kind.PROSUMER)},
        capacities=capacities,
        clients={member.name for member in members.values() if member.share and config.markets.pools},
    )


def _strategy(
    config: Config, name: str, folder: Path, modules: tuple[Path, ...] = (), where: str = "strategies"
) -> Strategy:
    parameters = config.strategies.parameters.get(name, {})
    return strategy_named(name, parameters, f"{folder / CONFIG}, {where}", (folder, *modules))


def _read_participants(
    path: Path, config: Config, toml: Path, network: Network | None, mistakes: Mistakes
) -> dict[str, Participant]:
    members: dict[str, Participant] = {}
    unread: set[str] = set()
    kinds: set[str] = set(ONE_OF_EACH)
    for row in read_rows(path, PARTICIPANT_COLUMNS, _OPTIONAL, mistakes):
        before = len(mistakes.found)
        with mistakes:
            member = _member(row, config)
            if member.name in members:
                raise row["participant"].wrong("is there twice")
            if member.kind in ONE_OF_EACH and any(m.kind is member.kind for m in members.values()):
                raise row["kind"].wrong("is there twice; a market has one")
            if network and member.kind in _CONNECTED and member.bus not in network.number:
                raise row["bus"].wrong(
                    f"is no bus of {config.grid.folder if config.grid else ''}: every meter needs one"
                )
            where = f"{path}, line {row['strategy'].line}, column strategy"
            strategy_kind(member.strategy, where, (toml.parent,))
            members[member.name] = member
        if len(mistakes.found) > before:
            unread.add(row["participant"].text)
            kinds.discard(row["kind"].text)
    for kind in ONE_OF_EACH:
        if kind in kinds and all(member.kind is not kind for member in members.values()):
            mistakes.add(InputError(str(path), kind.value, "is missing; a market has one"))
    mistakes.unread |= unread - members.keys()
    used = {config.strategies.default, *(member.strategy for member in members.values())}
    for name in sorted({*config.strategies.parameters, *used}):
        with mistakes:
            _strategy(config, name, toml.parent)
    return members


def _member(row: Row, config: Config) -> Participant:
    name, kind = row["participant"], row["kind"]
    if not NAME.fullmatch(name.text):
        raise name.wrong("must be 1 to 64 letters, digits, dots, hyphens or underscores")
    if kind.text not in list(Kind):
        raise kind.wrong(f"is none of {', '.join(Kind)}")
    return Participant(
        name=name.text,
        kind=Kind(kind.text),
        bus=row["bus"].text,
        import_capacity=_capacity(row["import_capacity_wh"]),
        export_capacity=_capacity(row["export_capacity_wh"]),
        deposit=_amount(row["deposit"]),
        credit_limit=_amount(row["credit_limit"]),
        strategy=row["strategy"].text or config.strategies.default,
        battery=_battery(row, config),
        shiftable=_permille(row, "shiftable_permille"),
        source=_source(row),
        **_client(row),
        **_term(row, config.calendar),
    )


def _with_connections(
    folder: Path, config: Config, members: Mapping[str, Participant], mistakes: Mistakes
) -> dict[str, Participant]:
    """Members with what their connections carry later, if a table says so."""
    found: dict[str, list[Connection]] = defaultdict(list)
    with mistakes:
        if config.tables.connections:
            path = folder / config.tables.connections
            if config.grid:
                raise InputError(str(path), None, "is not possible beside [grid]: limits are of fixed connections")
            for row in read_rows(path, _CONNECTION_COLUMNS, mistakes=mistakes):
                with mistakes:
                    connection = _connection(row, config.calendar, members)
                    own = found[row["participant"].text]
                    if own and own[-1].first_day >= connection.first_day:
                        raise row["date"].wrong("must be after the one of the line before for the same member")
                    own.append(connection)
    return {name: replace(member, connections=tuple(found[name])) for name, member in members.items()}


def _connection(row: Row, calendar: Calendar, members: Mapping[str, Participant]) -> Connection:
    member = members.get(row["participant"].text)
    if member is None:
        raise row["participant"].wrong("is not in the participant table")
    if member.kind not in (Kind.CONSUMER, Kind.PROSUMER):
        raise row["participant"].wrong("is no consumer or prosumer")
    day = day_of(row["date"], calendar)
    if day <= member.joins or not member.takes_part(day):
        raise row["date"].wrong(f"must be a day after {member.name}'s first one, on which it takes part")
    _require_pause(row["date"], calendar)
    return Connection(day, _capacity(row["import_capacity_wh"]), _capacity(row["export_capacity_wh"]))


def _require_pause(cell: Cell, calendar: Calendar) -> None:
    """Members come, go and change their connections while no auction but that of the day in delivery is open."""
    if calendar.open_lead_seconds >= calendar.day_seconds:
        why = "is not possible: members change between two auctions, so open_lead_seconds must be below a day"
        raise cell.wrong(why)


def _source(row: Row) -> str:
    """Of a prosumer's feed-in: the sun unless it says otherwise."""
    given = row.get("source")
    is_prosumer = row["kind"].text == Kind.PROSUMER
    if given is None or not given.text:
        return SOURCES[1] if is_prosumer else ""
    if given.text not in SOURCES[1:]:
        raise given.wrong(f"is none of {', '.join(SOURCES[1:])}")
    if not is_prosumer:
        raise given.wrong("must be empty: only prosumers feed in")
    return given.text


def _term(row: Row, calendar: Calendar) -> dict[str, Any]:
    """The first day and the last, and the day of another meter, of those given."""
    found = {column: day_of(row[column], calendar, last=column == "leaves") for column in _TERM if _text(row, column)}
    for column in found:
        if row["kind"].text not in (Kind.CONSUMER, Kind.PROSUMER):
            raise row[column].wrong("must be empty: only consumers and prosumers come, go and change their meters")
    first, last = found.get("joins", 1), found.get("leaves", calendar.days)
    if last < first:
        raise row["leaves"].wrong(f"is before it joins, on {calendar.date_of(first)}")
    if "returns" in found:
        _check_return(row, found, calendar)
    if "new_meter" in found and not first < found["new_meter"] <= last:
        raise row["new_meter"].wrong("must be a day after its first one, up to its last")
    if first > 1 or last < calendar.days:
        _require_pause(row["joins" if first > 1 else "leaves"], calendar)
    return {column: day for column, day in found.items() if (column, day) != ("leaves", calendar.days)}


def _check_return(row: Row, found: Mapping[str, int], calendar: Calendar) -> None:
    """Who comes back applies on the day before, when its last day can be corrected no more."""
    if "leaves" not in found:
        raise row["returns"].wrong("must be empty: the member does not leave")
    first = found["leaves"] + 2 - -calendar.correction_lag_seconds // calendar.day_seconds
    if found["returns"] < first:
        why = (
            f"is too early: it can be back on {calendar.date_of(first)} (trading day {first}), when its last day can "
            "be corrected no more"
        )
        raise row["returns"].wrong(why)


def _capacity(cell: Cell) -> Wh:
    if cell.integer() > MAX_POSITION:
        raise cell.wrong(f"must be at most {MAX_POSITION} Wh, what the market can register")
    return Wh(cell.integer())


def _amount(cell: Cell) -> Money:
    if cell.money() > MAX_AMOUNT:
        raise cell.wrong(f"must be at most {currency(Money(MAX_AMOUNT))}")
    return cell.money()


def _client(row: Row) -> dict[str, Any]:
    """The intermediary and the share that goes through it: all of it unless it says otherwise."""
    given = row.get("intermediary")
    if given is None or not given.text:
        if _text(row, "share_permille"):
            raise row["share_permille"].wrong("is a share through no intermediary")
        return {}
    if row["kind"].text not in (Kind.CONSUMER, Kind.PROSUMER):
        raise given.wrong("must be empty: only consumers and prosumers have one")
    share = _permille(row, "share_permille") if _text(row, "share_permille") else 1000
    return {"intermediary": given.text, "share": share}


def _battery(row: Row, config: Config) -> Battery | None:
    capacity, power = (_text(row, column) for column in ("battery_wh", "battery_w"))
    if bool(capacity) != bool(power):
        raise row["battery_wh" if "battery_wh" in row else "battery_w"].wrong(
            "must be given with battery_wh and battery_w, or neither"
        )
    if not capacity:
        return None
    if row["kind"].text not in (Kind.CONSUMER, Kind.PROSUMER):
        raise row["battery_wh"].wrong("must be empty: only consumers and prosumers have a battery")
    size = row["battery_wh"].integer()
    if not 1 <= size <= _MAX_BATTERY_WH:
        raise row["battery_wh"].wrong(f"must be 1 to {_MAX_BATTERY_WH}")
    return Battery(
        capacity=size,
        most=row["battery_w"].integer() * config.calendar.period_seconds // 3_600,
        efficiency=config.flexibility.efficiency_permille,
        start=size * config.flexibility.start_permille // 1000,
    )


def _permille(row: Row, column: str) -> int:
    """A number 0..1000, 0 if it is not given."""
    if not _text(row, column):
        return 0
    value = row[column].integer()
    if value > 1000:
        raise row[column].wrong("must be 0 to 1000")
    if value and row["kind"].text not in (Kind.CONSUMER, Kind.PROSUMER):
        raise row[column].wrong("must be empty or 0: only consumers and prosumers have it")
    return value


def _text(row: Row, column: str) -> str:
    return row[column].text if column in row else ""


def _check_offices(config: Config, members: Mapping[str, Participant], path: Path, mistakes: Mistakes) -> None:
    """Intermediaries of pools, their clients and the desk are what they must be."""
    intermediaries = {pool.intermediary for pool in config.pools}
    for name in sorted(intermediaries):
        if name not in members or members[name].kind is not Kind.INTERMEDIARY:
            mistakes.add(InputError(f"{path}, pools.intermediary", name, "is no intermediary of the participant table"))
    for member in members.values():
        if member.intermediary and member.intermediary not in intermediaries:
            why = "is the intermediary of no pool"
            mistakes.add(InputError(f"{path}, intermediary of {member.name}", member.intermediary, why))
    desk = config.wholesale.desk if config.wholesale else None
    if desk is not None and (desk not in members or members[desk].kind is not Kind.WHOLESALE_DESK):
        mistakes.add(InputError(f"{path}, wholesale.desk", desk, "is no wholesale_desk of the participant table"))


def _read_agreements(
    folder: Path, config: Config, members: Mapping[str, Participant], mistakes: Mistakes
) -> Iterator[Agreement]:
    if config.bilateral is None:
        return
    traders = {name: member.kind in TRADING for name, member in members.items()}
    highest = max(version.max_buy for version in config.rules)
    bounds = (config.prices.lowest, highest)
    yield from read_agreements(folder / config.bilateral.contracts, config.calendar, traders, bounds, mistakes)


def _read_wholesale(folder: Path, config: Config, mistakes: Mistakes) -> Iterator[int]:
    """The exchange's prices of all periods from the first of day 1 on, units/Wh."""
    desk = config.wholesale
    if desk is not None:
        prices = _by_period(folder / desk.prices, _PRICES, config.calendar, mistakes, desk.price_seconds)
        yield from (price for _, (price,) in prices)


def _read_tariffs(folder: Path, config: Config, mistakes: Mistakes) -> Iterator[Tariff]:
    """The tariffs of all periods from the first of day 1 on, each within the rules of its day."""
    calendar = config.calendar
    for i, (where, buy, sell) in enumerate(_priced(folder, config, mistakes)):
        day = i // calendar.periods_per_day + 1
        rules = [version for version in config.rules if version.first_day <= day][-1]
        least = config.prices.lowest if rules.min_sell is None else rules.min_sell
        if least <= sell <= buy <= rules.max_buy:
            yield Tariff(UnitsPerWh(buy), UnitsPerWh(sell))
        else:
            told = f"buy {_shown(buy)}, sell {_shown(sell)}"
            what = "prices.lowest" if rules.min_sell is None else "min_sell"
            bounds = f"{what} {_shown(least)} <= sell <= buy <= max_buy {_shown(rules.max_buy)}"
            why = f"must be {bounds}, in currency/kWh: change the tariff, or these bounds"
            mistakes.add(InputError(f"{where}: tariff", told, why))


def _with_least_sell(config: Config, tariffs: Sequence[Tariff]) -> Config:
    """With the lowest price at which the supplier may buy, where the rules do not say one."""
    per_day, rules = config.calendar.periods_per_day, []
    firsts = [version.first_day for version in config.rules]
    for version, first, end in zip(config.rules, firsts, [*firsts[1:], None], strict=True):
        days = tariffs[(first - 1) * per_day : None if end is None else (end - 1) * per_day]
        least = min(0, version.standing_sell, *(tariff.sell for tariff in days))
        rules.append(version if version.min_sell is not None else version.model_copy(update={"min_sell": least}))
    return config.model_copy(update={"rules": rules})


def _shown(price: int) -> str:
    return price_per_kwh(UnitsPerWh(price))


def _priced(folder: Path, config: Config, mistakes: Mistakes) -> Iterator[tuple[str, int, int]]:
    """(where it stands, buy, sell) of each period."""
    rule, calendar = config.tariff, config.calendar
    if isinstance(rule, FlatTariff | TimeOfUseTariff):
        for start in range(calendar.opening, calendar.end, calendar.period_seconds):
            local = datetime.fromtimestamp(start, calendar.zone)
            buy, sell = (rule.buy, rule.sell) if isinstance(rule, FlatTariff) else rule.at(local)
            yield f"{folder / CONFIG}, tariff", buy, sell
    elif isinstance(rule, TableTariff):
        path = folder / rule.tariffs
        for line, (buy, sell) in _by_period(path, {"buy_units_per_wh": 1, "sell_units_per_wh": 1}, calendar, mistakes):
            yield f"{path}, line {line}", buy, sell
    else:
        path = folder / rule.prices
        for line, (price,) in _by_period(path, _PRICES, calendar, mistakes, rule.price_seconds):
            yield f"{path}, line {line}, price_per_mwh {price / UNITS_PER_WH_PER_MWH}", *rule.at(price)


def _by_period(
    path: Path, columns: Mapping[str, int], calendar: Calendar, mistakes: Mistakes, single: int | None = None
) -> Iterator[tuple[int, list[int]]]:
    """Line and prices of each period from the first of day 1 to the scenario's end: means of what the table has.

    columns: of the table, with the prices that make 1 of what is written. single: seconds of a line that stands alone.
    """
    for _ in read_rows(path, (START, *columns)):
        break
    seconds = calendar.period_seconds
    series = read_series(
        path,
        calendar.zone,
        scale=max(columns.values()),
        only=columns,
        until=calendar.end,
        negative=True,
        single=single or seconds,
        unit=f"{Decimal(1) / max(columns.values())} currency/MWh" if columns is _PRICES else "units/Wh",
        mistakes=mistakes,
    )
    check_cover(path, series.periods(seconds), calendar)
    periods = range(calendar.opening // seconds, calendar.end // seconds)
    places = [series.columns.index(column) for column in columns]
    prices = series.mean(seconds)[periods.start - series.periods(seconds).start :, places]
    yield from zip(series.lines_of(periods, seconds), prices.tolist(), strict=True)


def _check_dispatcher(scenario: Scenario, path: Path, mistakes: Mistakes) -> None:
    grid = scenario.config.grid
    if grid is None:
        return
    names = {member.name for member in scenario.of_kind(*_CONNECTED)}
    kinds = {kind.value for kind in _CONNECTED}
    offers = grid.relief.offers if grid.relief else []
    for key, named, known in (
        ("ignored_by", grid.ignored_by, names),
        *((f"relief.offers.{n}.members", own.members, names | kinds) for n, own in enumerate(offers)),
    ):
        for name in named:
            if name not in known:
                near = get_close_matches(name, sorted(known), 1)
                why = "is no consumer or prosumer" + (f": did you mean {near[0]}?" if near else "")
                mistakes.add(InputError(f"{path}, grid.{key}", name, why))
    if grid.relief is None:
        return
    if not grid.dispatcher or scenario.islanded:
        why = "is bought by a dispatcher: set grid.dispatcher = true, or leave it out"
        if scenario.islanded:
            why = "is not bought on an island, whose controller cuts what does not balance: leave it out"
        mistakes.add(InputError(f"{path}, grid.relief", None, why))
    most = min(rules.max_buy for rules in scenario.config.rules)
    if grid.relief.pays > most:
        where, pays = f"{path}, grid.relief.pays", _shown(grid.relief.pays)
        mistakes.add(InputError(where, pays, f"must be at most rules.max_buy, {_shown(most)}"))


def _check_island(scenario: Scenario, mistakes: Mistakes) -> None:
    """What its controller cuts is a load or a plant, which it knows of when the period comes."""
    if not scenario.islanded:
        return
    for member in scenario.participants:
        if member.flexible:
            why = "has a battery or load that moves, which would have to follow what is cut: not possible on an island"
            mistakes.add(InputError(f"{scenario.folder}, participant", member.name, why))
    losses = scenario.of_kind(Kind.GRID_OPERATOR)[0].name
    for day in scenario.days:
        if any(scenario.metered(day).get(losses, ())):
            why = f"has losses on day {day}; those of an island cannot be cut and must be left out"
            mistakes.add(InputError(f"{scenario.folder}, meter", losses, why))


def _check_changes(scenario: Scenario, mistakes: Mistakes) -> None:
    """Whoever comes, goes or changes its meter has nothing that binds it before or after."""
    days, where = scenario.calendar.days, f"{scenario.folder}, participant"
    for member in scenario.participants:
        comes, goes = member.joins > 1, (member.leaves or days) < days
        if (comes or goes) and member.share:
            why = "is the client of an intermediary for the whole run: it cannot join or leave on the way"
            mistakes.add(InputError(where, member.name, why))
        for agreement in scenario.agreements if comes or goes else ():
            if member.name in (agreement.seller, agreement.buyer):
                mistakes.add(
                    InputError(where, member.name, "has a bilateral contract: it cannot join or leave on the way")
                )
                break
        report = scenario.reports.get((member.new_meter - 1, member.name)) if member.new_meter else None
        if member.new_meter and report is not None and report.is_corrected:
            why = f"cannot report late or correct the day before {scenario.calendar.date_of(member.new_meter)}"
            mistakes.add(InputError(where, member.name, f"{why}: its meter is replaced then"))
    if scenario.islanded and scenario.reports:
        mistakes.add(InputError(str(scenario.folder), "tables.readings", "is not possible on an island"))


def _check_capacities(scenario: Scenario, mistakes: Mistakes) -> None:
    """No meter shows more than its connection passes, in the past neither."""
    calendar, profiles = scenario.calendar, scenario.profiles
    changes = {connection.first_day for member in scenario.participants for connection in member.connections}
    first = 1 - profiles.history_days
    named: set[str] = set()
    for day in range(first, calendar.days + 1):
        if day == first or day in changes:
            meters = [scenario.participant(name).on(day) for name in profiles.names]
            imports, exports = (
                np.array([getattr(member, capacity) for member in meters], dtype=np.int64)[:, np.newaxis]
                for capacity in ("import_capacity", "export_capacity")
            )
        net = profiles.load(day) - profiles.pv(day)
        for meter, slot in np.argwhere((net > imports) | (-net > exports)):
            member = meters[meter]
            if member.name in named:
                continue
            named.add(member.name)
            seconds = ((day - 1) * calendar.periods_per_day + int(slot)) * calendar.period_seconds
            start = datetime.fromtimestamp(calendar.opening + seconds, calendar.zone)
            why = f"net Wh is beyond the connection: at most {member.import_capacity} in, {member.export_capacity} out"
            where = f"{scenario.folder}, load and generation, {start}, {member.name}"
            mistakes.add(InputError(where, int(net[meter, slot]), why))
