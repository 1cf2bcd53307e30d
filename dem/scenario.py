"""A scenario: the community, its meters, prices and rules, read from a folder and checked.

A folder holds `scenario.toml` and names the CSV tables it reads, its own or shared ones;
`docs/scenarios.md` describes every key and column. Whatever is wrong with them is an `InputError`
that names the file, the key or line and column, the value, and why it is refused.
"""

import csv
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dem.errors import InputError
from dem.forecast import Energy, History, forecast
from dem.orders import Order
from dem.settlement import ImbalancePricing, MarketRules, Tariff
from dem.strategies import Situation, Strategy, strategy_named
from dem.strips import LANES
from dem.units import Money, UnitsPerWh, Wh, parse_money, parse_tariff

CONFIG = "scenario.toml"
START = "start"
"""First column of every table over time: ISO time with its offset, when the period begins."""
UNITS_PER_WH_PER_MWH = 100
"""Units/Wh of 1 currency/MWh."""
MAX_PERIODS_PER_DAY = 96

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Kind(StrEnum):
    """What a member is in the market."""

    FALLBACK_SUPPLIER = "fallback_supplier"
    OPERATOR = "operator"
    GRID_OPERATOR = "grid_operator"
    CONSUMER = "consumer"
    PROSUMER = "prosumer"
    WHOLESALE_DESK = "wholesale_desk"


METERED = frozenset({Kind.GRID_OPERATOR, Kind.CONSUMER, Kind.PROSUMER})
"""Kinds with a meter; the grid operator's shows the losses of the network."""
ONE_OF_EACH = (Kind.FALLBACK_SUPPLIER, Kind.OPERATOR, Kind.GRID_OPERATOR)
"""Kinds a market has exactly one of."""


# --------------------------------------------------------------------------------------------------
# scenario.toml


