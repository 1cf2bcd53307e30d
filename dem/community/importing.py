"""A scenario made from meter exports: wide tables (a column for each meter) or long ones (a line for each value).

What exports differ in is found out: the separator, decimal commas, the column of times, the order of the lines, kWh or
Wh. Whatever cannot be told from the file is an option. The tables written are those of any other scenario.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd

from dem.community.advice import MOST_DAYS, needed
from dem.community.config import MAX_PERIODS_PER_DAY, NAME, WHOLE_DAY_SECONDS
from dem.community.forecast import DAYS_WANTED
from dem.community.scenario import CONFIG, PARTICIPANT_COLUMNS, Kind, Scenario, load_scenario
from dem.errors import InputError
from dem.model.strips import MAX_POSITION
from dem.model.units import MONEY_DECIMALS

_TIMES = ("start", "time", "timestamp", "datetime", "date", "datum", "zeit", "from", "von", "mtu", "interval_start")
_METERS = ("meter", "meter_id", "participant", "id", "name", "pod", "ean", "zaehler", "household")
_VALUES = ("value", "kwh", "wh", "energy", "consumption", "wert", "usage")
_DIRECTIONS = ("direction", "quantity", "kind", "type", "obis", "flow")
_FEED_IN = re.compile(r"feed|gen|prod|pv|solar|export|out|einspeis|2\.8\.0", re.IGNORECASE)
_QUANTITY = re.compile(r"[ _-]*(load|use|consumption|import|bezug|" + _FEED_IN.pattern + r")\w*$", re.IGNORECASE)
_PRICES = re.compile(r"price|preis|eur|mwh", re.IGNORECASE)
_HOUR = timedelta(hours=1)
_FEW = 10
"""Of so many times one that is there twice may be a slip."""
_DAYS_BEFORE = DAYS_WANTED + 2
"""What forecasts look at, and the days between whose readings are not due yet."""
_SLACK = 1.5
"""Connections pass so many times what meters ever showed."""
_GRID = "grid"
_ANY = (MAX_POSITION, MAX_POSITION)
"""Limits of a connection, Wh per period, that bind nobody."""


_SPOT = """kind = "spot"
prices = "prices.csv"
buy_adder = 0.20              # grid, levies and taxes on top of the exchange, per kWh
sell_margin = 0.005"""
_FLAT = """kind = "flat"
buy = 0.30                    # per kWh drawn: put your own here
sell = 0.08                   # per kWh fed in"""


_LEADS = """open_lead_seconds = 64800     # the auction opens at 06:00 of the day before
gate_lead_seconds = 43200     # and closes at noon
metering_lag_seconds = 21600
correction_lag_seconds = 86400"""
_EIGHT_HOURS = "                     # trading days of 8 hours: one has at most 96 periods"
_SHORT_LEADS = """open_lead_seconds = 21600     # the auction opens 6 hours before its 8 hours
gate_lead_seconds = 7200      # and closes 2 hours before
metering_lag_seconds = 3600
correction_lag_seconds = 28800"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file does not tell. unit: of the readings. days: None for all that leave a history before them."""

    timezone: str
    unit: str = "kWh"
    days: int | None = None
    start: date | None = None
    currency: str = "EUR"
    seconds: int | None = None
    prices_timezone: str | None = None
    """Of the prices, if it is another one."""


