"""One community and its meters under several set-ups of the market, side by side, exact to the Wh and the money unit.

docs/guide/outputs.md defines every figure and proves what the checks claim.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from dem.errors import DemError
from dem.replay.reconcile import Check
from dem.results.reader import OUTSIDERS, Results
from dem.results.savings import Split, exact, of_community, split_rows
from dem.results.summary import Bill, GroupResult, Summary, summarise, total
from dem.results.wording import money, share

UNCONTRACTED, WHOLESALE, FALLBACK = "neighbours, no contract", "wholesale desk", "fallback supplier"
UPPER_GRID = (WHOLESALE, FALLBACK)
NOBODY_TRADES = "nobody trades"
NOBODY_LIMITED = "without limits"
"""The scenario's own set-up if no dispatcher limited anybody."""
"""The set-up in which the rules are those of the scenario, and nobody orders anything."""


class ComparisonError(DemError, ValueError):
    """Runs that cannot be compared; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    participant: str
    kind: str
    split: Split

    @property
    def saved_units(self) -> int:
        return self.split.saved


@dataclass(frozen=True, slots=True, eq=False)
class SetUp:
    """The figures of one run. The community is everybody settled but outsiders."""

    name: str
    results: Results
    summary: Summary
    community: Bill
    groups: tuple[GroupResult, ...]
    members: tuple[Member, ...]
    split: Split
    gains_units: int | None
    """Gains from trade by stated limits: filled energy at buyers' limits less at sellers'. None without orders."""
    traded: Mapping[str, int]
    """Energy by market, counted once."""
    traded_units: int
    cheapest: Fraction | None
    """The lowest price that anybody paid on average in one market and period; `dearest` the highest."""
    dearest: Fraction | None
    sources: Mapping[str, int]
    """Where the energy drawn came from: local markets by name, neighbours without contract, upper grid."""
    deviated_wh: int
    """Sum over participants and periods of |metered - contracted|."""

    @property
    def traded_wh(self) -> int:
        return sum(self.traded.values())

    @property
    def mean_price(self) -> Fraction | None:
        return share(self.traded_units, self.traded_wh)

    @property
    def has_contracts(self) -> bool:
        """Whether anything was contracted; where nothing was, nothing is off contract: all is ordinary supply."""
        return self.traded_wh > 0

    @property
    def delivered_wh(self) -> int:
        """Energy from local contracts that was both fed in and drawn."""
        return sum(energy for source, energy in self.sources.items() if source not in (UNCONTRACTED, *UPPER_GRID))

    @property
    def shared_wh(self) -> int:
        return self.delivered_wh + self.sources[UNCONTRACTED]

    @property
    def covered(self) -> Fraction | None:
        """Self-sufficiency by contract: drawn energy that neighbours had sold and fed in."""
        return share(self.delivered_wh, self.community.consumed_wh)

    @property
    def physical(self) -> Fraction | None:
        """Self-sufficiency by physics, contracted or not."""
        return share(self.shared_wh, self.community.consumed_wh)

    @property
    def better_off(self) -> int:
        return sum(member.saved_units > 0 for member in self.members)

    @property
    def worse_off(self) -> int:
        return sum(member.saved_units < 0 for member in self.members)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The set-ups, the plainest first."""

    currency: str
    set_ups: tuple[SetUp, ...]
    checks: tuple[Check, ...]

    @property
    def first(self) -> SetUp:
        return self.set_ups[0]

    @property
    def last(self) -> SetUp:
        return self.set_ups[-1]

    @property
    def nobody(self) -> SetUp | None:
        """The set-up in which nobody trades, if it is among them."""
        return next((set_up for set_up in self.set_ups if set_up.name == NOBODY_TRADES), None)

    def gained_units(self, set_up: SetUp) -> int | None:
        """What all participants pay less in a set-up than if nobody trades under the same rules and limits."""
        nobody = self.nobody
        return (
            None
            if nobody is None or set_up.name == NOBODY_LIMITED
            else nobody.community.paid_units - set_up.community.paid_units
        )

    @property
    def kinds(self) -> Mapping[str, int]:
        """The groups, with how many belong to each."""
        return {group.kind: group.participants for set_up in self.set_ups for group in set_up.groups}

    @property
    def markets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(market for set_up in self.set_ups for market in set_up.traded))

    @property
    def same_meters(self) -> bool:
        """Whether every meter showed the same in all runs, as it does unless somebody reacts to prices."""
        first = _meters(self.first.results)
        return all(
            _meters(set_up.results).equals(first) for set_up in self.set_ups[1:] if set_up.name != NOBODY_LIMITED
        )


