"""scenario.toml: the calendar, rules, tables, tariff and strategies of a scenario, checked.

`docs/guide/scenarios.md` describes every key. Prices per kWh become units/Wh as they are read.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from dem.community.hours import hours_of, weekdays_of, within
from dem.community.presets import POOLED, Mode
from dem.errors import InputError, Mistakes
from dem.formats import all_mistakes, read_toml
from dem.model.mechanisms import MECHANISMS, Markets
from dem.model.rules import SHARE_SCALE, ImbalancePricing, MarketRules
from dem.model.strips import LANES, MAX_POSITION
from dem.model.units import PriceRange, UnitsPerWh, Wh, parse_money, parse_tariff
from dem.model.worst_day import most_layers

MAX_PERIODS_PER_DAY = 96
WHOLE_DAY_SECONDS = 86_400
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of scenarios and participants."""


def _per_kwh(value: object) -> object:
    """A price per kWh in the file as units/Wh."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number, in currency/kWh")
    return parse_tariff(format(Decimal(value), "f"))


SignedPerKwh = Annotated[int, BeforeValidator(_per_kwh)]
PerKwh = Annotated[SignedPerKwh, Field(ge=0)]


def _seconds(value: object) -> object:
    """Hours in the file as seconds."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number, in hours")
    seconds = Decimal(value) * 3_600
    if seconds != int(seconds):
        raise ValueError("must be a whole number of seconds, in hours")
    return int(seconds)


Hours = Annotated[int, BeforeValidator(_seconds)]