def make_scenario(folder: Path, meters: Sequence[Path], prices: Path | None, wanted: Wanted) -> Path:
    """Write the scenario of these meters into a new folder.

    Raises:
        InputError: the folder holds something, or a file cannot be understood.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(str(folder), None, "is not empty: name a new folder")
    if not NAME.fullmatch(folder.resolve().name):
        why = "must be 1 to 64 letters, digits, dots, hyphens or underscores: a scenario has its folder's name"
        raise InputError("folder", folder.resolve().name, why)
    zone = _zone("--timezone", wanted.timezone)
    load, pv = _meters(meters, zone)
    wholesale = None
    if prices is not None:
        other = wanted.prices_timezone
        wholesale = _prices(prices, _zone("--prices-timezone", other) if other else zone)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place under its own name, so that a scenario that will not do leaves nothing behind.
    with TemporaryDirectory(dir=folder.parent, prefix=".scenario-") as draft:
        made = Path(draft) / folder.resolve().name
        _make(made, load, pv, wholesale, wanted, zone, (meters[0], prices))
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    return folder


def _zone(option: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        places = {place.rpartition("/")[2].lower(): place for place in sorted(available_timezones())}
        known = sorted(available_timezones())
        near = get_close_matches(name, known, 1) or [
            places[one] for one in get_close_matches(name.rpartition("/")[2].lower().replace(" ", "_"), places, 1)
        ]
        why = f"is no time zone: did you mean {near[0]}?" if near else "is no time zone: such as Europe/Berlin"
        raise InputError(option, name, why) from None


def _make(
    folder: Path,
    load: pd.DataFrame,
    pv: pd.DataFrame,
    wholesale: pd.DataFrame | None,
    wanted: Wanted,
    zone: ZoneInfo,
    sources: tuple[Path, Path | None],
) -> None:
    seconds = wanted.seconds or _period(load, sources[0])
    folder.mkdir()
    load.insert(0, _GRID, 0)
    _write_series(folder / "load.csv", load)
    _write_series(folder / "pv.csv", pv)
    first, days = _days(load, seconds, wanted, zone)
    if wholesale is not None:
        _check_days(str(sources[1]), wholesale, first, days, zone)
        _write_series(folder / "prices.csv", wholesale)
    toml = _toml(folder, wanted, first, days, seconds, wholesale is not None)
    (folder / CONFIG).write_text(toml, encoding="utf-8")
    names = [name for name in load.columns if name != _GRID]
    names += [name for name in pv.columns if name not in load.columns]
    _write_members(folder, dict.fromkeys(names, (*_ANY, 10**6)), set(pv.columns))
    scenario = load_scenario(folder)
    profiles, limits = scenario.profiles, {}
    past = range(1 - profiles.history_days, scenario.calendar.days + 1)
    net = np.concatenate([profiles.load(day) - profiles.pv(day) for day in past], axis=1)
    for name, shown in zip(profiles.names, net, strict=True):
        limits[name] = (_up(shown.max() * _SLACK, 100), _up(-shown.min() * _SLACK, 100))
    _write_members(folder, {name: (*limits[name], 10**6) for name in names}, set(pv.columns), limits[_GRID])
    deposits = needed(load_scenario(folder))
    amounts = {name: _up(deposits[name] / 10**MONEY_DECIMALS * 1.2, 10) for name in names}
    _write_members(folder, {name: (*limits[name], amounts[name]) for name in names}, set(pv.columns), limits[_GRID])
    load_scenario(folder)


def _check_days(where: str, prices: pd.DataFrame, first: date, days: int, zone: ZoneInfo) -> None:
    begins, ends = (datetime.fromtimestamp(int(prices.index[n]), zone).date() for n in (0, -1))
    last = first + timedelta(days=days - 1)
    if begins > first or ends < last:
        why = f"has prices from {begins} to {ends}, and the scenario is from {first} to {last}"
        raise InputError(where, None, f"{why}: bring others, or choose days by --start and --days")


def summary(scenario: Scenario) -> Iterator[str]:
    """What was understood of the files, in sentences: whoever knows them sees what is wrong."""
    calendar, days = scenario.calendar, list(scenario.days)[:MOST_DAYS]
    kinds = {kind: scenario.of_kind(kind) for kind in (Kind.CONSUMER, Kind.PROSUMER)}
    yield ", ".join(
        f"{len(members)} {kind.value}{'s' if len(members) > 1 else ''}" for kind, members in kinds.items() if members
    )
    load, pv = (np.sum([list(of(day).values()) for day in days], axis=(0, 2)) for of in (scenario.load, scenario.pv))
    wholes = dict(zip(scenario.load(days[0]), zip(load.tolist(), pv.tolist(), strict=True), strict=True))
    whole_days = len(days) * calendar.day_seconds / WHOLE_DAY_SECONDS
    for member in [*kinds[Kind.PROSUMER], *kinds[Kind.CONSUMER]][:3]:
        drawn, fed_in = (wh / 1_000 / whole_days for wh in wholes[member.name])
        yield f"{member.name} draws {drawn:,.1f} kWh a day" + (f" and makes {fed_in:,.1f}" if fed_in else "")
    tariffs = [tariff for day in days for tariff in scenario.tariffs(day)]
    buy, sell = ([getattr(tariff, side) * 1_000 / 10**MONEY_DECIMALS for tariff in tariffs] for side in ("buy", "sell"))
    per_kwh = f"{scenario.config.currency}/kWh"
    yield (
        f"the fallback supplier sells at {min(buy):.3f} to {max(buy):.3f} {per_kwh}, "
        f"and buys at {min(sell):.3f} to {max(sell):.3f}"
    )
    yield (
        f"{len(scenario.days)} days of {calendar.periods_per_day} periods of {calendar.period_seconds // 60} minutes "
        f"from {calendar.start} on, in {calendar.timezone}: a time is the beginning of its period"
    )


def _up(value: float, step: int) -> int:
    return max(step, -(-int(value) // step) * step)


def _meters(paths: Sequence[Path], zone: ZoneInfo) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Consumption and generation by time and meter."""
    load: dict[str, Any] = {}
    pv: dict[str, Any] = {}
    for path in paths:
        frame = _read(path)
        columns = {str(column).strip().lower(): column for column in frame.columns}
        meter = next((columns[name] for name in _METERS if name in columns), None)
        value = next((columns[name] for name in _VALUES if name in columns), None)
        times = _time_column(frame)
        if meter is not None and value is not None:
            direction = next((columns[name] for name in _DIRECTIONS if name in columns), None)
            fed = frame[direction].str.contains(_FEED_IN) if direction is not None else pd.Series(False, frame.index)
            for into, rows in ((load, frame[~fed]), (pv, frame[fed])):
                for name, own in rows.groupby(meter):
                    into[_name(path, str(name))] = _column(path, own, str(value), times, zone)
        else:
            for column in frame.columns:
                if column == times:
                    continue
                text = str(column)
                name = _QUANTITY.sub("", text)
                is_fed = bool(re.search(_FEED_IN, text[len(name) :])) and bool(name)
                into = pv if is_fed else load
                into[_name(path, name or text)] = _column(path, frame, text, times, zone)
    if not load and not pv:
        raise InputError(str(paths[0]), None, "has no column of readings")
    frames = (pd.DataFrame(load), pd.DataFrame(pv))
    every = frames[0].index.union(frames[1].index)
    return tuple(frame.reindex(every) for frame in frames)  # type: ignore[return-value]


