"""A run's days in its network: what the contracts and forecasts would have loaded, what the meters did, and limits.

Everything comes from the folder of the run. Of a run without a dispatcher the limits are those that one would set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from dem.grid.dispatch import Dispatch
from dem.grid.flow import Flow
from dem.grid.limits import Dispatcher, Hold
from dem.grid.network import Integers, Network
from dem.grid.programme import Connections, programme
from dem.grid.record import DISPATCHER, Record, read_record
from dem.grid.violations import Violation, rises, violations
from dem.results.reader import Results

RISE_PPM = 30_000
"""What plants may raise the voltage by, by the rule that planners follow (VDE-AR-N 4105): reported, not enforced."""
_HOUR = 3_600
_NAMES = ("meters", "meters within day-ahead limits")


@dataclass(frozen=True, eq=False)
class Course:
    """A network over the periods of a run, which the points of violations are counted by.

    transformer, line: highest loading, 1/1,000,000. low, high: voltages where members are, 1/1,000,000. losses: Wh.
    rises: the highest rise of a voltage by feed-in, 1/1,000,000. worst: the period of the highest loading of all.
    """

    transformer: Integers
    line: Integers
    low: Integers
    high: Integers
    losses: Integers
    rises: Integers
    violations: tuple[Violation, ...]
    worst: int
    loading: Integers
    """Of every branch in the worst period."""

    @property
    def periods(self) -> int:
        """How many have a violation."""
        return len({violation.point for violation in self.violations})


@dataclass(frozen=True, eq=False)
class GridCheck:
    """What is known of a run's network. Energy in Wh by member and period, negative if fed in.

    programme: expected day ahead: contracts, else forecasts. metered: what meters showed, of a run with a dispatcher
    what they would have shown without its limits. limited: what they would have shown within limits that were computed
    from the programme; of a run with a dispatcher what they showed. after: the same with the day known.
    """

    network: Network
    connections: Connections
    holds: tuple[Hold, ...]
    programme: Course
    metered: Course
    limited: Course
    is_dispatched: bool
    cut_metered: int
    cut_after: int
    """Wh that limits take away: of what meters showed, and with the day known before."""

    @cached_property
    def courses(self) -> tuple[tuple[str, Course, int], ...]:
        """Each with its name and what was cut."""
        names = ("without limits", "meters, within limits") if self.is_dispatched else _NAMES
        return (
            ("programme, day ahead", self.programme, 0),
            (names[0], self.metered, 0),
            (names[1], self.limited, self.cut_metered),
        )

    @property
    def shown(self) -> Course:
        """What really flowed."""
        return self.limited if self.is_dispatched else self.metered


def check_grid(folder: Path, results: Results) -> GridCheck | None:
    """Look at the network of a run; None if it has none.

    Raises:
        InputError: what the run left of its network is wrong.
    """
    run = results.run
    if not run.grid:
        return None
    record = read_record(folder, results.periods, dict(run.grid))
    names = record.connections.names
    metered, contracted = (
        _by_member(table, column, names, results.periods)
        for table, column in ((results.readings, "metered_wh"), (results.schedule, "contracted_wh"))
    )
    is_dispatched = DISPATCHER in dict(run.grid)
    shown = metered
    for column, sign in (("shed_wh", 1), ("curtailed_wh", -1)) if is_dispatched else ():
        metered = metered + sign * _by_member(results.cuts, column, names, results.periods)
    expected = programme(contracted, record.expected)
    dispatcher = Dispatcher(record.network, record.connections, run.period_seconds)
    per_day = run.periods_per_day
    days = [slice(first, first + per_day) for first in range(0, len(results.periods), per_day)]
    if is_dispatched:
        limited, holds = shown, _published(record, run.period_seconds, days)
    else:
        found = [dispatcher.limits(expected[:, day]) for day in days]
        limited = np.concatenate([own.held(metered[:, day]) for own, day in zip(found, days, strict=True)], axis=1)
        holds = [own.holds for own in found]
    after = sum(_cut(metered[:, day], dispatcher.limits(metered[:, day]).held(metered[:, day])) for day in days)
    return GridCheck(
        network=record.network,
        connections=record.connections,
        holds=tuple(
            hold._replace(point=hold.point + day.start) for own, day in zip(holds, days, strict=True) for hold in own
        ),
        programme=_course(dispatcher, expected, days),
        metered=_course(dispatcher, metered, days),
        limited=_course(dispatcher, limited, days),
        is_dispatched=is_dispatched,
        cut_metered=_cut(metered, limited),
        cut_after=after,
    )


def _published(record: Record, seconds: int, days: Sequence[slice]) -> list[tuple[Hold, ...]]:
    """Why a dispatcher has limited whom, before there were any contracts."""
    offers = record.offers
    dispatch = Dispatch(
        record.network, record.connections, seconds, offers=None if offers is None else lambda _day: offers
    )
    return [dispatch.day(day, lambda known: record.forecast(days[known - 1])).holds for day in range(1, len(days) + 1)]


def _cut(net: Integers, held: Integers) -> int:
    return int(abs(net - held).sum())


def _by_member(table: pd.DataFrame, column: str, names: Sequence[str], periods: range) -> Integers:
    rows = table[["participant", "period", column]].assign(participant=table["participant"].astype(str))
    wide = rows.pivot_table(index="participant", columns="period", values=column, aggfunc="sum", fill_value=0)
    whole: Integers = wide.reindex(index=list(names), columns=list(periods), fill_value=0).to_numpy(np.int64)
    return whole


def _course(dispatcher: Dispatcher, net: Integers, days: Sequence[slice]) -> Course:
    """Day by day, so that a year takes no more memory than a day."""
    network = dispatcher.network
    is_transformer = np.array([branch.is_transformer for branch in network.branches], np.bool_)
    columns: list[tuple[Integers, ...]] = []
    found: list[Violation] = []
    worst, loading = (-1, 0), np.zeros(len(network.branches), np.int64)
    for day in days:
        own = net[:, day]
        flow = dispatcher.flow(own)
        without = dispatcher.flow(np.maximum(own, 0))
        columns.append(_columns(dispatcher, flow, without, is_transformer))
        found += [violation._replace(point=violation.point + day.start) for violation in violations(network, flow)]
        place = int(flow.loading.max(axis=1, initial=0).argmax())
        highest = int(flow.loading[place].max(initial=0))
        if highest > worst[0]:
            worst, loading = (highest, place + day.start), flow.loading[place]
    transformer, line, low, high, losses, highest_rises = (np.concatenate(p) for p in zip(*columns, strict=True))
    return Course(transformer, line, low, high, losses, highest_rises, tuple(found), worst[1], loading)


def _columns(
    dispatcher: Dispatcher, flow: Flow, without: Flow, is_transformer: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> tuple[Integers, ...]:
    members = np.unique(dispatcher.connections.bus)
    return (
        flow.loading[:, is_transformer].max(axis=1, initial=0),
        flow.loading[:, ~is_transformer].max(axis=1, initial=0),
        flow.voltage[:, members].min(axis=1),
        flow.voltage[:, members].max(axis=1),
        flow.losses * dispatcher.seconds // _HOUR,
        rises(without, flow),
    )