def _pooled(value: object) -> Mode:
    """A way to trade that has an intermediary."""
    if value not in POOLED:
        raise ValueError(f"must be one of {', '.join(sorted(POOLED))}")
    return Mode(str(value))


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Calendar(_Model):
    """When days begin and gates close. Leads and lags in seconds from a day's start or end.

    Days are trading days of the same length, 24 hours or a whole part of it, the first from local midnight on.
    Local time is that of a zone, or has one offset from UTC for all days.
    """

    start: date
    days: int = Field(ge=1, le=65_535)
    timezone: str | None = None
    utc_offset_seconds: int | None = Field(default=None, ge=-50_400, le=50_400)
    period_seconds: int = Field(ge=1)
    periods_per_day: int = Field(ge=LANES, le=MAX_PERIODS_PER_DAY, multiple_of=LANES)
    open_lead_seconds: int = Field(ge=1)
    gate_lead_seconds: int = Field(ge=0)
    metering_lag_seconds: int = Field(ge=0)
    correction_lag_seconds: int = Field(ge=1)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        try:
            return name and ZoneInfo(name).key
        except (KeyError, OSError, ValueError):
            raise ValueError("is no time zone: use a name such as Europe/Berlin or America/New_York") from None

    @model_validator(mode="after")
    def _consistent(self) -> "Calendar":
        if (self.timezone is None) == (self.utc_offset_seconds is None):
            raise ValueError("local time needs timezone, such as Europe/Berlin, or else utc_offset_seconds")
        if WHOLE_DAY_SECONDS % (self.period_seconds * self.periods_per_day):
            raise ValueError(
                "period_seconds times periods_per_day must be 86400, a day, or a whole part of it: "
                "periods of 5 minutes have trading days of 8 hours, 300 times 96"
            )
        if self.gate_lead_seconds >= self.open_lead_seconds:
            raise ValueError("the gate must close after the auction opened: gate_lead < open_lead")
        if self.metering_lag_seconds >= self.correction_lag_seconds:
            raise ValueError("corrections must follow the deadline: metering_lag < correction_lag")
        if self.opening % self.period_seconds:
            raise ValueError("a day must begin with a whole period since 1970 (UTC)")
        return self

    @property
    def zone(self) -> tzinfo:
        """Local time."""
        if self.timezone is not None:
            return ZoneInfo(self.timezone)
        return timezone(timedelta(seconds=self.utc_offset_seconds or 0))

    @property
    def offset_hours(self) -> float:
        """From UTC, when day 1 begins."""
        offset = datetime.fromtimestamp(self.opening, self.zone).utcoffset()
        assert offset is not None
        return offset / timedelta(hours=1)

    @property
    def day_seconds(self) -> int:
        """Seconds of a delivery day."""
        return self.period_seconds * self.periods_per_day

    @property
    def parts(self) -> int:
        """Trading days in 24 hours."""
        return WHOLE_DAY_SECONDS // self.day_seconds

    @property
    def opening(self) -> int:
        """Unix time at which day 1 begins."""
        midnight = datetime(self.start.year, self.start.month, self.start.day, tzinfo=self.zone)
        return int(midnight.timestamp())

    @property
    def end(self) -> int:
        """Unix time at which the last day ends."""
        return self.opening + self.days * self.day_seconds

    def date_of(self, day: int) -> date:
        """Local date of a day."""
        return self.start + timedelta(days=(day - 1) // self.parts)

    @property
    def lead_days(self) -> int:
        """Trading days from the newest one whose readings are due by the gate to the one traded."""
        return 1 + -(-(self.gate_lead_seconds + self.metering_lag_seconds) // self.day_seconds)

    @property
    def final_lead_days(self) -> int:
        """Trading days from the newest one that is final before the auction opens to the one traded."""
        return 2 + (self.open_lead_seconds + self.correction_lag_seconds) // self.day_seconds


class Prices(_Model):
    """The prices that orders can name: 4,096 of them from the lowest on, a tick apart. units/Wh."""

    lowest: SignedPerKwh = -100_000
    tick: PerKwh = 100

    @model_validator(mode="after")
    def _accepted_by_the_market(self) -> "Prices":
        _ = self.range
        return self

    @property
    def range(self) -> PriceRange:
        """As the reference model takes it."""
        return PriceRange(UnitsPerWh(self.lowest), self.tick)


class RulesVersion(_Model):
    """One version of the market's rules. Prices in units/Wh (in the file currency/kWh), Wh.

    min_sell: lowest price at which the fallback supplier may buy; None: what its tariffs of these days need.
    """

    first_day: int = Field(ge=1, le=65_535)
    platform_fee: PerKwh
    network_fee: PerKwh
    deviation_rate: PerKwh
    standing_buy: SignedPerKwh
    standing_sell: SignedPerKwh
    max_buy: PerKwh
    min_sell: SignedPerKwh | None = None
    commission_cap: PerKwh = 0
    tolerance_fixed_wh: int = Field(ge=0)
    tolerance_share: int = Field(ge=0, le=10_000)
    min_order_energy_wh: int = Field(ge=1)
    max_layers: int = Field(ge=1)
    imbalance_pricing: Literal["single", "two_price", "tariff", "shared", "levied", "shared_levied"]
    charge_helpful: bool
    boundary_margin_wh: int = Field(ge=0)
    wholesale_margin: PerKwh = 0
    penalty_cap: PerKwh = 0
    premium_rate: PerKwh = 0
    reward_share: int = Field(default=0, ge=0, le=10_000)

    @property
    def pricing(self) -> ImbalancePricing:
        """How imbalances are priced."""
        return ImbalancePricing[self.imbalance_pricing.upper()]

    def within(self, prices: PriceRange) -> MarketRules:
        """The rules as the reference model takes them.

        Raises:
            InputError: the market does not accept them.
        """
        return MarketRules(
            platform_fee=UnitsPerWh(self.platform_fee),
            network_fee=UnitsPerWh(self.network_fee),
            deviation_rate=UnitsPerWh(self.deviation_rate),
            standing_buy=UnitsPerWh(self.standing_buy),
            standing_sell=UnitsPerWh(self.standing_sell),
            max_buy=UnitsPerWh(self.max_buy),
            min_sell=UnitsPerWh(min(0, self.standing_sell) if self.min_sell is None else self.min_sell),
            prices=prices,
            commission_cap=UnitsPerWh(self.commission_cap),
            tolerance_fixed=Wh(self.tolerance_fixed_wh),
            tolerance_share=self.tolerance_share,
            min_order_energy=Wh(self.min_order_energy_wh),
            max_layers=self.max_layers,
            imbalance_pricing=self.pricing,
            charge_helpful=self.charge_helpful,
            boundary_margin=Wh(self.boundary_margin_wh),
            wholesale_margin=UnitsPerWh(self.wholesale_margin),
            penalty_cap=UnitsPerWh(self.penalty_cap),
            premium_rate=UnitsPerWh(self.premium_rate),
            reward_share=self.reward_share,
        )


class Tables(_Model):
    """CSV files, relative to the scenario's folder; load unless the meters follow shapes, and pv if
    anybody generates.

    orders, forecast, readings: what members bring themselves, see `dem.community.own`.
    connections: what members' connections carry from a day on.
    unit: of load, pv and forecast. negative: what negative readings of load and pv are; those of one that are swapped
    count as positive ones of the other.
    """

    participants: str
    load: str | None = None
    pv: str | None = None
    orders: str | None = None
    forecast: str | None = None
    readings: str | None = None
    connections: str | None = None
    unit: Literal["Wh", "kWh"] = "Wh"
    negative: Literal["refuse", "zero", "swap"] = "refuse"


class Charging(_Model):
    """Cars that charge at home. every: each so-manieth household has one. watts: of each. hours: at which times."""

    every: int = Field(ge=1)
    watts: int = Field(ge=1, le=10**6)
    hours: Annotated[tuple[tuple[int, int], ...], BeforeValidator(hours_of)]


class Shapes(_Model):
    """Meters that follow shapes: CSV files, relative to the scenario's folder.

    resample: give every consumer's and prosumer's load days of its own. pv_permille: of the shapes' generation.
    charging: cars beside what the shapes have.
    """

    shapes: str
    meters: str
    resample: bool
    pv_permille: int = Field(default=1000, ge=0, le=10_000)
    charging: Charging | None = None


class SpotTariff(_Model):
    """The wholesale price, dearer when bought and, less a margin, when sold; both may be below zero."""

    kind: Literal["spot"]
    prices: str
    price_seconds: int | None = Field(default=None, ge=1)
    buy_adder: PerKwh
    sell_margin: PerKwh

    def at(self, wholesale: int) -> tuple[int, int]:
        """(buy, sell) in units/Wh at a wholesale price in units/Wh."""
        return wholesale + self.buy_adder, wholesale - self.sell_margin


class FeedInTariff(_Model):
    """The wholesale price plus an adder when bought, one fixed price when sold."""

    kind: Literal["feed_in"]
    prices: str
    price_seconds: int | None = Field(default=None, ge=1)
    buy_adder: PerKwh
    feed_in: SignedPerKwh

    def at(self, wholesale: int) -> tuple[int, int]:
        """(buy, sell) in units/Wh at a wholesale price in units/Wh."""
        return wholesale + self.buy_adder, self.feed_in


class FlatTariff(_Model):
    """The same prices at all times."""

    kind: Literal["flat"]
    buy: SignedPerKwh
    sell: SignedPerKwh


class Window(_Model):
    """Other prices at some hours of some weekdays, local: 06:00-22:00 and Mo-Fr, say."""

    hours: Annotated[tuple[tuple[int, int], ...], BeforeValidator(hours_of)] = ((0, 86_400),)
    weekdays: Annotated[frozenset[int], BeforeValidator(weekdays_of)] = frozenset(range(7))
    buy: SignedPerKwh
    sell: SignedPerKwh


class TimeOfUseTariff(_Model):
    """Prices by the hour and the weekday: those of the first window that a period begins in, else the general ones."""

    kind: Literal["time_of_use"]
    buy: SignedPerKwh
    sell: SignedPerKwh
    windows: list[Window] = Field(min_length=1)

    def at(self, start: datetime) -> tuple[int, int]:
        """(buy, sell) in units/Wh of a period that begins at this local time."""
        for window in self.windows:
            if start.weekday() in window.weekdays and within(window.hours, start):
                return window.buy, window.sell
        return self.buy, self.sell


class TableTariff(_Model):
    """Prices given period by period."""

    kind: Literal["table"]
    tariffs: str


class Strategies(_Model):
    """Who trades how, unless the participant table says otherwise, and the parameters by name."""

    default: str
    parameters: dict[str, dict[str, Any]] = {}


class Bilateral(_Model):
    """Bilateral contracts: a CSV file, relative to the scenario's folder."""

    contracts: str


class Pool(_Model):
    """An intermediary's auction among its clients; it closes so long before a day's start.

    preset: how the intermediary trades, see `dem.community.presets`. commission: of each side, units/Wh.
    margin: what a virtual power plant wants between pool and market, units/Wh.
    """

    name: str = Field(pattern=f"^{NAME.pattern}$")
    intermediary: str
    preset: Annotated[Mode, BeforeValidator(_pooled)]
    commission: PerKwh
    margin: PerKwh = 0
    gate_lead_seconds: int = Field(ge=0)


class Wholesale(_Model):
    """What the wholesale desk reports: the exchange's price, a margin on it, capacities and a penalty.

    margin: of the rules at most, units/Wh. capacities: of the exchange with the upper grid, Wh per period.
    penalty: of the wholesale market for what deviates from the residual traded, units/Wh.
    """

    desk: str
    prices: str
    price_seconds: int | None = Field(default=None, ge=1)
    margin: PerKwh
    import_capacity_wh: int = Field(ge=0, le=MAX_POSITION)
    export_capacity_wh: int = Field(ge=0, le=MAX_POSITION)
    penalty: PerKwh


class Intraday(_Model):
    """The continuous auction: how long before its period it closes, and when participants revise their orders.

    sessions: hours from the day's start, negative on the day before; kept in seconds.
    """

    gate_lead_seconds: int = Field(ge=0)
    sessions: list[Hours] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Intraday":
        if self.sessions != sorted(set(self.sessions)):
            raise ValueError("sessions must ascend")
        return self


def _money(value: object) -> object:
    """An amount in the file as money units."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number, in currency")
    return parse_money(format(Decimal(value), "f"))


def _percent(value: object) -> object:
    """Percent in the file as 1/10,000."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number, in percent")
    share = Decimal(value) * 100
    if not 0 <= share <= 10_000 or share != int(share):
        raise ValueError("must be 0 to 100 percent, with at most two decimals")
    return int(share)


class Levy(_Model):
    """On the bill of who has a meter: so much for each kWh drawn, and so much a day."""

    name: str = Field(min_length=1, max_length=60)
    per_kwh: PerKwh = Field(default=0, le=10**7)
    per_day: Annotated[int, BeforeValidator(_money)] = Field(default=0, le=10**12)


class Bill(_Model):
    """What members' bills add to what the market charges; no account is charged for it. vat: in percent."""

    vat: Annotated[int, BeforeValidator(_percent)] = 0
    levies: list[Levy] = []

    def record(self) -> dict[str, Any]:
        """As the tables of a run have it."""
        levies = [
            {"name": levy.name, "units_per_wh": levy.per_kwh, "units_per_day": levy.per_day} for levy in self.levies
        ]
        return {"vat_per_10000": self.vat, "levies": levies}


class Flexibility(_Model):
    """Of all batteries, in 1/1000: what a charged Wh gives back, and how full they are at midnight."""

    efficiency_permille: int = Field(default=900, ge=1, le=1000)
    start_permille: int = Field(default=500, ge=0, le=1000)


class ReliefOffers(_Model):
    """What some members offer: to feed in or to draw less, up to a part of their connection, 1/10,000.

    members: by name, or all of a kind: consumer, prosumer; of these, who takes part from the first day on. price: for
    each Wh, units/Wh.
    """

    members: list[str] = Field(min_length=1)
    direction: Literal["feed-in", "demand"]
    share: int = Field(ge=1, le=SHARE_SCALE)
    price: Annotated[PerKwh, Field(lt=2**32)]


class Relief(_Model):
    """Relief that the grid operator buys before limits are set (rule 10.9). pays: at most, units/Wh."""

    pays: PerKwh
    offers: list[ReliefOffers] = Field(min_length=1)


class Grid(_Model):
    """The network that members are connected to: a folder of tables, relative to the scenario's.

    dispatcher: whether it publishes limits, which members keep (rule 10). ignored_by: members whose meters show what
    they would without. relief: what is bought before.
    """

    folder: str
    dispatcher: bool = False
    ignored_by: list[str] = []
    relief: Relief | None = None


class Config(_Model):
    """All of scenario.toml. islanded: there is no upper grid, and what does not balance is shed and curtailed.

    coins: whether NRGcoins are credited for final days.
    """

    name: str = Field(pattern=f"^{NAME.pattern}$")
    title: str = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    seed: int = Field(ge=0)
    islanded: bool = False
    calendar: Calendar
    tables: Tables
    profiles: Shapes | None = None
    tariff: SpotTariff | FeedInTariff | FlatTariff | TimeOfUseTariff | TableTariff = Field(discriminator="kind")
    prices: Prices = Prices()
    rules: list[RulesVersion] = Field(min_length=1)
    strategies: Strategies
    markets: Markets = Markets()
    coins: bool = False
    bilateral: Bilateral | None = None
    pools: list[Pool] = []
    wholesale: Wholesale | None = None
    intraday: Intraday | None = None
    flexibility: Flexibility = Flexibility()
    bill: Bill | None = None
    grid: Grid | None = None

    @property
    def possible(self) -> Markets:
        """All mechanisms for which it says how; one without a section needs none."""
        return Markets(**{name: bool(getattr(self, _section_of(name), True)) for name in MECHANISMS})

    @model_validator(mode="after")
    def _rules_accepted_by_the_market(self) -> "Config":
        for number, version in enumerate(self.rules):
            try:
                _ = version.within(self.prices.range)
            except InputError as error:
                raise ValueError(f"rules.{number}.{error}") from error
        return self

    @model_validator(mode="after")
    def _markets_are_described(self) -> "Config":
        for name in self.markets.names:
            if name not in self.possible.names:
                raise ValueError(f"markets.{name} needs a section that says how: [{_section_of(name)}]")
        return self

    @model_validator(mode="after")
    def _island_settles_at_the_auctions_price(self) -> "Config":
        if self.islanded and self.markets != Markets():
            raise ValueError("an island trades in the call auction alone: at its price what is cut is paid back")
        at_auction_price = ("single", "two_price")
        if self.islanded and any(v.deviation_rate or v.imbalance_pricing not in at_auction_price for v in self.rules):
            raise ValueError(
                "on an island deviation_rate must be 0 and imbalance_pricing single or two_price: "
                "a meter does not tell what was cut from what was not delivered"
            )
        return self

    @model_validator(mode="after")
    def _gates_in_order(self) -> "Config":
        auction = self.calendar
        for pool in self.pools:
            if not auction.gate_lead_seconds < pool.gate_lead_seconds < auction.open_lead_seconds:
                raise ValueError(
                    f"pool {pool.name}: its gate must close after the auction opened and before the auction's: "
                    f"gate_lead_seconds {pool.gate_lead_seconds} between {auction.gate_lead_seconds} "
                    f"and {auction.open_lead_seconds}"
                )
        for what in ("name", "intermediary"):
            values = [getattr(pool, what) for pool in self.pools]
            if len(set(values)) < len(values):
                raise ValueError(f"pools must not share a {what}: {values}")
        for session in self.intraday.sessions if self.intraday else ():
            if not -auction.gate_lead_seconds < session < auction.day_seconds:
                raise ValueError(
                    f"intraday.sessions: {session / 3600:g} h must come after the auction's gate, "
                    f"{-auction.gate_lead_seconds / 3600:g} h, and before the day ends"
                )
        return self

    @model_validator(mode="after")
    def _desk_within_the_rules(self) -> "Config":
        for version in self.rules:
            desk = self.wholesale
            if desk and (desk.margin > version.wholesale_margin or desk.penalty > version.penalty_cap):
                raise ValueError(
                    "wholesale margin and penalty must be within wholesale_margin and penalty_cap of the rules, "
                    f"in units/Wh: {(desk.margin, desk.penalty)} within "
                    f"{(version.wholesale_margin, version.penalty_cap)}"
                )
            for pool in self.pools:
                if pool.commission > version.commission_cap:
                    raise ValueError(
                        f"pool {pool.name}: commission must be within commission_cap of the rules, "
                        f"in units/Wh: {pool.commission} within {version.commission_cap}"
                    )
        return self

    @model_validator(mode="after")
    def _weekdays_are_days(self) -> "Config":
        if self.calendar.parts > 1 and (self.profiles or self.bilateral):
            raise ValueError("[profiles] and [bilateral] know weekdays and hours: they need trading days of 24 hours")
        return self

    @model_validator(mode="after")
    def _settles_in_a_transaction(self) -> "Config":
        periods = self.calendar.periods_per_day
        most = most_layers(periods)
        for version in self.rules:
            if version.max_layers > most:
                raise ValueError(
                    f"rules: max_layers must be at most {most} for a day of {periods} periods, not "
                    f"{version.max_layers}: the day of one member has to settle in one transaction"
                )
        return self

    @model_validator(mode="after")
    def _versions_in_order(self) -> "Config":
        first_days = [version.first_day for version in self.rules]
        if first_days[0] != 1 or first_days != sorted(set(first_days)):
            raise ValueError(f"rules must begin with first_day 1 and ascend, not {first_days}")
        return self

    @model_validator(mode="after")
    def _profiles_from_one_source(self) -> "Config":
        tables = (self.tables.load, self.tables.pv)
        if (self.profiles is None) != (self.tables.load is not None) or (self.profiles and any(tables)):
            raise ValueError("meters need either tables.load, with tables.pv if anybody generates, or [profiles]")
        return self


_STAND_INS: dict[str, Any] = {
    "name": "scenario",
    "title": "A scenario",
    "currency": "EUR",
    "seed": 0,
    "tariff": {"kind": "flat", "buy": 0, "sell": 0},
    "rules": [
        {
            **dict.fromkeys(("platform_fee", "network_fee", "deviation_rate", "standing_buy", "standing_sell"), 0),
            **dict.fromkeys(("tolerance_fixed_wh", "tolerance_share", "boundary_margin_wh"), 0),
            "first_day": 1,
            "max_buy": 9,
            "min_order_energy_wh": 1,
            "max_layers": 1,
            "imbalance_pricing": "single",
            "charge_helpful": False,
        }
    ],
    "strategies": {"default": "none"},
}
"""What stands for sections that are wrong, so that tables can still be read."""


def _section_of(mechanism: str) -> str:
    """The section that says how a mechanism is used: escrowed trades are made of the same agreements as contracts."""
    return "bilateral" if mechanism == "escrow" else mechanism


def read_config(
    path: Path, mistakes: Mistakes | None = None, changes: Mapping[str, Any] | None = None
) -> Config | None:
    """Read and check a scenario.toml; None if it does not even say what is in which table.

    changes: keys to be otherwise than they stand in the file.

    Raises:
        InputError: it is missing or something in it is wrong.
    """
    mistakes = mistakes or Mistakes()
    with mistakes:
        record = _changed(read_toml(path, "a scenario is a folder with it"), changes or {})
        try:
            return Config.model_validate(record)
        except ValidationError as error:
            for mistake in all_mistakes(str(path), error):
                mistakes.add(mistake)
            wrong = {one["loc"][0] for one in error.errors() if one["loc"]}
        try:
            return Config.model_validate({**_STAND_INS, **{key: record[key] for key in record if key not in wrong}})
        except ValidationError:
            return None
    return None


def _changed(record: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table with other values: in a list of tables in each of them."""
    changed = dict(record)
    for key, value in changes.items():
        old = record.get(key)
        if not isinstance(value, Mapping):
            changed[key] = value
        elif isinstance(old, list) and all(isinstance(one, dict) for one in old):
            changed[key] = [_changed(one, value) for one in old]
        else:
            changed[key] = _changed(old if isinstance(old, dict) else {}, value)
    return changed
