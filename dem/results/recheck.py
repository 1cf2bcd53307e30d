"""Whether the tables of a run are what its events come to: written anew from these and compared, line by line."""

import csv
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from dem.grid.record import RELIEF as GRID_RELIEF
from dem.model.orders import Side
from dem.model.units import Tick, Wh
from dem.replay.events import EventLike
from dem.replay.reconcile import Check
from dem.replay.replay import Replay
from dem.results.columns import CUTS, RELIEF, RUN, TABLES, WITHOUT_TRADE, file_of
from dem.results.reader import ResultsError, Run, read_run
from dem.results.writer import Exporter, RejectedOrder, Setting

NAME = "every table is what the events come to"
_SIDES = {"bid": Side.BID, "ask": Side.ASK}
_SHOWN = 120


def check_tables(folder: Path, members: Replay, replay: Replay, events: Iterable[EventLike]) -> list[Check]:
    """A check of a finished run's tables; none of a run that is not over, which has not written them all.

    members: that has taken all events. replay: that has taken none of these.
    What the chain does not know is taken from the tables: names, orders that it refused, bills if nobody had traded.
    """
    if not (folder / RUN).is_file():
        return []
    try:
        run = read_run(folder)
        rows = {name: _rows(folder / file_of(name)) for name in ("participants", "orders", WITHOUT_TRADE)}
        names = {
            member.account: row["participant"]
            for member, row in zip(members.members.values(), rows["participants"], strict=False)
            if int(member.account, 16)
        }
        setting, rejected = _setting(run, rows[WITHOUT_TRADE]), _rejected(run, rows["orders"])
        with TemporaryDirectory() as anew:
            exporter = Exporter(setting, replay, names, rejected.__getitem__, Path(anew))
            for day in replay.ended_days(events):
                if day in exporter.setting.days:
                    exporter.add(day)
            exporter.finish({})
            difference = next(_differences(folder, Path(anew), setting.has_relief), "")
    except (ResultsError, KeyError, ValueError, UnicodeDecodeError, csv.Error) as error:
        return [Check(NAME, False, f"they cannot be read: {error}")]
    return [Check(NAME, not difference, difference or f"{len(TABLES) - 2 + setting.has_relief} tables")]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise ResultsError(f"{path}: missing file")
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _setting(run: Run, without_trade: list[dict[str, str]]) -> Setting:
    paid: dict[int, dict[str, int]] = defaultdict(dict)
    for row in without_trade:
        day = (int(row["first_period"]) - run.first_period) // run.periods_per_day + 1
        paid[day][row["participant"]] = int(row["paid_units"])
    return Setting(
        scenario=run.scenario,
        title=run.title,
        currency=run.currency,
        period_seconds=run.period_seconds,
        periods_per_day=run.periods_per_day,
        zone=run.zone,
        utc_offset_hours=run.utc_offset_hours,
        timezone=run.timezone,
        prices=run.prices,
        has_relief=GRID_RELIEF in dict(run.grid),
        first_period=run.first_period,
        days=range(1, run.days + 1),
        paid_without_trade=lambda day: paid[day],
    )


def _rejected(run: Run, orders: Iterable[Mapping[str, str]]) -> dict[int, list[RejectedOrder]]:
    """The orders that the chain refused, by day, as the table has them."""
    found: dict[int, list[RejectedOrder]] = defaultdict(list)
    for row in orders:
        if row["status"] == "rejected":
            day, slot = divmod(int(row["period"]) - run.first_period, run.periods_per_day)
            order = RejectedOrder(
                participant=row["participant"],
                side=_SIDES[row["side"]],
                slot=slot,
                tick=Tick(int(row["limit_ticks"]) + run.prices.zero),
                energy=Wh(int(row["energy_wh"])),
                reason=row["reason"],
            )
            found[day + 1].append(order)
    return found


def _differences(folder: Path, anew: Path, has_relief: bool) -> Iterator[str]:
    for name in TABLES:
        if name == CUTS or (name == RELIEF and not has_relief):  # what meters would have shown, no event tells
            continue
        path, expected = folder / file_of(name), anew / file_of(name)
        if not path.is_file():
            yield f"{path.name} is missing"
            continue
        if path.read_bytes() == expected.read_bytes():
            continue
        with path.open(encoding="utf-8", newline="") as mine, expected.open(encoding="utf-8", newline="") as theirs:
            for number, (has, wants) in enumerate(itertools.zip_longest(mine, theirs, fillvalue=""), start=1):
                if has != wants:
                    yield f"{path.name}, line {number}: {_said(has)}; by the events {_said(wants)}"
                    break


def _said(line: str) -> str:
    text = line.strip()
    return f"{text[:_SHOWN]}..." if len(text) > _SHOWN else text or "nothing"
