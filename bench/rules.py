"""Default rules, chosen by measurement: five criteria over a year of the village, the Sunday and every market at once.

python bench/rules.py       writes bench/rules.json and bench/rules.md
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from host import machine

from dem.community.scenario import Kind, Scenario, load_scenario
from dem.lab.auction_day import AuctionDay, without
from dem.lab.learning import traded_when_learnt
from dem.model.imbalance import unkept_energy
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.trading import Trading

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parent / "scenarios"
EVERY = 7
ACCURACIES = (0, 25, 50, 75, 100)
"""Percent of the way from what is expected to what happens."""
T_95 = 2.0066
"""Of Student's distribution with 52 degrees of freedom, both sides."""
MONEY = 10**8
MOST_STOPPERS = 0.05
"""Share of the members who may gain by not trading."""


@dataclass(frozen=True)
class Candidate:
    """Rules and a strategy. rules: what they have otherwise than the scenario."""

    name: str
    strategy: str
    rules: Mapping[str, Any] = field(default_factory=dict)

    def of(self, scenario: Scenario) -> Scenario:
        """A scenario under these rules, everybody of this strategy."""
        return scenario.trading_by(self.strategy).ruled_by(**self.rules)


def _priced(pricing: str, strategy: str, **more: Any) -> Candidate:
    words = [pricing.replace("_", " "), strategy, *("fund returned" for _ in more)]
    return Candidate(", ".join(words), strategy, {"imbalance_pricing": pricing, "reward_share": 0, **more})


RETURNED = {"reward_share": 10_000}
CANDIDATES = [
    *(_priced(pricing, "truthful") for pricing in ("single", "two_price", "tariff")),
    *(_priced(pricing, "quantile") for pricing in ("single", "two_price", "tariff")),
    _priced("two_price", "quantile", **RETURNED),
    _priced("tariff", "truthful", **RETURNED),
    _priced("tariff", "quantile", **RETURNED),
    *(_priced(pricing, "quantile") for pricing in ("shared", "levied", "shared_levied")),
]


class Interval(NamedTuple):
    """A mean over days, each of another week, and half of its 95 % interval: zero for a single day, which has none."""

    mean: float
    half: float

    @staticmethod
    def of(units: Iterable[int]) -> "Interval":
        """Of money units, in currency."""
        values = [value / MONEY for value in units]
        half = T_95 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        return Interval(mean(values), half)

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.half:.2f}" if self.half else f"{self.mean:.2f}"


@dataclass
class Measured:
    """Of a candidate; EUR a day. Classes: consumers and plants."""

    cost: Interval
    gain: Interval
    """(a) What trading saves the community."""
    classes: dict[str, Interval]
    """(b) What a class gains if nobody in it trades."""
    members: int
    stoppers: int
    worst_percent: float
    """(b) How many members gain if they alone do not trade, and the most of a bill."""
    perfect: dict[str, Interval]
    """(c) What a perfect forecast saves a class."""
    by_accuracy: list[float]
    """(c) What the community pays by the accuracy of its forecast."""
    learnt: float
    """(d) Percent of the tradable energy that learning bidders trade."""
    beyond: int
    """(e) Member-periods that cost more than the tariffs and the own forecast error."""
    fund: float
    fees: float

    @property
    def holds(self) -> dict[str, bool]:
        """Which of the criteria it fulfils."""
        rises = all(after <= before for before, after in zip(self.by_accuracy, self.by_accuracy[1:], strict=False))
        return {
            "a": self.gain.mean - self.gain.half > 0,
            "b": all(one.mean <= 0 for one in self.classes.values())
            and self.stoppers <= MOST_STOPPERS * self.members
            and self.worst_percent <= 1,
            "c": all(one.mean > 0 for one in self.perfect.values()) and rises,
            "d": self.learnt >= 95,
            "e": self.beyond == 0,
        }


