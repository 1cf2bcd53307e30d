"""study.toml: which arms are played on which days, with which seeds. `docs/guide/study.md` describes every key."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from dem.community.config import NAME
from dem.community.scenario import Scenario, load_scenario
from dem.community.strategies import NoOrders
from dem.errors import InputError
from dem.formats import first_mistake, read_settings

STRATEGY, FORESEEN = "strategy", "foreseen"
"""Keys of arms and sweeps that are none of scenario.toml."""
_ABSENT = "a study is a TOML file that names arms"

Stretch: TypeAlias = tuple[int, int]
"""The first day, and how many follow one another."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Arm(_Model):
    """One of what is compared.

    scenario: a folder; the study's if it is not given. strategy: of all who trade, or by patterns of names.
    foreseen: percent of the way from what is forecast to what happens. changes: other values in scenario.toml.
    """

    name: str = Field(pattern=r"^[^\x00-\x1f]{1,60}$")
    scenario: str | None = None
    strategy: str | dict[str, str] | None = None
    foreseen: int = Field(default=0, ge=0, le=100)
    changes: dict[str, Any] = Field(default={}, alias="set")


class Sweep(_Model):
    """A key that takes several values in turn, in all arms: of scenario.toml, strategy or foreseen."""

    key: str = Field(pattern=r"^[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*$")
    values: list[Any] = Field(min_length=1)

    @field_validator("values")
    @classmethod
    def _differ(cls, values: list[Any]) -> list[Any]:
        if len({repr(value) for value in values}) < len(values):
            raise ValueError("must differ")
        return values


class Days(_Model):
    """first, last: dates, or numbers of days; all of the scenario if they are not given.

    stretch: so many days follow one another in a market, which begins with the first deposits.
    every: a stretch begins every so many days.
    """

    first: date | int = 1
    last: date | int | None = None
    stretch: int | None = Field(default=None, ge=1)
    every: int | None = Field(default=None, ge=1)


class Point(_Model):
    """Values of all sweeps; none without sweeps."""

    values: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """In words."""
        return ", ".join(f"{key} = {value}" for key, value in self.values)


class Setting(_Model):
    """A scenario as an arm has it at a point: all that a process on another machine needs to play it."""

    folder: str
    modules: str
    strategy: str | dict[str, str] | None
    foreseen: int = Field(ge=0, le=100)
    changes: dict[str, Any]

    def load(self) -> Scenario:
        """Read it.

        Raises:
            InputError: the scenario, or what is changed of it, is wrong.
        """
        scenario = load_scenario(self.folder, self.changes).finding_modules_in(Path(self.modules))
        for pattern, strategy in self._by_pattern():
            members = scenario.participants
            names = [
                member.name
                for member in members
                if member.strategy != NoOrders.name and fnmatchcase(member.name, pattern)
            ]
            if not names:
                raise InputError(f"{STRATEGY} of an arm", pattern, f"fits nobody in {self.folder} who trades")
            scenario = scenario.trading_by(strategy, *names)
        for member in scenario.participants:
            scenario.strategy(member.name)
        return scenario.foreseen(self.foreseen) if self.foreseen else scenario

    def _by_pattern(self) -> list[tuple[str, str]]:
        if self.strategy is None:
            return []
        return [("*", self.strategy)] if isinstance(self.strategy, str) else [*self.strategy.items()]


