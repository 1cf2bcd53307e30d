"""An auditor's look at a dispatcher: every limit worked out anew from the network and the forecasts, and compared."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dem.errors import InputError
from dem.grid.dispatch import DayLimits, Dispatch
from dem.grid.programme import DEMAND, FEED_IN
from dem.grid.record import read_record
from dem.model.ledger import GRID_OPERATOR
from dem.model.limits import WHOLE, Share, ZoneLimit, unpack_shares
from dem.model.relief import NOTHING, Offers, ReliefPayment
from dem.model.strips import LANES
from dem.replay.reconcile import Check
from dem.replay.replay import Replay
from dem.results.reader import Results

_SHOWN = 3
"""So many differences are named."""


def recheck(folder: Path, results: Results, replay: Replay, names: Mapping[str, str]) -> list[Check]:
    """What a run's dispatcher published, beside what follows from its network and forecasts.

    replay: of all events. names: of members by account.

    Raises:
        InputError: the run has no network, or nobody has published limits.
    """
    run = results.run
    if not run.grid:
        raise InputError(str(folder), None, "is of a scenario without a network: its scenario.toml has no [grid]")
    days, per_day = range(1, run.days + 1), run.periods_per_day
    if not any(replay.grid.publications(day) for day in days):
        raise InputError(str(folder), None, "is of a run without a dispatcher: nobody has published limits")
    record = read_record(folder, results.periods, dict(run.grid))
    ids = {names[member.account]: id_ for id_, member in replay.members.items() if member.account in names}

    def offers(day: int) -> Offers:
        of_members = {name: replay.relief.offer(id_, day) for name, id_ in ids.items()}
        return Offers(of_members, replay.relief.offer(GRID_OPERATOR, day))

    dispatch = Dispatch(record.network, record.connections, run.period_seconds, offers=offers)
    found = {
        day: dispatch.day(day, lambda known: record.forecast(slice((known - 1) * per_day, known * per_day)))
        for day in days
    }
    model = bytes.fromhex(record.network.digest.removeprefix("0x"))
    others = [f"day {day}" for day in days if replay.grid.model(day) != model]
    return [
        _check(
            "limits are of the network in this folder",
            others,
            f"{record.network.digest}, on {run.days} day{'s' if run.days > 1 else ''}",
        ),
        _check("members are in their zones", [*_zones(replay, found, ids)], f"{len(ids)} members"),
        _check("standing limits are safe by themselves", [*_standing(replay, dispatch, found)], "of every zone in use"),
        _check(
            "relief is bought of the cheapest, as much as is needed", [*_relief(replay, found, ids)], _bought(found)
        ),
        _check("published limits follow from the forecasts", [*_limits(replay, found)], _count(found)),
        _check("reports are those of the limits", [*_reports(replay, found)], "by their hash"),
        _check("what meters showed beyond limits is charged", [*_charges(replay, ids, days)], "on final days"),
        _check("relief that was delivered is paid", [*_payments(replay, ids, days)], "on final days"),
        Check("limits lowered after the gate are told", True, _lowered(replay, days)),
    ]


def _lowered(replay: Replay, days: Sequence[int]) -> str:
    """What an auditor has to judge by its reason: no forecast of the day before says it."""
    told = [
        f"day {day}: {sum(len(one.limits) for one in replay.grid.publications(day) if one.is_late)} strips of zones"
        f" ({'; '.join(replay.grid.causes[day])})"
        for day in days
        if replay.grid.causes.get(day)
    ]
    return ", ".join(told) or "none"


def _check(what: str, differences: Sequence[str], detail: str) -> Check:
    shown = "; ".join(differences[:_SHOWN]) + ("; ..." if len(differences) > _SHOWN else "")
    return Check(what, not differences, shown or detail)


def _count(found: Mapping[int, DayLimits]) -> str:
    words = sum(len(own.words) for own in found.values())
    held = len({(day, hold.point) for day, own in found.items() for hold in own.holds})
    return f"{words} strips of zones, {held} periods held"


def _zones(replay: Replay, found: Mapping[int, DayLimits], ids: Mapping[str, int]) -> Iterator[str]:
    for day, own in found.items():
        for name, zone in own.zones.items():
            published = replay.grid.zone(ids[name], day) if name in ids else zone
            if published != zone:
                yield f"day {day}, {name}: zone {published}, should be {zone}"


def _standing(replay: Replay, dispatch: Dispatch, found: Mapping[int, DayLimits]) -> Iterator[str]:
    for day, own in found.items():
        for zone in sorted({*own.zones.values()} - {0}):
            if (published := replay.grid.standing(zone, day)) != dispatch.standing[zone]:
                yield f"day {day}, zone {zone}: {tuple(published)}, should be {tuple(dispatch.standing[zone])}"


def _limits(replay: Replay, found: Mapping[int, DayLimits]) -> Iterator[str]:
    for day, own in found.items():
        early = [one for one in replay.grid.publications(day) if not one.is_late]
        if not early:
            yield f"day {day}: nothing was published"
        published = {(limit.zone, limit.strip): limit for one in early for limit in one.limits}
        computed = {(limit.zone, limit.strip): limit for limit in own.words}
        for zone, strip in sorted({*published, *computed}):
            both = [_shares(limits.get((zone, strip))) for limits in (published, computed)]
            for k, (said, right) in enumerate(zip(*both, strict=True)):
                if said != right:
                    where = f"day {day}, zone {zone}, period {strip * LANES + k}"
                    yield f"{where}: {_words(said)}, should be {_words(right)}"


def _shares(limit: ZoneLimit | None) -> list[Share]:
    return [Share()] * LANES if limit is None else unpack_shares(limit.shares)


def _words(share: Share) -> str:
    imports, exports = (f"{part * 100 / WHOLE:.2f} %" for part in share)
    return f"{imports} of the connection to draw, {exports} to feed in"


def _relief(replay: Replay, found: Mapping[int, DayLimits], ids: Mapping[str, int]) -> Iterator[str]:
    names = {id_: name for name, id_ in ids.items()}
    for day, own in found.items():
        bought = {names.get(id_, f"member {id_}"): slots for id_, slots in replay.sold_relief(day).items()}
        for name in sorted({*bought, *own.relief}):
            said, right = bought.get(name, {}), own.relief.get(name, {})
            for slot, is_fed_in in sorted({*said, *right}):
                both = [slots.get((slot, is_fed_in), NOTHING) for slots in (said, right)]
                if both[0] != both[1]:
                    where = f"day {day}, {name}, period {slot}, {FEED_IN if is_fed_in else DEMAND}"
                    words = (f"{one.energy} Wh at {one.price} down to {one.most} Wh" for one in both)
                    yield f"{where}: {', should be '.join(words)}"


def _bought(found: Mapping[int, DayLimits]) -> str:
    sold = [own for limits in found.values() for slots in limits.relief.values() for own in slots.values()]
    return f"{sum(own.energy for own in sold):,} Wh in {len(sold)} periods of members"


def _reports(replay: Replay, found: Mapping[int, DayLimits]) -> Iterator[str]:
    for day, own in found.items():
        for report in replay.grid.reports.get(day, ()):
            if report != own.report:
                yield f"day {day}: 0x{report.hex()}, should be 0x{own.report.hex()}"
        for report in replay.relief.reports.get(day, ()):
            if report != own.relief_report:
                yield f"day {day}, relief: 0x{report.hex()}, should be 0x{own.relief_report.hex()}"


def _charges(replay: Replay, ids: Mapping[str, int], days: Sequence[int]) -> Iterator[str]:
    for day in days:
        for name, id_ in ids.items() if day in replay.final_days else ():
            if not replay.grid.zone(id_, day):
                continue
            cost, charged = replay.grid.excess(id_, day), replay.grid.charged.get((id_, day), 0)
            if cost.units != charged:
                yield f"day {day}, {name}: {charged} units for {cost.energy} Wh, should be {cost.units}"


def _payments(replay: Replay, ids: Mapping[str, int], days: Sequence[int]) -> Iterator[str]:
    names = {id_: name for name, id_ in ids.items()}
    for day in days:
        for id_ in replay.relief.bought(day) if day in replay.final_days else ():
            due, paid = replay.relief.due(id_, day), replay.relief.paid.get((id_, day), ReliefPayment(0, 0, 0, 0))
            if due[2:] != paid[2:]:
                who = names.get(id_, f"member {id_}")
                yield f"day {day}, {who}: {paid.units} units for {due.delivered} Wh, should be {due.units}"
