"""A run without a chain: the days of a scenario into a folder of tables."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dem.community.scenario import Scenario
from dem.errors import InputError
from dem.grid.record import DISPATCHER, KEY, RELIEF, write_record
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.trading import Trading
from dem.replay.reconcile import Check, check_money, check_totals
from dem.replay.record import EVENTS
from dem.results.columns import WITHOUT_CHAIN
from dem.results.writer import Exporter, Setting


def write_days(scenario: Scenario, folder: Path, ended: Callable[[int], None] = lambda _day: None) -> list[Check]:
    """Play a scenario by the reference model alone and write its tables; returns what was checked.

    ended: called with each day when it is final and written.

    Raises:
        InputError: the folder holds a run on a chain.
    """
    if (folder / EVENTS).exists():
        raise InputError("folder of a run without a chain", str(folder), "holds a run on a chain: choose another one")
    began = time.monotonic()
    market = ModelMarket(scenario)
    trading = Trading(market)
    names = {name: name for name in market.ids}
    exporter = Exporter(setting_of(scenario), market, names, trading.rejected, folder)
    for day in play(trading):
        exporter.add(day)
        ended(day)
    checks = [*check_totals(market.totals), check_money(market.ledger, market.transfers)]
    exporter.finish(
        {
            WITHOUT_CHAIN: True,
            "seconds": {"play and write": round(time.monotonic() - began, 3)},
            "invariants": [asdict(check) for check in checks],
            **grid_record(scenario, folder),
        }
    )
    return checks


def grid_record(scenario: Scenario, folder: Path) -> Mapping[str, Any]:
    """Write what a check of the network needs, if the scenario has one; returns what run.json says of it."""
    network, connections = scenario.network, scenario.connections
    if network is None or connections is None:
        return {}
    days = {day: scenario.periods(day) for day in scenario.days}
    said = write_record(folder, network, connections, days, scenario.public_forecast, scenario.relief_offers)
    has = {DISPATCHER: scenario.dispatch is not None, RELIEF: scenario.relief_offers is not None}
    return {KEY: {**said, **{name: "yes" for name, is_there in has.items() if is_there}}}


def _uncut(scenario: Scenario) -> Callable[[int], Mapping[str, Sequence[int]]] | None:
    """What meters would show if nothing was cut off or limited; of who has a store that is not known."""
    if scenario.islanded or scenario.dispatch is not None:
        fixed = {member.name for member in scenario.participants if not member.flexible}
        return lambda day: {name: wh for name, wh in scenario.metered(day).items() if name in fixed}
    return None


def setting_of(scenario: Scenario) -> Setting:
    """What the tables need to know of a scenario, on a chain or not."""
    calendar = scenario.calendar
    return Setting(
        scenario=scenario.config.name,
        title=scenario.config.title,
        currency=scenario.config.currency,
        period_seconds=calendar.period_seconds,
        periods_per_day=calendar.periods_per_day,
        zone=calendar.zone,
        utc_offset_hours=calendar.offset_hours,
        timezone=calendar.timezone,
        has_relief=scenario.relief_offers is not None,
        first_period=scenario.period0,
        days=scenario.days,
        paid_without_trade=paid_without_trade(scenario),
        uncut=_uncut(scenario),
        bill=scenario.config.bill.record() if scenario.config.bill else None,
        prices=scenario.config.prices.range,
    )


def paid_without_trade(scenario: Scenario) -> Callable[[int], Mapping[str, int]]:
    """By day what each member with a meter would pay under the same rules if nobody traded, money units by name.

    Meters show the same, but for batteries and moved loads: these do what they do without a market.
    """
    quiet = scenario.without_trade()

    def paid(day: int) -> Mapping[str, int]:
        """On the readings that count in the end."""
        market = ModelMarket(quiet)
        trading = Trading(market)
        trading.read_meters(day)
        market.estimate(day)
        trading.correct_meters(day)
        settled = market.settlement(day)
        due = settled.imbalance_units + settled.deviation
        ids = settled.delivery.participants.tolist()
        return {market.names[id_]: units for id_, units in zip(ids, due.sum(axis=1).tolist(), strict=True)}

    return paid
