"""What is worth knowing of a scenario before it runs: deposits that are too small, short histories, paths, names.

Nothing of it is a mistake that keeps a scenario from being read; `dem.community.scenario.examine` names those.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from dem.community.crowd import Crowd
from dem.community.forecast import DAYS_WANTED
from dem.community.profiles import TabledProfiles
from dem.community.scenario import METERED, TRADING, Kind, Scenario
from dem.model.collateral import order_collateral
from dem.model.units import Money, currency

_LEAST_KWH, _MOST_KWH = 0.2, 200
"""Of a member in the middle, a day: what is outside is looked at twice."""
_DAYS_LOOKED_AT = 7
_DAWN, _MORNING, _AFTERNOON, _DUSK, _WHOLE_DAY_HOURS = 4, 9, 15, 22, 24
MOST_DAYS = 31
"""So many days are looked at, of a longer scenario the first ones."""


def advice(scenario: Scenario) -> Iterator[str]:
    """Sentences, each about one thing."""
    yield from _deposits(scenario)
    yield from _histories(scenario)
    yield from _outside(scenario)
    yield from _plausible(scenario)
    config = scenario.config
    if config.name != scenario.folder.resolve().name:
        yield f"its name is {config.name!r}, its folder's {scenario.folder.resolve().name!r}: results go by the name"


def needed(scenario: Scenario) -> Mapping[str, Money]:
    """What each member that trades or has a meter has to pay in for the days looked at, 10^-8 currency.

    An order locks its collateral until its day is settled, so several days do at once; and what the days before cost
    is paid out of the deposit, here as if all came from the fallback supplier. Orders in other markets than the call
    auction come on top.
    """
    calendar = scenario.calendar
    days = list(scenario.days)[:MOST_DAYS]
    ids = {member.name: i for i, member in enumerate(scenario.participants, start=1)}
    names = {i: name for name, i in ids.items()}
    locked: dict[int, dict[str, int]] = {}
    bills: dict[int, dict[str, int]] = {}
    for day in days:
        rules = scenario.rules(day)
        locked[day] = defaultdict(int)
        for order in Crowd(scenario, day).orders(ids):
            locked[day][names[order.participant]] += order_collateral(order, rules)
        tariffs = scenario.tariffs(day)
        bills[day] = {
            name: sum(wh * (tariff.buy if wh > 0 else tariff.sell) for wh, tariff in zip(meter, tariffs, strict=True))
            for name, meter in scenario.metered(day).items()
        }
    # Days before whose orders are not settled when the auction of a day opens.
    open_days = -(-(calendar.open_lead_seconds + calendar.metering_lag_seconds) // calendar.day_seconds)
    most: dict[str, int] = {}
    for member in scenario.participants:
        if member.kind not in METERED | TRADING:
            continue
        paid, need = 0, 0
        for day in days:
            at_once = sum(locked[other][member.name] for other in range(max(1, day - open_days), day + 1))
            need = max(need, paid + at_once)
            paid += bills[day].get(member.name, 0)
            need = max(need, paid)
        most[member.name] = need
    return {name: Money(need) for name, need in most.items()}


def _deposits(scenario: Scenario) -> Iterator[str]:
    looked_at = min(MOST_DAYS, len(scenario.days))
    for name, need in needed(scenario).items():
        member = scenario.participant(name)
        has = member.deposit + member.credit_limit
        if has < need:
            what = "deposit" if member.kind is not Kind.GRID_OPERATOR else "deposit and credit limit"
            yield (
                f"{name}: the {what} of {currency(Money(has))} is too small: its orders and bills of {looked_at} "
                f"day{'s' if looked_at > 1 else ''} need {currency(need)} {scenario.config.currency}, and what is not "
                "covered is refused"
            )


def _histories(scenario: Scenario) -> Iterator[str]:
    days = len(scenario.history(1).load)
    if days < DAYS_WANTED:
        yield (
            f"forecasts of day 1 see {days} whole day{'s' if days > 1 else ''} of readings: with {DAYS_WANTED} they "
            "are complete, so begin the tables of load and pv earlier"
        )
    profiles = scenario.profiles
    if isinstance(profiles, TabledProfiles) and len(set(profiles.histories)) > 1:
        load, pv = profiles.histories
        yield (f"the table of load has {load} whole days before day 1, that of pv {pv}: forecasts use what both have")


def _plausible(scenario: Scenario) -> Iterator[str]:
    """What meters hardly show: another unit, or generation taken for consumption."""
    days = list(scenario.days)[:_DAYS_LOOKED_AT]
    consumers = {member.name for member in scenario.of_kind(Kind.CONSUMER)}
    drawn: dict[str, list[int]] = defaultdict(lambda: [0] * scenario.calendar.periods_per_day)
    for day in days:
        for name, values in scenario.load(day).items():
            drawn[name] = [before + wh for before, wh in zip(drawn[name], values, strict=True)]
    people = {member.name for member in scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER)}
    wholes = sorted(sum(values) / 1_000 / len(days) for name, values in drawn.items() if name in people)
    used = [kwh for kwh in wholes if kwh]
    if used and not _LEAST_KWH <= (middle := used[len(used) // 2]) <= _MOST_KWH:
        yield f"a member in the middle draws {middle:,.3f} kWh a day: is the unit of readings kWh or Wh?"
    hours, per_day = scenario.calendar.period_seconds / 3_600, scenario.calendar.periods_per_day
    if per_day * hours != _WHOLE_DAY_HOURS:
        return
    for name in sorted(consumers & drawn.keys()):
        values = drawn[name]
        night = sum(wh for slot, wh in enumerate(values) if slot * hours < _DAWN or slot * hours >= _DUSK)
        noon = sum(wh for slot, wh in enumerate(values) if _MORNING <= slot * hours < _AFTERNOON)
        if noon and not night and noon > sum(values) / 2:
            yield f"{name} draws by daylight alone: if that is generation, its column's name is to end in pv"


def _outside(scenario: Scenario) -> Iterator[str]:
    config = scenario.config
    sections = (config.tables, config.profiles, config.tariff, config.bilateral, config.wholesale)
    keys = (
        "participants",
        "load",
        "pv",
        "orders",
        "forecast",
        "readings",
        "connections",
        "shapes",
        "meters",
        "prices",
        "tariffs",
        "contracts",
    )
    home = scenario.folder.resolve()
    paths = {str(getattr(section, key)) for section in sections for key in keys if getattr(section, key, None)}
    for path in sorted(paths):
        if not (home / Path(path)).resolve().is_relative_to(home):
            yield f"{path} lies outside of the folder: whoever gets the folder alone cannot run it"