def compare(runs: Mapping[str, Results]) -> Comparison:
    """Compare runs of the same days, in this order: the plainest set-up first, the fullest last.

    Raises:
        ComparisonError: no run, or runs of other days or in another currency.
    """
    if not runs:
        raise ComparisonError("nothing to compare: no run")
    (plain, first), *others = runs.items()
    for name, results in others:
        for what in ("currency", "period_seconds", "first_period", "days"):
            mine, theirs = getattr(first.run, what), getattr(results.run, what)
            if mine != theirs:
                raise ComparisonError(f"{what} of {plain!r} is {mine}, of {name!r} {theirs}: no runs of the same days")
    rows = {name: split_rows(results) for name, results in runs.items()}
    set_ups = tuple(_set_up(name, results, rows[name]) for name, results in runs.items())
    return Comparison(first.run.currency, set_ups, _checks(runs, rows))


# What must hold -----------------------------------------------------------------------------------------------


def _checks(runs: Mapping[str, Results], rows: Mapping[str, pd.DataFrame]) -> tuple[Check, ...]:
    def check(name: str, unit: str, margins: Callable[[pd.DataFrame], pd.DataFrame]) -> Check:
        """margins: rows whose "units" must not be negative."""
        seen, broken = 0, {}
        for set_up in runs:
            found = margins(rows[set_up])
            seen += len(found)
            if (found["units"] < 0).any():
                broken[set_up] = found[found["units"] < 0]
        detail = _broken(runs, broken) if broken else f"{len(runs)} set-ups"
        return Check(name, not broken, f"{seen:,} {unit}, {detail}")

    def by_period(units: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
        return lambda frame: frame[["participant", "period"]].assign(units=units(frame))

    def by_participant(frame: pd.DataFrame) -> pd.DataFrame:
        units = frame["saved_units"] + frame["error"].clip(lower=0)
        return units.groupby(frame["participant"].astype(str)).sum().rename("units").reset_index()

    periods = "participants' periods"
    return (
        check(
            "what everybody saved is the sum of its parts, to the unit",
            periods,
            by_period(lambda f: -abs(f["saved_units"] - f["trade"] - f["uncontracted"] + f["charge"] + f["error"])),
        ),
        check("no imbalance is dearer than at the fallback tariffs", periods, by_period(lambda f: f["inside_units"])),
        check(
            "no contract is dearer than the fallback tariffs, fees included", periods, by_period(lambda f: f["trade"])
        ),
        check(
            "no deviation is charged but for a participant's own forecast error",
            periods,
            by_period(lambda f: f["penalty"] - f["charge"]),
        ),
        check(
            "in no period is anybody worse off than with the fallback tariffs alone except by its own forecast error "
            "and the upper market's penalty for what it had not contracted",
            periods,
            by_period(lambda f: f["saved_units"] + f["error"].clip(lower=0) + f["penalty"]),
        ),
        check(
            "nobody is worse off in the end than with the fallback tariffs alone except by its own forecast error",
            "participants",
            by_participant,
        ),
    )


def _broken(runs: Mapping[str, Results], broken: Mapping[str, pd.DataFrame]) -> str:
    """How often, and the worst case of all."""
    set_up, row = min(
        ((name, row) for name, frame in broken.items() for row in frame.to_dict("records")),
        key=lambda item: int(item[1]["units"]),
    )
    run, lost = runs[set_up].run, -int(row["units"])
    when = f" at {run.clock(int(row['period']))}" if "period" in row else ""
    counts = ", ".join(f"{name} {len(frame):,}" for name, frame in broken.items())
    amount = f"{lost:,} units ({money(lost, run.currency)})"
    return f"not so: {counts}; at worst {row['participant']}{when} in {set_up} by {amount}"


# The figures of a set-up --------------------------------------------------------------------------------------


def _set_up(name: str, results: Results, rows: pd.DataFrame) -> SetUp:
    summary = summarise(results)
    trades = results.trades
    buys = trades[trades["bought_wh"] > 0]
    cheapest, dearest = _range(buys)
    parts = [*Split._fields]
    sums = rows.groupby(rows["participant"].astype(str))[parts].sum()
    kinds = results.participants["kind"].astype(str)
    members = [
        Member(str(who), kinds[who], Split(*map(int, split)))
        for who, split in zip(sums.index, sums.to_numpy().tolist(), strict=True)
    ]
    groups = tuple(group for group in summary.groups if group.kind not in OUTSIDERS)
    return SetUp(
        name=name,
        results=results,
        summary=summary,
        community=total(group.bill for group in groups),
        groups=groups,
        members=tuple(sorted(members, key=lambda member: (-member.saved_units, member.participant))),
        split=Split(*(sum(getattr(member.split, part) for member in members) for part in parts)),
        gains_units=_gains(results),
        traded={
            str(market): int(wh) for market, wh in buys.groupby("market", observed=True)["bought_wh"].sum().items()
        },
        traded_units=int(buys["amount_units"].sum()),
        cheapest=cheapest,
        dearest=dearest,
        sources=_sources(results),
        deviated_wh=int(of_community(results, results.settlement)["imbalance_wh"].abs().sum()),
    )


def _range(buys: pd.DataFrame) -> tuple[Fraction | None, Fraction | None]:
    if buys.empty:
        return None, None
    amounts, energy = buys["amount_units"].to_numpy(), buys["bought_wh"].to_numpy()
    prices = amounts / energy
    low, high = (Fraction(int(amounts[row]), int(energy[row])) for row in (prices.argmin(), prices.argmax()))
    return low, high


def _gains(results: Results) -> int | None:
    if results.orders.empty:
        return None
    filled = results.orders.merge(results.fills, on="order")
    sign = np.where(filled["side"] == "bid", 1, -1)
    return int((filled["filled_wh"] * filled["limit_ticks"] * sign).sum()) * results.run.prices.tick


def _sources(results: Results) -> dict[str, int]:
    """Energy drawn by the community, by where it came from; a period's delivered energy goes to its markets in
    proportion to what they sold, in whole Wh."""
    bills = of_community(results, results.bills)
    names = ["consumed_wh", "generated_wh", "taken_wh", "given_wh"]
    sums = bills.groupby("period")[names].sum().reindex(results.periods, fill_value=0)
    shared = sums[["consumed_wh", "generated_wh"]].min(axis=1)
    delivered = sums[["taken_wh", "given_wh"]].min(axis=1)
    local = of_community(results, results.trades)
    sold = (
        local[local["sold_wh"] > 0].groupby(["period", "market"], observed=True)["sold_wh"].sum().unstack(fill_value=0)
    )
    edges = sold.cumsum(axis=1)
    whole = edges.iloc[:, -1] if len(edges) else pd.Series(dtype="int64")
    ends = exact(edges) * exact(delivered.reindex(edges.index))[:, np.newaxis] // exact(whole)[:, np.newaxis]
    by_market = np.diff(ends, axis=1, prepend=0).sum(axis=0)
    sources = {str(market): int(energy) for market, energy in zip(edges.columns, by_market, strict=True)}
    desks = results.trades.drop(local.index)
    from_desks = desks.groupby("period")["sold_wh"].sum().reindex(results.periods, fill_value=0)
    imported = sums["consumed_wh"] - shared
    wholesale = int(np.minimum(from_desks, imported).sum())
    return {
        **sources,
        UNCONTRACTED: int((shared - delivered).sum()),
        WHOLESALE: wholesale,
        FALLBACK: int(imported.sum()) - wholesale,
    }


def _meters(results: Results) -> pd.DataFrame:
    rows = of_community(results, results.settlement).astype({"participant": str})
    return rows.pivot(index="period", columns="participant", values="metered_wh")
