"""What meters show: consumption and generation of every metered participant, day by day.

They stand in tables, every meter's every period, or follow *shapes*: the course of a year as shares of a power, which
many meters follow in their own size. A meter that follows a shape is computed for the day asked for, so thousands of
meters over a year take no more memory than the shapes.

Households of one shape would all peak in the same quarter-hour. Resampling gives each days of its own: every day is
drawn from the shape's days of the same type and shifted by up to half an hour. The sun shines on all alike, so
generation is not drawn; a plant is shifted by the same time on all days, as roofs face a little east or west.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from fractions import Fraction
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from dem.community.config import Calendar, Charging, Config, Shapes, Tables
from dem.community.forecast import DAYS_WANTED, Energy
from dem.community.hours import within
from dem.errors import InputError, Mistakes
from dem.tables import FRACTIONS, Cell, Row, nearest, read_rows, read_series

SHARE_DECIMALS = 9
"""A share of a shape is a whole number of billionths."""
SAME_WEEKDAY = 52 * 7
"""Days a table of shapes must hold at least; the day so many before or after it stands for one that it lacks."""
MAX_SHIFT_SECONDS = 1_800
"""How far a resampled day is shifted at most, to either side."""
MAX_POWER_KW = 1_000
"""Largest power of a meter that follows a shape: more than any low-voltage connection, and no overflow of 64 bits."""
_KEPT_BYTES = 1 << 26
"""Memory for the days of meters that follow shapes."""

_METER_COLUMNS = ("participant", "load_shape", "load_kw", "pv_shape", "pv_kwp")

_Indexes: TypeAlias = npt.NDArray[np.int64]
_Draws: TypeAlias = npt.NDArray[np.uint64]


class Profiles(Protocol):
    """The meters' past and future. Day 1 is the scenario's first, those before it are 0, -1, ...

    names: of the meters. history_days: how many days there are before day 1.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def history_days(self) -> int: ...

    def load(self, day: int) -> Energy:
        """Consumption of a day before netting, Wh, shape (meters, periods)."""

    def pv(self, day: int) -> Energy:
        """Generation of a day before netting, Wh, not negative, shape (meters, periods)."""


@dataclass(frozen=True, slots=True)
class Later:
    """Meters whose day 1 comes so many days later than that of others that are the same."""

    of: Profiles
    by: int

    @property
    def names(self) -> tuple[str, ...]:
        """As `Profiles.names`."""
        return self.of.names

    @property
    def history_days(self) -> int:
        """With the days that come before now."""
        return self.of.history_days + self.by

    def load(self, day: int) -> Energy:
        """As `Profiles.load`."""
        return self.of.load(day + self.by)

    def pv(self, day: int) -> Energy:
        """As `Profiles.pv`."""
        return self.of.pv(day + self.by)


@dataclass(frozen=True, slots=True)
class Without:
    """Meters of which one shows nothing."""

    of: Profiles
    name: str

    @property
    def names(self) -> tuple[str, ...]:
        """As `Profiles.names`."""
        return self.of.names

    @property
    def history_days(self) -> int:
        """As `Profiles.history_days`."""
        return self.of.history_days

    def load(self, day: int) -> Energy:
        """As `Profiles.load`."""
        return self._rest(self.of.load(day))

    def pv(self, day: int) -> Energy:
        """As `Profiles.pv`."""
        return self._rest(self.of.pv(day))

    def _rest(self, energy: Energy) -> Energy:
        rest: Energy = energy * (np.array(self.names) != self.name)[:, np.newaxis]
        return rest


def read_profiles(
    folder: Path, config: Config, participants: Mapping[str, bool], resampled: Collection[str], mistakes: Mistakes
) -> Profiles:
    """Read and check the meters of a scenario.

    participants: whether it has a meter, by name. resampled: who gets days of its own where the scenario says so.

    Raises:
        InputError: a file is missing or something in it is wrong.
    """
    if config.profiles is not None:
        return _read_shaped(folder, config.profiles, config, participants, resampled, mistakes)
    return _read_tabled(folder, config.tables, config.calendar, participants, mistakes)


# --------------------------------------------------------------------------------------------------
# tables


@dataclass(frozen=True, slots=True, eq=False)
class TabledProfiles:
    """Meters whose every period stands in a table. Energy in Wh, shape (days, meters, periods), history first.

    histories: whole days before day 1 that the tables of load and of pv hold.
    """

    names: tuple[str, ...]
    history_days: int
    histories: tuple[int, int]
    load_wh: Energy
    pv_wh: Energy

    def load(self, day: int) -> Energy:
        """As `Profiles.load`."""
        energy: Energy = self.load_wh[self.history_days + day - 1]
        return energy

    def pv(self, day: int) -> Energy:
        """As `Profiles.pv`."""
        energy: Energy = self.pv_wh[self.history_days + day - 1]
        return energy