def _name(path: Path, text: str) -> str:
    """A participant's name from a meter's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text.strip()).strip("-._")[:64]
    if not name:
        raise InputError(f"{path}, meter", text, "leaves no name of letters and digits")
    return f"meter-{name}" if name in (_GRID, "supplier", "operator") else name


def _read(path: Path) -> pd.DataFrame:
    """All columns as text, whatever separates them."""
    for encoding in ("utf-8-sig", "latin-1"):
        try:
            text = path.read_text(encoding=encoding)
        except UnicodeDecodeError:
            continue
        except OSError as error:
            raise InputError(str(path), None, f"cannot be read: {error.strerror}") from error
        break
    header = text.partition("\n")[0]
    separator = max(";\t,", key=header.count)
    try:
        frame = pd.read_csv(path, sep=separator, dtype=str, encoding=encoding, keep_default_na=False)
    except (ValueError, csv.Error) as error:
        raise InputError(str(path), None, f"is no table: {error}") from error
    if isinstance(frame.index, pd.MultiIndex) or not isinstance(frame.index, pd.RangeIndex):
        values = len(frame.columns) + frame.index.nlevels
        why = f"has {values} values for {len(frame.columns)} columns: decimal commas need ; between columns"
        raise InputError(f"{path}, line 2", None, why)
    if frame.empty or len(frame.columns) < 2:
        raise InputError(str(path), None, "must have a header, a column of times, and columns of numbers")
    return frame


def _time_column(frame: pd.DataFrame) -> str:
    columns = [str(column) for column in frame.columns]
    words = (re.split(r"[^a-z_]+", column.lower()) for column in columns)
    named = [column for column, parts in zip(columns, words, strict=True) if {*parts} & {*_TIMES}]
    return named[0] if named else columns[0]


def _column(path: Path, frame: pd.DataFrame, column: str, times: str, zone: ZoneInfo) -> "pd.Series[Any]":
    """Numbers by unix time, the oldest first."""
    texts = frame[column].str.strip().str.replace("\N{NO-BREAK SPACE}", "")
    if texts.str.contains(r",\d+$").any():
        texts = texts.str.replace(".", "").str.replace(",", ".")
    numbers = pd.to_numeric(texts, errors="coerce")
    for line in frame.index[numbers.isna()][:1]:
        where, many = f"{path}, line {line + 2}, column {column}", int(numbers.isna().sum())
        raise InputError(
            where, frame[column][line], f"is no number ({many} such in the column): fill in what is missing"
        )
    index = _times(path, frame[times], zone)
    series = pd.Series(texts.to_numpy(), index=index)
    lines = pd.Series(frame.index.to_numpy() + 2, index=index)
    # A line that is there again says nothing new.
    again = pd.DataFrame({"at": index, "text": series.to_numpy()}).duplicated().to_numpy()
    series, lines = series[~again], lines[~again]
    for twice in series.index[series.index.duplicated()][:1]:
        first, second = lines[lines.index == twice].tolist()[:2]
        why = "is there twice, with other values"
        if series.index.duplicated().sum() > len(series) // _FEW:
            why += (
                f": a table with a line for each meter and time has a column {', '.join(_METERS[:4])} or {_METERS[4]}"
            )
        raise InputError(f"{path}, lines {first} and {second}, column {column}", frame[times][first - 2], why)
    return series.sort_index()


def _times(path: Path, texts: "pd.Series[str]", zone: ZoneInfo) -> "pd.Index[int]":
    """Unix times of what exports write: ISO, or days first; of a span its beginning."""
    plain = texts.str.split(" - ").str[0].str.strip()
    is_german = plain.str.match(r"\d{1,2}\.\d{1,2}\.\d{4}").all()
    try:
        if is_german:
            times = pd.to_datetime(plain, format="mixed", dayfirst=True)
        else:
            has_offset = plain.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$").all()
            times = pd.to_datetime(plain, format="ISO8601", utc=bool(has_offset))
    except ValueError as error:
        where, example = f"{path}, column {texts.name}", plain.iloc[0]
        why = "is no time that is understood, such as 2016-08-01 00:00 or 01.08.2016 00:00: is it the column of times?"
        raise InputError(where, example, f"{why} Name that start or time") from error
    if times.dt.tz is None:
        newest_first = times.iloc[0] > times.iloc[-1]
        ordered = times.iloc[::-1] if newest_first else times
        local = _localised(ordered, zone).reindex(times.index)
        for line in local.index[local.isna()][:1]:
            there = f"{times[line] + timedelta(hours=1):%H:%M}"
            why = f"is no time in {zone}: clocks go from there to {there}. {_winter_time(zone, times[line].year)}"
            raise InputError(f"{path}, line {line + 2}, column {texts.name}", texts[line], why)
        in_order = local.sort_values().index
        shown, passed = times[in_order].diff(), local[in_order].diff()
        for line in in_order[(shown > timedelta()) & (shown <= _HOUR) & (passed > shown)][:1]:
            why = (
                f"follows an hour that is there once: clocks in {zone} go back, and it must be there twice. "
                f"{_winter_time(zone, times[line].year)}"
            )
            raise InputError(f"{path}, line {line + 2}, column {texts.name}", texts[line], why)
        times = local
    stamps = times.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[s]").astype("int64")
    return pd.Index(stamps)


def _winter_time(zone: ZoneInfo, year: int) -> str:
    """How to name the zone of a table whose clock is never changed."""
    winter = datetime(year, 1, 1, tzinfo=zone).utcoffset() or timedelta()
    return f"Winter time all year is Etc/GMT{-round(winter / _HOUR):+d}"


def _localised(times: "pd.Series[Any]", zone: ZoneInfo) -> "pd.Series[Any]":
    """Local times with their offsets: of an hour that occurs twice the first is the one before clocks go back."""
    is_second = times.duplicated()
    # What never was is left empty.
    localised: pd.Series[Any] = times.dt.tz_localize(zone, ambiguous=(~is_second).to_numpy(), nonexistent="NaT")
    return localised


def _prices(path: Path, zone: ZoneInfo) -> pd.DataFrame:
    frame = _read(path)
    times = _time_column(frame)
    others = [str(column) for column in frame.columns if column != times]
    named = [column for column in others if re.search(_PRICES, column)]
    if not named and len(others) > 1:
        raise InputError(str(path), ", ".join(others), "is no column of prices: name one price_per_mwh")
    named = named or others
    series = _column(path, frame, named[0], times, zone)
    # The market counts prices in 0.01 per MWh; averages that exports write have more decimals.
    rounded = [str(Decimal(text).quantize(Decimal("0.01"))) for text in series]
    return pd.DataFrame({"price_per_mwh": rounded}, index=series.index)


def _period(load: pd.DataFrame, path: Path) -> int:
    """The most frequent distance between two lines, if a market can have such periods."""
    steps = np.diff(load.index.to_numpy())
    if not len(steps):
        raise InputError(str(path), None, "has one line only")
    usual = int(pd.Series(steps).mode()[0])
    return usual if usual in (300, 900, 1_800, 3_600) else 900


def _days(load: pd.DataFrame, seconds: int, wanted: Wanted, zone: ZoneInfo) -> tuple[date, int]:
    """The first day of the scenario and how many there are."""
    begin = datetime.fromtimestamp(int(load.index[0]), zone)
    first = begin.date() + timedelta(days=begin.time() != datetime.min.time())
    end = int(load.index[-1]) + max(seconds, int(np.diff(load.index.to_numpy())[-1]))

    def whole(start: date) -> int:
        midnight = datetime(start.year, start.month, start.day, tzinfo=zone).timestamp()
        return int((end - midnight) // WHOLE_DAY_SECONDS)

    held = whole(first)
    if held < 3:
        raise InputError("readings", held, "whole days are too few: a scenario needs two before its first day")
    days = wanted.days or min(7, max(1, held // 4))
    start = wanted.start or first + timedelta(days=max(2, min(_DAYS_BEFORE, held - days)))
    if whole(start) < days or days < 1 or (start - first).days < 2:
        last = first + timedelta(days=held - 1)
        why = (
            f"must be days between {first + timedelta(days=2)} and {last}, which the readings hold with two before them"
        )
        raise InputError("--start, --days", f"{start}, {days}", why)
    return start, days


def _write_series(path: Path, frame: pd.DataFrame) -> None:
    """A table over time, in UTC, so that it means the same everywhere."""
    labels = pd.to_datetime(frame.index, unit="s", utc=True).strftime("%Y-%m-%dT%H:%M:%SZ")
    frame.set_axis(labels, axis=0).to_csv(path, index_label="start", lineterminator="\n")


def _write_members(
    folder: Path, limits: dict[str, tuple[int, int, int]], plants: set[str], losses: tuple[int, int] = _ANY
) -> None:
    rows = [
        ("supplier", "fallback_supplier", "", 0, 0, 0, 100_000, "none"),
        ("operator", "operator", "", 0, 0, 0, 0, "none"),
        (_GRID, "grid_operator", "", *losses, 0, 10_000, "none"),
        *((name, "prosumer" if name in plants else "consumer", "", *most, 0, "") for name, most in limits.items()),
    ]
    with (folder / "participants.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([PARTICIPANT_COLUMNS, *rows])


def _toml(folder: Path, wanted: Wanted, first: date, days: int, seconds: int, has_prices: bool) -> str:
    tariff = _SPOT if has_prices else _FLAT
    parts = -(-WHOLE_DAY_SECONDS // (MAX_PERIODS_PER_DAY * seconds))
    return f"""# Made by `scenario new`. Each key is described in docs/guide/scenarios.md.