@dataclass(frozen=True)
class Village:
    """A scenario's days under a candidate, the call auction alone."""

    scenario: Scenario
    days: tuple[int, ...]

    @cached_property
    def played(self) -> list[AuctionDay]:
        """Every day."""
        return [AuctionDay(self.scenario, day) for day in self.days]

    def classes(self, day: AuctionDay) -> dict[str, list[int]]:
        """Numbers of consumers and of plants."""
        kinds = {"consumers": Kind.CONSUMER, "plants": Kind.PROSUMER}
        return {name: [day.ids[member.name] for member in self.scenario.of_kind(kind)] for name, kind in kinds.items()}

    def measure(self, others: Mapping[int, list[AuctionDay]]) -> Measured:
        """All criteria. others: the same days by the accuracy of forecasts, percent."""
        days, community = self.played, self.played[0].community
        nobody = [day.outcome(without(day.orders, *community)) for day in days]
        stopping = np.zeros(len(community), np.int64)
        bills = np.zeros(len(community), np.int64)
        beyond = 0
        for day in days:
            for place, id_ in enumerate(community):
                stopping[place] += day.gain((id_,), day.outcome(without(day.orders, id_)))
                bills[place] += day.cost(day.as_it_is, (id_,))
            beyond += _beyond(day)
        learnt, could = traded_when_learnt(days)
        perfect = others[100]
        kinds = self.classes(days[0])
        return Measured(
            cost=Interval.of(day.cost(day.as_it_is, community) for day in days),
            gain=Interval.of(
                day.cost(none, community) - day.cost(day.as_it_is, community)
                for day, none in zip(days, nobody, strict=True)
            ),
            classes={
                name: Interval.of(day.gain(ids, day.outcome(without(day.orders, *ids))) for day in days)
                for name, ids in kinds.items()
            },
            members=len(community),
            stoppers=int((stopping > 0).sum()),
            worst_percent=float((100 * np.maximum(stopping, 0) / np.maximum(abs(bills), 1)).max()),
            perfect={
                name: Interval.of(
                    day.cost(day.as_it_is, ids) - best.cost(best.as_it_is, ids)
                    for day, best in zip(days, perfect, strict=True)
                )
                for name, ids in kinds.items()
            },
            by_accuracy=[
                mean(day.cost(day.as_it_is, community) for day in others[percent]) / MONEY for percent in ACCURACIES
            ],
            learnt=100 * learnt / max(1, could),
            beyond=beyond,
            fund=mean(day.as_it_is.kept for day in days) / MONEY,
            fees=mean(int(day.as_it_is.settlement.fees.sum()) for day in days) / MONEY,
        )


def _beyond(day: AuctionDay) -> int:
    """Member-periods that cost more than the tariffs do, beyond what was contracted and not kept."""
    settled = day.as_it_is.settlement
    buy, sell = (np.array([getattr(tariff, side) for tariff in day.tariffs]) for side in ("buy", "sell"))
    alone = np.where(day.metered > 0, buy, sell) * day.metered
    error = unkept_energy(settled.imbalance, settled.contracted) * (buy - sell) + settled.deviation
    rows = [day.row(id_) for id_ in day.community]
    return int((day.as_it_is.by_slot > alone + error)[rows].sum())


def village(candidate: Candidate, name: str, days: tuple[int, ...]) -> Measured:
    """A candidate on some days of a scenario."""
    scenario = candidate.of(load_scenario(SCENARIOS / name))
    own = Village(scenario, days)
    others = {percent: [AuctionDay(scenario.foreseen(percent), day) for day in days] for percent in ACCURACIES}
    return own.measure(others)


class AllMarkets(NamedTuple):
    """Of the Sunday with every market: EUR."""

    cost: float
    gain: float
    classes: dict[str, float]
    stoppers: int
    worst_percent: float


def all_markets(candidate: Candidate) -> AllMarkets:
    """A candidate on rural-markets: what trading saves, and who gains by not trading."""
    scenario = candidate.of(load_scenario(SCENARIOS / "rural-markets"))
    if not candidate.rules["reward_share"]:
        scenario = scenario.ruled_by(premium_rate=0)
    kinds = {"consumers": Kind.CONSUMER, "plants": Kind.PROSUMER}
    names = {name: [member.name for member in scenario.of_kind(kind)] for name, kind in kinds.items()}
    everybody = [name for of in names.values() for name in of]
    bills, quiet = _bills(scenario), _bills(scenario.without_trade())
    alone = {name: bills[name] - _bills(scenario.trading_by("none", name))[name] for name in everybody}
    stopped = {of: _bills(scenario.trading_by("none", *names[of])) for of in names}
    return AllMarkets(
        cost=sum(bills[name] for name in everybody) / MONEY,
        gain=sum(quiet[name] - bills[name] for name in everybody) / MONEY,
        classes={of: sum(bills[name] - stopped[of][name] for name in names[of]) / MONEY for of in names},
        stoppers=sum(units > 0 for units in alone.values()),
        worst_percent=max(100 * max(0, alone[name]) / max(1, abs(bills[name])) for name in everybody),
    )