def _per_kwh(value: object) -> object:
    """A price per kWh in the file as units/Wh."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number, in currency/kWh")
    return parse_tariff(format(Decimal(value), "f"))


PerKwh = Annotated[int, BeforeValidator(_per_kwh)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Calendar(_Model):
    """When days begin and gates close. Leads and lags in seconds from a day's start or end."""

    start: date
    days: int = Field(ge=1, le=65_535)
    utc_offset_seconds: int = Field(ge=-50_400, le=50_400)
    period_seconds: int = Field(ge=1)
    periods_per_day: int = Field(ge=LANES, le=MAX_PERIODS_PER_DAY, multiple_of=LANES)
    open_lead_seconds: int = Field(ge=1)
    gate_lead_seconds: int = Field(ge=0)
    metering_lag_seconds: int = Field(ge=0)
    correction_lag_seconds: int = Field(ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> "Calendar":
        if self.period_seconds * self.periods_per_day != 86_400:
            raise ValueError("period_seconds times periods_per_day must be 86400, a day")
        if self.gate_lead_seconds >= self.open_lead_seconds:
            raise ValueError("the gate must close after the auction opened: gate_lead < open_lead")
        if self.metering_lag_seconds >= self.correction_lag_seconds:
            raise ValueError("corrections must follow the deadline: metering_lag < correction_lag")
        if self.opening % self.period_seconds:
            raise ValueError("a day must begin with a whole period since 1970 (UTC)")
        return self

    @property
    def zone(self) -> timezone:
        """Local time: one offset for all of the scenario."""
        return timezone(timedelta(seconds=self.utc_offset_seconds))

    @property
    def day_seconds(self) -> int:
        """Seconds of a delivery day."""
        return self.period_seconds * self.periods_per_day

    @property
    def opening(self) -> int:
        """Unix time at which day 1 begins."""
        midnight = datetime(self.start.year, self.start.month, self.start.day, tzinfo=self.zone)
        return int(midnight.timestamp())

    def date_of(self, day: int) -> date:
        """Local date of a day."""
        return self.start + timedelta(days=day - 1)

    @property
    def lead_days(self) -> int:
        """Days from the newest day whose readings are due by the gate to the day traded."""
        return 1 + -(-(self.gate_lead_seconds + self.metering_lag_seconds) // self.day_seconds)


class RulesVersion(_Model):
    """One version of the market's rules. Prices in units/Wh (in the file currency/kWh), Wh."""

    first_day: int = Field(ge=1, le=65_535)
    platform_fee: PerKwh
    network_fee: PerKwh
    deviation_rate: PerKwh
    standing_buy: PerKwh
    standing_sell: PerKwh
    max_buy: PerKwh
    tolerance_fixed_wh: int = Field(ge=0)
    tolerance_share: int = Field(ge=0, le=10_000)
    min_order_energy_wh: int = Field(ge=1)
    max_layers: int = Field(ge=1)
    imbalance_pricing: Literal["single", "two_price", "tariff"]
    charge_helpful: bool
    boundary_margin_wh: int = Field(ge=0)

    @model_validator(mode="after")
    def _accepted_by_the_market(self) -> "RulesVersion":
        _ = self.market_rules
        return self

    @property
    def market_rules(self) -> MarketRules:
        """The rules as the reference model takes them."""
        return MarketRules(
            platform_fee=UnitsPerWh(self.platform_fee),
            network_fee=UnitsPerWh(self.network_fee),
            deviation_rate=UnitsPerWh(self.deviation_rate),
            standing_buy=UnitsPerWh(self.standing_buy),
            standing_sell=UnitsPerWh(self.standing_sell),
            max_buy=UnitsPerWh(self.max_buy),
            tolerance_fixed=Wh(self.tolerance_fixed_wh),
            tolerance_share=self.tolerance_share,
            min_order_energy=Wh(self.min_order_energy_wh),
            max_layers=self.max_layers,
            imbalance_pricing=ImbalancePricing[self.imbalance_pricing.upper()],
            charge_helpful=self.charge_helpful,
            boundary_margin=Wh(self.boundary_margin_wh),
        )


class Tables(_Model):
    """CSV files, relative to the scenario's folder."""

    participants: str
    load: str
    pv: str


class SpotTariff(_Model):
    """The wholesale price, dearer when bought and, less a margin, never negative when sold."""

    kind: Literal["spot"]
    prices: str
    price_seconds: int = Field(ge=1)
    buy_adder: PerKwh
    sell_margin: PerKwh

    def at(self, wholesale: int) -> tuple[int, int]:
        """(buy, sell) in units/Wh at a wholesale price in units/Wh."""
        return wholesale + self.buy_adder, max(0, wholesale - self.sell_margin)


class FeedInTariff(_Model):
    """The wholesale price plus an adder when bought, one fixed price when sold."""

    kind: Literal["feed_in"]
    prices: str
    price_seconds: int = Field(ge=1)
    buy_adder: PerKwh
    feed_in: PerKwh

    def at(self, wholesale: int) -> tuple[int, int]:
        """(buy, sell) in units/Wh at a wholesale price in units/Wh."""
        return wholesale + self.buy_adder, self.feed_in


class TableTariff(_Model):
    """Prices given period by period."""

    kind: Literal["table"]
    tariffs: str


class Strategies(_Model):
    """Who trades how, unless the participant table says otherwise, and the parameters by name."""

    default: str
    parameters: dict[str, dict[str, Any]] = {}


class Config(_Model):
    """All of scenario.toml."""

    name: str = Field(pattern=_NAME.pattern + "$")
    title: str = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    seed: int = Field(ge=0)
    calendar: Calendar
    tables: Tables
    tariff: SpotTariff | FeedInTariff | TableTariff = Field(discriminator="kind")
    rules: list[RulesVersion] = Field(min_length=1)
    strategies: Strategies

    @model_validator(mode="after")
    def _versions_in_order(self) -> "Config":
        first_days = [version.first_day for version in self.rules]
        if first_days[0] != 1 or first_days != sorted(set(first_days)):
            raise ValueError(f"rules must begin with first_day 1 and ascend, not {first_days}")
        return self


# --------------------------------------------------------------------------------------------------
# the scenario


@dataclass(frozen=True, slots=True)
class Participant:
    """A member of the market.

    bus: where in the network it is connected, empty if nowhere.
    import_capacity, export_capacity: Wh per period. deposit: paid in before day 1, 10^-8 currency.
    credit_limit: how far its account may go below zero, 10^-8 currency.
    """

    name: str
    kind: Kind
    bus: str
    import_capacity: Wh
    export_capacity: Wh
    deposit: Money
    credit_limit: Money
    strategy: str

    @property
    def metered(self) -> bool:
        """Whether it has a meter."""
        return self.kind in METERED


Profiles: TypeAlias = dict[str, Energy]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. Days count from 1, slots of a day from 0, energy is in Wh.

    Period numbers are real ones, unix start / period length; `period0` is the first of day 1.
    """

    config: Config
    folder: Path
    participants: tuple[Participant, ...]
    _load: Profiles
    _pv: Profiles
    _history_days: int
    _tariffs: tuple[Tariff, ...]

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

    def periods(self, day: int) -> range:
        """Period numbers of a day, in slot order."""
        slots = self._slots(day)
        return range(self.period0 + slots.start, self.period0 + slots.stop)

    def participant(self, name: str) -> Participant:
        """The member of that name.

        Raises:
            InputError: there is none.
        """
        for member in self.participants:
            if member.name == name:
                return member
        raise InputError(f"participant of {self.config.name}", name, "is unknown")

    def of_kind(self, *kinds: Kind) -> tuple[Participant, ...]:
        """Members of these kinds, in the table's order."""
        return tuple(member for member in self.participants if member.kind in kinds)

    def rules(self, day: int) -> MarketRules:
        """The rules that apply to a day."""
        self._slots(day)
        valid = [version for version in self.config.rules if version.first_day <= day]
        return valid[-1].market_rules

    def tariffs(self, day: int) -> list[Tariff]:
        """The fallback supplier's prices of a day, by slot."""
        slots = self._slots(day)
        return list(self._tariffs[slots.start : slots.stop])

    def load(self, day: int) -> dict[str, list[int]]:
        """Consumption before netting of every meter, Wh by slot; losses are the grid operator's."""
        return self._energy(self._load, day)

    def pv(self, day: int) -> dict[str, list[int]]:
        """Generation before netting of every meter, Wh by slot, not negative."""
        return self._energy(self._pv, day)

    def metered(self, day: int) -> dict[str, list[int]]:
        """What every meter shows, net, Wh by slot: consumption positive, generation negative."""
        return self._energy({name: self._load[name] - self._pv[name] for name in self._load}, day)

    def history(self, name: str, day: int) -> History:
        """What a participant's meter showed on the days whose readings are due by a day's gate.

        Raises:
            InputError: it has no meter, or the tables begin too late to hold such a day.
        """
        if name not in self._load:
            raise InputError(f"participant of {self.config.name}", name, "has no meter")
        self._slots(day)
        known = self._history_days + day - self.calendar.lead_days
        if known < 1:
            why = "has no whole day of readings before its gate: begin the profile tables earlier"
            raise InputError(f"{self.config.name}, day", day, why)
        return History(load=self._load[name][:known], pv=self._pv[name][:known], lead=self.calendar.lead_days)

    def forecasts(self, day: int) -> dict[str, list[int]]:
        """Net consumption that consumers and prosumers expect, Wh by slot, known at the gate."""
        traders = self.of_kind(Kind.CONSUMER, Kind.PROSUMER)
        return {member.name: forecast(self.history(member.name, day)) for member in traders}

    def strategy(self, name: str) -> Strategy:
        """How a participant trades, with the scenario's parameters."""
        strategy = self.participant(name).strategy
        return _strategy(self.config, strategy, self.folder / CONFIG)

    def orders(self, day: int, ids: Mapping[str, int]) -> list[Order]:
        """Everybody's orders of a day, made from forecasts; ids: registry number by name."""
        tariffs, rules = self.tariffs(day), self.rules(day)
        orders: list[Order] = []
        for name, expected in self.forecasts(day).items():
            member = self.participant(name)
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

    def _energy(self, profiles: Profiles, day: int) -> dict[str, list[int]]:
        self._slots(day)
        row = self._history_days + day - 1
        return {name: [int(wh) for wh in energy[row]] for name, energy in profiles.items()}


# --------------------------------------------------------------------------------------------------
# reading


def load_scenario(folder: Path) -> Scenario:
    """Read and check the scenario in a folder.

    Raises:
        InputError: a file is missing or something in it is wrong.
    """
    path = folder / CONFIG
    config = _read_config(path)
    tables = config.tables
    participants = _read_participants(folder / tables.participants, config, path)
    load, load_history = _read_profiles(folder / tables.load, config.calendar, participants)
    pv, pv_history = _read_profiles(folder / tables.pv, config.calendar, participants)
    history = min(load_history, pv_history)
    shape = (history + config.calendar.days, config.calendar.periods_per_day)
    metered = [member for member in participants if member.metered]
    for member in metered:
        if member.name not in load and member.name not in pv:
            why = f"has a meter but no column in {tables.load} or {tables.pv}"
            raise InputError(f"{folder / tables.participants}, participant", member.name, why)
    nothing = np.zeros(shape, dtype=np.int64)
    scenario = Scenario(
        config=config,
        folder=folder,
        participants=participants,
        _load={m.name: load.get(m.name, nothing)[-shape[0] :] for m in metered},
        _pv={m.name: pv.get(m.name, nothing)[-shape[0] :] for m in metered},
        _history_days=history,
        _tariffs=tuple(_read_tariffs(folder, config)),
    )
    _check_capacities(scenario)
    return scenario


def _read_config(path: Path) -> Config:
    try:
        text = path.read_text(encoding="utf-8")
        return Config.model_validate(tomllib.loads(text, parse_float=Decimal))
    except FileNotFoundError as error:
        raise InputError(str(path), None, "does not exist: a scenario is a folder with it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), None, f"cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(path), None, f"is not TOML: {error}") from error
    except ValidationError as error:
        raise _first_mistake(str(path), error) from error


def _first_mistake(where: str, error: ValidationError) -> InputError:
    """The first of pydantic's complaints in our words."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    nested = isinstance(first["input"], dict)
    why = first["msg"].removeprefix("Value error, ")
    return InputError(f"{where}, {key}" if key else where, None if nested else first["input"], why)


def _strategy(config: Config, name: str, path: Path) -> Strategy:
    parameters = config.strategies.parameters.get(name, {})
    try:
        return strategy_named(name).model_validate(parameters)
    except ValidationError as error:
        raise _first_mistake(f"{path}, strategies.parameters.{name}", error) from error


@dataclass(frozen=True, slots=True)
class _Cell:
    """One value of a table, and where it stands."""

    path: Path
    line: int
    column: str
    text: str

    def wrong(self, why: str) -> InputError:
        return InputError(f"{self.path}, line {self.line}, column {self.column}", self.text, why)

    def integer(self, low: int = 0) -> int:
        if not _INTEGER.fullmatch(self.text):
            raise self.wrong("must be a whole number")
        if int(self.text) < low:
            raise self.wrong(f"must be at least {low}")
        return int(self.text)

    def units_per_wh(self) -> int:
        """A price per MWh, negative or not."""
        if not _DECIMAL.fullmatch(self.text):
            raise self.wrong("must be a plain decimal number such as -12.34")
        units = Decimal(self.text) * UNITS_PER_WH_PER_MWH
        if units != int(units):
            raise self.wrong("must be a whole number of 0.01 currency/MWh")
        return int(units)

    def money(self) -> Money:
        try:
            return parse_money(self.text)
        except InputError as error:
            raise self.wrong(error.why) from error

    def period(self, seconds: int) -> int:
        """Number of the period of that length which begins at this time."""
        try:
            start = datetime.fromisoformat(self.text)
        except ValueError as error:
            raise self.wrong("must be an ISO time such as 2016-05-08T00:00+02:00") from error
        if start.tzinfo is None:
            raise self.wrong("must say its offset from UTC, such as +02:00")
        period, rest = divmod(start.timestamp(), seconds)
        if rest:
            raise self.wrong(f"must be the start of a period of {seconds} s")
        return int(period)


_Row: TypeAlias = dict[str, _Cell]


def _rows(path: Path, columns: Sequence[str], more: bool = False) -> Iterator[_Row]:
    """A table's rows. Its columns are the given ones in any order, and others only if `more`."""
    try:
        file = path.open(newline="", encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(str(path), None, f"cannot be read: {error.strerror}") from error
    with file:
        reader = csv.reader(file)
        header = next(reader, [])
        for column in columns:
            if column not in header:
                raise InputError(f"{path}, line 1", header, f"lacks the column {column}")
        for column in header:
            if header.count(column) > 1:
                raise InputError(f"{path}, line 1", column, "is there twice")
            if not more and column not in columns:
                raise InputError(f"{path}, line 1", column, f"is none of {', '.join(columns)}")
        for values in reader:
            line = reader.line_num
            if len(values) != len(header):
                why = f"has {len(values)} values for {len(header)} columns"
                raise InputError(f"{path}, line {line}", ",".join(values)[:80], why)
            yield {name: _Cell(path, line, name, text) for name, text in zip(header, values, strict=True)}


def _read_participants(path: Path, config: Config, toml: Path) -> tuple[Participant, ...]:
    columns = (
        "participant",
        "kind",
        "bus",
        "import_capacity_wh",
        "export_capacity_wh",
        "deposit",
        "credit_limit",
        "strategy",
    )
    members: dict[str, Participant] = {}
    for row in _rows(path, columns):
        member = _member(row, config)
        if member.name in members:
            raise row["participant"].wrong("is there twice")
        if member.kind in ONE_OF_EACH and any(m.kind is member.kind for m in members.values()):
            raise row["kind"].wrong("is there twice; a market has one")
        strategy_named(member.strategy, f"{path}, line {row['strategy'].line}, column strategy")
        members[member.name] = member
    for kind in ONE_OF_EACH:
        if all(member.kind is not kind for member in members.values()):
            raise InputError(str(path), kind.value, "is missing; a market has one")
    for name in {*config.strategies.parameters, config.strategies.default}:
        strategy_named(name, f"{toml}, strategies")
        _strategy(config, name, toml)
    return tuple(members.values())


def _member(row: _Row, config: Config) -> Participant:
    name, kind = row["participant"], row["kind"]
    if not _NAME.fullmatch(name.text):
        raise name.wrong("must be 1 to 64 letters, digits, dots, hyphens or underscores")
    if kind.text not in list(Kind):
        raise kind.wrong(f"is none of {', '.join(Kind)}")
    return Participant(
        name=name.text,
        kind=Kind(kind.text),
        bus=row["bus"].text,
        import_capacity=Wh(row["import_capacity_wh"].integer()),
        export_capacity=Wh(row["export_capacity_wh"].integer()),
        deposit=row["deposit"].money(),
        credit_limit=row["credit_limit"].money(),
        strategy=row["strategy"].text or config.strategies.default,
    )


def _read_profiles(path: Path, calendar: Calendar, participants: Sequence[Participant]) -> tuple[Profiles, int]:
    """Columns by participant, Wh, shape (days, periods), up to the scenario's last day; and how
    many whole days there are before day 1."""
    metered = {member.name for member in participants if member.metered}
    known = {member.name for member in participants}
    names: list[str] = []
    values: list[list[int]] = []

    def read(row: _Row) -> None:
        if not names:
            names.extend(name for name in row if name != START)
            for name in names:
                if name not in metered:
                    why = "has no meter" if name in known else "is not in the participant table"
                    raise InputError(f"{path}, line 1, column", name, why)
        values.append([row[name].integer() for name in names])

    first = _read_periods(path, (START,), calendar, calendar.period_seconds, read, more=True)
    before = calendar.opening // calendar.period_seconds - first
    history, torn = divmod(before, calendar.periods_per_day)
    energy = np.array(values, dtype=np.int64)[torn:].T
    shape = (len(names), history + calendar.days, calendar.periods_per_day)
    return dict(zip(names, np.ascontiguousarray(energy).reshape(shape), strict=True)), history


def _read_tariffs(folder: Path, config: Config) -> Iterator[Tariff]:
    """The tariffs of all periods from the first of day 1 on, each within the rules of its day."""
    rule, calendar = config.tariff, config.calendar
    buys_and_sells = (
        _explicit_tariffs(folder / rule.tariffs, calendar)
        if isinstance(rule, TableTariff)
        else _spot_tariffs(folder / rule.prices, rule, calendar)
    )
    for i, (where, buy, sell) in enumerate(buys_and_sells):
        day = i // calendar.periods_per_day + 1
        allowed = [version.max_buy for version in config.rules if version.first_day <= day][-1]
        if not 0 <= sell <= buy <= allowed:
            why = f"must be 0 <= sell <= buy <= max_buy = {allowed}, in units/Wh"
            raise InputError(f"{where}: tariff (buy, sell)", (buy, sell), why)
        yield Tariff(UnitsPerWh(buy), UnitsPerWh(sell))


_Priced: TypeAlias = list[tuple[str, int, int]]
"""(where it stands, buy, sell) by period."""


def _explicit_tariffs(path: Path, calendar: Calendar) -> _Priced:
    priced: _Priced = []

    def read(row: _Row) -> None:
        buy, sell = row["buy_units_per_wh"], row["sell_units_per_wh"]
        priced.append((f"{path}, line {buy.line}", buy.integer(), sell.integer()))

    columns = (START, "buy_units_per_wh", "sell_units_per_wh")
    first = _read_periods(path, columns, calendar, calendar.period_seconds, read)
    return priced[calendar.opening // calendar.period_seconds - first :]


def _spot_tariffs(path: Path, rule: SpotTariff | FeedInTariff, calendar: Calendar) -> _Priced:
    if rule.price_seconds % calendar.period_seconds or calendar.opening % rule.price_seconds:
        why = "must be a multiple of period_seconds and divide a day's start"
        raise InputError("tariff.price_seconds", rule.price_seconds, why)
    priced: _Priced = []

    def read(row: _Row) -> None:
        price = row["price_per_mwh"]
        buy, sell = rule.at(price.units_per_wh())
        where = f"{path}, line {price.line}"
        priced.extend([(where, buy, sell)] * (rule.price_seconds // calendar.period_seconds))

    first = _read_periods(path, (START, "price_per_mwh"), calendar, rule.price_seconds, read)
    return priced[(calendar.opening - first * rule.price_seconds) // calendar.period_seconds :]


def _read_periods(
    path: Path,
    columns: Sequence[str],
    calendar: Calendar,
    seconds: int,
    read: Callable[[_Row], None],
    more: bool = False,
) -> int:
    """Read the rows up to the scenario's end, one per `seconds` without a gap; the first's number.

    Rows beyond the end are left alone: scenarios may share a table.
    """
    first = following = None
    opening = calendar.opening // seconds
    end = -(-(calendar.opening + calendar.days * calendar.day_seconds) // seconds)
    for row in _rows(path, columns, more):
        period = row[START].period(seconds)
        if following is None:
            first = period
        elif period != following:
            raise row[START].wrong(f"must follow the line before by {seconds} s")
        following = period + 1
        if period >= end:
            break
        read(row)
    wanted = f"must cover {calendar.date_of(1)} to {calendar.date_of(calendar.days)}"
    if first is None or following is None:
        raise InputError(str(path), None, f"has no rows; it {wanted}")
    if first > opening or following < end:
        ends = (datetime.fromtimestamp(p * seconds, calendar.zone) for p in (first, following))
        raise InputError(str(path), " to ".join(end.isoformat() for end in ends), wanted)
    return first


def _check_capacities(scenario: Scenario) -> None:
    """No meter shows more than its connection passes, in the past neither."""
    calendar, tables = scenario.calendar, scenario.config.tables
    for member in scenario.participants:
        if not member.metered:
            continue
        net = (scenario._load[member.name] - scenario._pv[member.name]).ravel()
        beyond = (net > member.import_capacity) | (-net > member.export_capacity)
        for i in np.flatnonzero(beyond)[:1]:
            period = int(i) - scenario._history_days * calendar.periods_per_day
            start = datetime.fromtimestamp(calendar.opening + period * calendar.period_seconds, calendar.zone)
            where = f"{scenario.folder}, {tables.load} and {tables.pv}, {start}, {member.name}"
            why = f"net Wh is beyond the connection: at most {member.import_capacity} in, {member.export_capacity} out"
            raise InputError(where, int(net[i]), why)