class Study(_Model):
    """All of study.toml. seeds: how many, from 1 on, or which. replay: share of the stretches played on contracts.

    baseline: the arm with which the others are compared; the first if it is not given.
    """

    name: str = Field(pattern=f"^{NAME.pattern}$")
    title: str = ""
    scenario: str | None = None
    seeds: int | list[int] = 1
    replay: Decimal | int = Field(default=0, ge=0, le=1)
    baseline: str = ""
    days: Days = Days()
    arms: list[Arm] = Field(min_length=1)
    sweeps: list[Sweep] = []
    _folder: Path = PrivateAttr(default=Path())

    @field_validator("seeds")
    @classmethod
    def _some(cls, seeds: int | list[int]) -> int | list[int]:
        if isinstance(seeds, int):
            if not 1 <= seeds <= 100_000:
                raise ValueError("must be 1 to 100000, so many seeds from 1 on, or a list of them")
        elif not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
            raise ValueError("must be a list of different seeds, at least one, none below 0")
        return seeds

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError(f"arms must not share a name: {', '.join(names)}")
        if self.baseline and self.baseline not in names:
            raise ValueError(f"baseline must be the name of an arm, one of {', '.join(names)}")
        for arm in self.arms:
            if not (arm.scenario or self.scenario):
                raise ValueError(f"arm {arm.name} needs a scenario, its own or the study's")
        keys = [sweep.key for sweep in self.sweeps]
        if len(set(keys)) < len(keys):
            raise ValueError(f"sweeps must not share a key: {', '.join(keys)}")
        if taken := {"arm", "seed", "day", "date", "week"} & {*keys}:
            raise ValueError(f"no sweep can be called {', '.join(sorted(taken))}")
        return self

    @property
    def every_seed(self) -> list[int]:
        """All of them."""
        return self.seeds if isinstance(self.seeds, list) else [*range(1, self.seeds + 1)]

    @property
    def compared_with(self) -> str:
        """Name of the arm that the others are compared with."""
        return self.baseline or self.arms[0].name

    @property
    def others(self) -> list[str]:
        """Names of the arms that are compared with it."""
        return [arm.name for arm in self.arms if arm.name != self.compared_with]

    @cached_property
    def points(self) -> list[Point]:
        """Every combination of the sweeps' values, the last sweep fastest."""
        rows = product(*([(sweep.key, value) for value in sweep.values] for sweep in self.sweeps))
        return [Point(values=row) for row in rows]

    def setting(self, arm: Arm, point: Point) -> Setting:
        """What an arm plays at a point: a sweep is stronger than the arm."""
        own: dict[str, Any] = {STRATEGY: arm.strategy, FORESEEN: arm.foreseen}
        changes = arm.changes
        for key, value in point.values:
            if key in own:
                own[key] = value
            else:
                changes = _with(changes, key.split("."), value)
        folder = self._folder / (arm.scenario or self.scenario or "")
        try:
            return Setting(folder=str(folder.resolve()), modules=str(self._folder.resolve()), changes=changes, **own)
        except ValidationError as error:
            raise first_mistake(f"sweep {point.label}", error) from error

    @cached_property
    def conditions(self) -> dict[tuple[str, str], tuple[Setting, Scenario]]:
        """What each arm plays at each point, read: by the names of both.

        Raises:
            InputError: a scenario, or what is changed of it, is wrong.
        """
        found = {}
        for arm, point in product(self.arms, self.points):
            setting = self.setting(arm, point)
            where = " at ".join(filter(None, (f"arm {arm.name}", point.label)))
            try:
                found[arm.name, point.label] = setting, setting.load()
            except InputError as error:
                raise InputError(f"{where}: {error.where}", error.value, error.why) from error
        return found

    @cached_property
    def stretches(self) -> list[Stretch]:
        """The days that are played, in each arm the same dates.

        Raises:
            InputError: they are none of a scenario, or differ between arms.
        """
        scenarios = [scenario for _, scenario in self.conditions.values()]
        learners = [scenario.config.name for scenario in scenarios if learns(scenario)]
        currencies = sorted({scenario.config.currency for scenario in scenarios})
        if len(currencies) > 1:
            raise InputError("arms", ", ".join(currencies), "must have one currency")
        each = {tuple(_stretches(self.days, scenario, bool(learners))) for scenario in scenarios}
        calendars = [scenario.calendar for scenario in scenarios]
        starts = {(calendar.start, calendar.day_seconds, calendar.parts) for calendar in calendars}
        if len(starts) > 1 or len(each) > 1:
            raise InputError(
                "days of the study", None, "must be those of all arms: their scenarios must begin on one date"
            )
        (stretches,) = each
        if learners and stretches[0][1] <= calendars[0].final_lead_days:
            why = f"is too short to learn in: what a day teaches is known {calendars[0].final_lead_days} days later"
            raise InputError("days.stretch of the study", stretches[0][1], why)
        return list(stretches)


def learns(scenario: Scenario) -> bool:
    """Whether anybody in it remembers past days."""
    return any(scenario.strategy(member.name).learns for member in scenario.participants)


def _stretches(days: Days, scenario: Scenario, in_one: bool) -> Iterator[Stretch]:
    calendar = scenario.calendar

    def number(day: date | int) -> int:
        found = (day - calendar.start).days * calendar.parts + 1 if isinstance(day, date) else day
        if not 1 <= found <= calendar.days:
            last = calendar.date_of(calendar.days)
            why = f"is no day of {scenario.config.name}: days 1 to {calendar.days}, {calendar.start} to {last}"
            raise InputError("days of the study", str(day), why)
        return found

    first, last = number(days.first), number(calendar.days if days.last is None else days.last)
    if last < first:
        raise InputError("days.last of the study", str(days.last), "is before the first")
    length = days.stretch or (last - first + 1 if in_one else calendar.parts)
    every = days.every or length
    if every < length:
        raise InputError("days.every of the study", every, f"must be at least the stretch, {length}")
    if length % calendar.parts or every % calendar.parts or (first - 1) % calendar.parts:
        raise InputError("days of the study", None, f"must be whole dates, of {calendar.parts} trading days each")
    starts = range(first, last - length + 2, every)
    if not starts:
        raise InputError("days.stretch of the study", length, f"is longer than the {last - first + 1} days")
    yield from ((start, length) for start in starts)


def _with(changes: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """A table with another value at a path."""
    key, *rest = path
    inner = changes.get(key, {})
    return {**changes, key: _with(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value}


def read_study(path: Path | str) -> Study:
    """Read and check a study, its scenarios included.

    Raises:
        InputError: it is missing, or something in it, or in a scenario, is wrong.
    """
    path = Path(path)
    study = read_settings(path, Study, missing=_ABSENT)
    study._folder = path.parent
    try:
        _ = study.stretches
    except InputError as error:
        raise InputError(f"{path}, {error.where}", error.value, error.why) from error
    return study