def _read_tabled(
    folder: Path, keys: Tables, calendar: Calendar, participants: Mapping[str, bool], mistakes: Mistakes
) -> TabledProfiles:
    assert keys.load is not None
    names = _metered(participants)
    place = {name: i for i, name in enumerate(names)}
    seconds, tables = calendar.period_seconds, []
    for path in [folder / table for table in (keys.load, keys.pv) if table is not None]:
        series = read_series(
            path,
            calendar.zone,
            scale=FRACTIONS * (1_000 if keys.unit == "kWh" else 1),
            until=calendar.end,
            negative=keys.negative != "refuse",
            single=seconds,
            mistakes=mistakes,
        )
        check_cover(path, series.periods(seconds), calendar)
        for name in series.columns:
            with mistakes:
                _check_metered(f"{path}, line 1, column", name, participants)
        known = [i for i, name in enumerate(series.columns) if participants.get(name)]
        (first_day, shown), (_, back) = (
            whole_days(part.energy(seconds)[:, known], series.periods(seconds), calendar) for part in series.parts()
        )
        tables.append((first_day, [place[series.columns[i]] for i in known], shown, back))
    if keys.pv is None:
        first_day, _, shown, back = tables[0]
        tables.append((first_day, [], shown[:, :0], back[:, :0]))
    for name in names:
        if not any(place[name] in places for _, places, _, _ in tables):
            mistakes.add(
                InputError(
                    f"{folder}, participant",
                    name,
                    f"has a meter but no column in {keys.load}" + (f" or {keys.pv}" if keys.pv else ""),
                )
            )
    load, pv = (1 - first_day for first_day, _, _, _ in tables)
    history = min(load, pv)
    energy = np.zeros((2, history + calendar.days, len(names), calendar.periods_per_day), dtype=np.int64)
    for quantity, other, (_, places, shown, back) in zip(energy, energy[::-1], tables, strict=True):
        quantity[:, places] += shown[-len(quantity) :]
        if keys.negative == "swap":
            other[:, places] += back[-len(quantity) :]
    return TabledProfiles(names, history, (load, pv), *energy)


def check_cover(path: Path, periods: range, calendar: Calendar) -> None:
    """Refuse a table over time that does not hold all of the scenario.

    Raises:
        InputError: it begins too late or ends too early.
    """
    seconds = calendar.period_seconds
    if periods.start * seconds > calendar.opening or periods.stop * seconds < calendar.end:
        held, wanted = (
            " to ".join(f"{datetime.fromtimestamp(end, calendar.zone):%Y-%m-%d %H:%M}" for end in ends)
            for ends in (
                (periods.start * seconds, periods.stop * seconds),
                (calendar.opening, calendar.end),
            )
        )
        why = f"must cover {calendar.date_of(1)} to {calendar.date_of(calendar.days)}, by local time {wanted}"
        raise InputError(str(path), held, why)