def _bills(scenario: Scenario) -> dict[str, int]:
    """What everybody pays in all days, rewards, premiums and commissions set off, money units."""
    market = ModelMarket(scenario)
    paid = dict.fromkeys(market.ids, 0)
    for day in play(Trading(market)):
        for name, id_ in market.ids.items():
            paid[name] += sum(market.settlement(day).bill_of(id_))
    return paid


INTRODUCTION = """# Default rules

Candidates for the default rules, by five criteria. (a) The community pays less with the market than with nobody
trading, fees included. (b) No class gains by not trading; at most 5 % of the members do alone, none by more than 1 % of
its bill. (c) A perfect forecast makes every class better off than its own, and savings rise with accuracy. (d) Learning
bidders trade at least 95 % of what they could. (e) Nobody pays more than with the tariffs alone, except by its own
forecast error.

The village: every {every}th day of rural-year, {days} days, paired. Each is of another week, so the 95 % intervals are
clustered by week. EUR a day, of the 28 consumers and the 8 plants; rewards are set off, the fund is not. The criteria
are explained in [the decision](../docs/decisions/settlement.md).

Written by `make bench-rules` in {seconds:.0f} s on {machine}.
"""
ALL_MARKETS = """| candidate | pays | (a) saved by trading | (b) consumers if none trades | plants if none trades \
| members alone | most, of a bill |
|---|--:|--:|--:|--:|--:|--:|"""
HEADS: dict[str, str] = {
    "## What it costs, and whether trading pays": "| candidate | pays | (a) saved by trading | fees | kept by the fund "
    "| fulfils |",
    "## Who gains by not trading, and what a forecast is worth": "| candidate | (b) consumers if none trades "
    "| plants if none trades | members alone | most, of a bill | (c) perfect forecast: consumers | plants "
    "| pays at 0, 25, 50, 75, 100 % of the way to it | (d) learning bidders | (e) beyond the tariffs |",
}


def _first(name: str, one: Measured) -> str:
    fulfils = "".join(letter if holds else "–" for letter, holds in one.holds.items())
    return f"| {name} | {one.cost} | {one.gain} | {one.fees:.2f} | {one.fund:.2f} | {fulfils} |"


def _second(name: str, one: Measured) -> str:
    cells = [
        one.classes["consumers"],
        one.classes["plants"],
        f"{one.stoppers} of {one.members}",
        f"{one.worst_percent:.2f} %",
        one.perfect["consumers"],
        one.perfect["plants"],
        ", ".join(f"{value:.2f}" for value in one.by_accuracy),
        f"{one.learnt:.1f} %",
        f"{one.beyond}",
    ]
    return f"| {name} | {' | '.join(map(str, cells))} |"


ROWS: list[Callable[[str, Measured], str]] = [_first, _second]


def tables(found: Mapping[str, Measured]) -> Iterator[str]:
    """Both tables of some days."""
    for (title, head), row in zip(HEADS.items(), ROWS, strict=True):
        yield f"\n#{title}\n\n{head}\n|---|{'--:|' * (head.count('|') - 2)}"
        yield from (row(name, one) for name, one in found.items())


def main() -> None:
    """Measure and write."""
    began = time.monotonic()
    year, sunday, markets = {}, {}, {}
    days = tuple(load_scenario(SCENARIOS / "rural-year").days[::EVERY])
    for candidate in CANDIDATES:
        name = candidate.name
        year[name] = village(candidate, "rural-year", days)
        sunday[name] = village(candidate, "rural-sunday", (1,))
        markets[name] = all_markets(candidate)
        print(_first(name, year[name]), _second(name, year[name]), markets[name], sep="\n", flush=True)
    lines = [
        INTRODUCTION.format(every=EVERY, days=len(days), seconds=time.monotonic() - began, machine=machine()),
        "## Every seventh day of a year",
        *tables(year),
        "\n## The Sunday",
        *tables(sunday),
        "\n## The Sunday with every market\n",
        ALL_MARKETS,
    ]
    for name, one in markets.items():
        classes = " | ".join(f"{units:.2f}" for units in one.classes.values())
        stopping = f"{one.stoppers} of 36 | {one.worst_percent:.2f} %"
        lines.append(f"| {name} | {one.cost:.2f} | {one.gain:.2f} | {classes} | {stopping} |")
    (HERE / "rules.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    record = {
        "machine": machine(),
        "year": {name: asdict(one) for name, one in year.items()},
        "sunday": {name: asdict(one) for name, one in sunday.items()},
        "markets": {name: one._asdict() for name, one in markets.items()},
    }
    (HERE / "rules.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