name = "{folder.resolve().name}"
title = "{folder.resolve().name}"
currency = "{wanted.currency}"
seed = 1

[calendar]
start = {first}
days = {days * parts}{_EIGHT_HOURS if parts > 1 else ""}
timezone = "{wanted.timezone}"
period_seconds = {seconds}
periods_per_day = {WHOLE_DAY_SECONDS // parts // seconds}
{_SHORT_LEADS if parts > 1 else _LEADS}

[tables]
participants = "participants.csv"
load = "load.csv"
pv = "pv.csv"
unit = "{wanted.unit}"
negative = "swap"             # a negative reading of load is generation, and the other way round

[tariff]
{tariff}

[[rules]]
first_day = 1
platform_fee = 0.002          # per kWh traded, from either side
network_fee = 0.01
deviation_rate = 0.002
standing_buy = 0.30
standing_sell = 0.0
max_buy = 2.0
tolerance_fixed_wh = 100
tolerance_share = 1000
min_order_energy_wh = 5
max_layers = 4
imbalance_pricing = "tariff"   # what is not contracted costs what it would without a market
charge_helpful = false
boundary_margin_wh = 100

[strategies]
default = "quantile"          # each Wh is ordered at what it is worth by past days

[bill]                        # on members' bills, charged to no account
vat = 0                       # percent of purchases, fees and levies
levies = []                   # such as {{ name = "Electricity tax", per_kwh = 0.0205 }}, or with per_day
"""