def whole_days(values: Energy, periods: range, calendar: Calendar) -> tuple[int, Energy]:
    """Number of the first whole trading day, and all whole days: shape (days, columns, periods).

    values: by period, shape (periods, columns).
    """
    per_day = calendar.periods_per_day
    before, torn = divmod(calendar.opening // calendar.period_seconds - periods.start, per_day)
    days = (len(values) - torn) // per_day
    whole = values[torn : torn + days * per_day]
    return 1 - before, whole.reshape(days, per_day, values.shape[1]).transpose(0, 2, 1)


def _metered(participants: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, metered in participants.items() if metered)


def _check_metered(where: str, name: str, participants: Mapping[str, bool]) -> None:
    if not participants.get(name):
        why = "has no meter" if name in participants else "is not in the participant table"
        raise InputError(where, name, why)


# --------------------------------------------------------------------------------------------------
# shapes


class Season(Enum):
    """Times of the year between which standard load profiles distinguish (BDEW)."""

    WINTER = "1 November to 20 March"
    SUMMER = "15 May to 14 September"
    TRANSITION = "the rest"

    @staticmethod
    def of(day: date) -> "Season":
        """The season of a date."""
        month_and_day = (day.month, day.day)
        if (5, 15) <= month_and_day <= (9, 14):
            return Season.SUMMER
        return Season.TRANSITION if (3, 21) <= month_and_day <= (10, 31) else Season.WINTER


def day_type(day: date) -> tuple[Season, int]:
    """What a day has in common with those that may stand for it: the season, and workday (0), Saturday or Sunday."""
    return Season.of(day), max(0, day.weekday() - 4)


@dataclass(frozen=True, slots=True, eq=False)
class Following:
    """The shapes that meters follow, and the power each is relative to: 0 mW for meters that follow none.

    shape: number of the shape. power: mW. Both of shape (meters,).
    """

    shape: _Indexes
    power: _Indexes


@dataclass(frozen=True, eq=False)
class ShapedProfiles:
    """Meters that follow shapes.

    shares: billionths of a power, shape (days, shapes, periods). first_day: number of the first of these days.
    resampled: meters with days of their own, by place in `names`; everybody's generation is then shifted, too.
    chargers: what the car of each draws in a period in which cars charge, Wh. charges_at: when that is, by local time.
    """

    names: tuple[str, ...]
    calendar: Calendar
    seed: int
    shares: Energy
    first_day: int
    consumption: Following
    generation: Following
    resampled: _Indexes
    chargers: Energy
    charges_at: Callable[[datetime], bool]

    @property
    def history_days(self) -> int:
        """Before day 1: as many as forecasts look at."""
        return DAYS_WANTED

    def load(self, day: int) -> Energy:
        """As `Profiles.load`."""
        return self._kept[0](day)

    def pv(self, day: int) -> Energy:
        """As `Profiles.pv`."""
        return self._kept[1](day)

    @cached_property
    def _kept(self) -> tuple[Callable[[int], Energy], Callable[[int], Energy]]:
        """The same, of the last days asked for from memory: each day's forecasts look at the days before."""
        one_day = 8 * len(self.names) * self.calendar.periods_per_day
        keep = lru_cache(max(2, _KEPT_BYTES // (2 * one_day)))
        return keep(self._load_of), keep(self._pv_of)

    def _load_of(self, day: int) -> Energy:
        source = self._same_day(day)
        shift = np.zeros(len(self.names), dtype=np.int64)
        of_type = self._days_of_type[day_type(self.calendar.date_of(day))]
        drawn = self._draws(str(self.calendar.date_of(day)))
        source[self.resampled] = of_type[drawn % np.uint64(len(of_type))]
        shift[self.resampled] = self._shift(drawn // np.uint64(len(of_type)))
        drawn_by_shape = self._energy(self.consumption, source, shift)
        if not self.chargers.any():
            return drawn_by_shape
        length, begins = self.calendar.period_seconds, self.calendar.opening + (day - 1) * self.calendar.day_seconds
        charging = [
            self.charges_at(datetime.fromtimestamp(begins + slot * length, self.calendar.zone))
            for slot in range(self.calendar.periods_per_day)
        ]
        whole: Energy = drawn_by_shape + self.chargers[:, np.newaxis] * np.array(charging, np.int64)
        whole.flags.writeable = False
        return whole

    def _pv_of(self, day: int) -> Energy:
        return self._energy(self.generation, self._same_day(day), self._roofs)

    @cached_property
    def _roofs(self) -> _Indexes:
        """By how many periods each plant is late."""
        shift = np.zeros(len(self.names), dtype=np.int64)
        shift[self.resampled] = self._shift(self._draws("roof"))
        return shift

    @cached_property
    def _days_of_type(self) -> dict[tuple[Season, int], _Indexes]:
        types = [day_type(self.calendar.date_of(self.first_day + i)) for i in range(len(self.shares))]
        return {kind: np.flatnonzero([other == kind for other in types]) for kind in set(types)}

    def _same_day(self, day: int) -> _Indexes:
        """For every meter the place of the day in `shares`, or of the one whole weeks away that stands for it."""
        place = day - self.first_day
        stored = place if 0 <= place < len(self.shares) else place % SAME_WEEKDAY
        return np.full(len(self.names), stored, dtype=np.int64)

    def _draws(self, what: str) -> _Draws:
        """A random number for each resampled meter: of the seed, its name and what it is for, nothing else."""
        keys = (f"{self.seed}/{self.names[meter]}/{what}".encode() for meter in self.resampled)
        digests = b"".join(blake2b(key, digest_size=8).digest() for key in keys)
        return np.frombuffer(digests, dtype="<u8")

    def _shift(self, drawn: _Draws) -> _Indexes:
        """Random numbers as periods -n..n, as many as the largest shift holds."""
        most = MAX_SHIFT_SECONDS // self.calendar.period_seconds
        return (drawn % np.uint64(2 * most + 1)).astype(np.int64) - most

    def _energy(self, following: Following, source: _Indexes, shift: _Indexes) -> Energy:
        """Wh of each meter's day; a shift moves what leaves the day's end to its beginning, so none is lost."""
        slots = (np.arange(self.calendar.periods_per_day) - shift[:, np.newaxis]) % self.calendar.periods_per_day
        shares = self.shares[source[:, np.newaxis], following.shape[:, np.newaxis], slots]
        hours = Fraction(self.calendar.period_seconds, 3_600)
        energy = shares * (following.power * hours.numerator)[:, np.newaxis]
        whole = nearest(energy, 1_000 * 10**SHARE_DECIMALS * hours.denominator)
        whole.flags.writeable = False
        return whole


def _read_shaped(
    folder: Path,
    keys: Shapes,
    config: Config,
    participants: Mapping[str, bool],
    resampled: Collection[str],
    mistakes: Mistakes,
) -> ShapedProfiles:
    calendar, path = config.calendar, folder / keys.shapes
    names = _metered(participants)
    meters = _read_meters(folder / keys.meters, names, participants, mistakes)
    shapes = {row[column].text for row in meters for column in ("load_shape", "pv_shape")} - {""}
    if not shapes:
        raise InputError(str(folder / keys.meters), None, "names no shape")
    seconds = calendar.period_seconds
    series = read_series(path, calendar.zone, scale=10**SHARE_DECIMALS, only=shapes, single=seconds, mistakes=mistakes)
    for line, shape in np.argwhere(series.values > 10**SHARE_DECIMALS):
        where = f"{path}, line {series.lines[line]}, column {series.columns[shape]}"
        share = float(series.values[line, shape] / 10**SHARE_DECIMALS)
        mistakes.add(InputError(where, share, "is above 1, the whole power"))
    first_day, shares = whole_days(series.mean(seconds), series.periods(seconds), calendar)
    if len(shares) < SAME_WEEKDAY:
        raise InputError(str(path), len(shares), f"whole days are too few: shapes must hold {SAME_WEEKDAY}")
    number = {"": 0, **{name: i for i, name in enumerate(series.columns)}}

    def following(shape: str, power: str, permille: int) -> Following:
        powers = [0] * len(meters)
        for meter, row in enumerate(meters):
            with mistakes:
                powers[meter] = _power(row[power], row[shape], permille)
        return Following(
            shape=np.array([number[row[shape].text] for row in meters], dtype=np.int64),
            power=np.array(powers, dtype=np.int64),
        )

    consumption = following("load_shape", "load_kw", 1_000)
    return ShapedProfiles(
        names=names,
        calendar=calendar,
        seed=config.seed,
        shares=np.ascontiguousarray(shares),
        first_day=first_day,
        consumption=consumption,
        generation=following("pv_shape", "pv_kwp", keys.pv_permille),
        chargers=_chargers(keys.charging, names, resampled, consumption.power, seconds),
        charges_at=partial(within, keys.charging.hours if keys.charging else ()),
        resampled=np.array([i for i, name in enumerate(names) if keys.resample and name in resampled], dtype=np.int64),
    )


def _read_meters(path: Path, names: Iterable[str], participants: Mapping[str, bool], mistakes: Mistakes) -> list[Row]:
    """The row of each meter, in the order of their names."""
    rows: dict[str, Row] = {}
    for row in read_rows(path, _METER_COLUMNS, mistakes=mistakes):
        with mistakes:
            cell = row["participant"]
            _check_metered(f"{path}, line {cell.line}, column {cell.column}", cell.text, participants)
            if cell.text in rows:
                raise cell.wrong("is there twice")
            rows[cell.text] = row
    for name in names:
        if name not in rows:
            mistakes.add(InputError(str(path), name, "has a meter but no line"))
            rows[name] = {column: Cell(path, 0, column, "") for column in _METER_COLUMNS}
    return [rows[name] for name in names]


def _chargers(
    charging: Charging | None, names: Sequence[str], households: Collection[str], draws: _Indexes, seconds: int
) -> Energy:
    """What the car of each meter draws in a period in which cars charge, Wh, rounded down.

    draws: power of the shape that each follows; who follows none is no home.
    """
    energies: Energy = np.zeros(len(names), np.int64)
    if charging is not None:
        homes = [meter for meter, name in enumerate(names) if name in households and draws[meter]]
        whole = len(homes) // charging.every * charging.every
        energies[homes[: whole : charging.every]] = charging.watts * seconds // 3_600
    return energies


def _power(power: Cell, shape: Cell, permille: int) -> int:
    """So many permille of the power that a meter's shape is relative to, mW; 0 where it has no shape."""
    if bool(power.text) != bool(shape.text):
        raise power.wrong(f"must be given with {shape.column}, or neither")
    milliwatts = power.multiple(1_000, "W") * permille if power.text else 0
    if not 0 <= milliwatts <= MAX_POWER_KW * 10**6:
        raise power.wrong(
            f"must be 0 to {MAX_POWER_KW} kW" + (f" after {permille} permille" if permille != 1000 else "")
        )
    return milliwatts
