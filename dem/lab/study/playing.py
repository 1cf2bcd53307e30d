"""Days of a study, played: a task is what a process does at a time, and can be sent to another machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

import numpy as np

from dem.community.scenario import Kind, Scenario
from dem.lab.study.design import Setting, Stretch
from dem.model.markets.auction import Column
from dem.offchain.days import play
from dem.offchain.market import WHOLESALE, ModelMarket
from dem.offchain.trading import Trading

TASK_DAYS = 28
"""Days that a task plays, as far as stretches are short; a task is what is lost by a kill."""
COMMUNITY = (Kind.CONSUMER, Kind.PROSUMER, Kind.INTERMEDIARY)
"""Whom a study is about."""

FROM_THE_FUND = ("premium", "reward")
"""Payments beside the bills that it makes."""

Record: TypeAlias = dict[str, Any]
"""Of a day: figures by name, and of each member what it paid and would have paid at the tariffs alone."""


@dataclass(frozen=True)
class Task:
    """Some stretches of an arm at a point, with a seed. inputs: a hash of all that it comes from."""

    arm: str
    point: str
    setting: Setting
    seed: int
    stretches: tuple[Stretch, ...]
    inputs: str

    @property
    def key(self) -> str:
        """The same for the same work, whatever the arm is called."""
        parts = [self.setting.model_dump(), self.seed, self.stretches, self.inputs]
        # Where it lies on this machine does not matter.
        parts[0] = {key: value for key, value in self.setting.model_dump().items() if key not in ("folder", "modules")}
        return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


_SCENARIOS: dict[str, Scenario] = {}
"""Those read by this process last, by their setting: tasks of one come one after another."""
_KEPT = 4


def scenario_of(setting: Setting) -> Scenario:
    """The scenario of a setting, read once by a process."""
    key = repr(setting)
    if key not in _SCENARIOS:
        while len(_SCENARIOS) >= _KEPT:
            del _SCENARIOS[next(iter(_SCENARIOS))]
        _SCENARIOS[key] = setting.load()
    return _SCENARIOS[key]


def do(task: Task) -> list[Record]:
    """Play a task; returns a record for each day."""
    scenario = scenario_of(task.setting).seeded(task.seed)
    return [record for first, count in task.stretches for record in play_stretch(scenario.cut(first, count))]


def play_stretch(scenario: Scenario) -> list[Record]:
    """Play all days of a scenario."""
    market = ModelMarket(scenario)
    records = {day: _record(market, day) for day in play(Trading(market))}
    for payment in market.payments:
        record = records[payment.day]
        bill = record["members"].get(market.names.get(payment.member, ""))
        if bill is not None:
            bill[1] -= payment.amount
        if payment.what in FROM_THE_FUND:
            record["fund_units"] -= payment.amount
    for record in records.values():
        _add_up(record)
    return [*records.values()]


def _record(market: ModelMarket, day: int) -> Record:
    """What a day came to, before what the fund returns."""
    scenario, settled = market.scenario, market.settlement(day)
    calendar, delivery = scenario.calendar, settled.delivery
    tariffs = market.tariffs(day)
    buy, sell = (np.array([getattr(tariff, side) for tariff in tariffs], np.int64) for side in ("buy", "sell"))
    members = {market.ids[member.name]: member for member in scenario.of_kind(*COMMUNITY) if member.takes_part(day)}
    rows = np.flatnonzero(np.isin(delivery.participants, list(members)))
    metered, contracted = delivery.metered[rows], settled.contracted[rows]
    alone = (np.where(metered > 0, buy, sell) * metered).sum(axis=1)
    bills = {
        id_: (sum(settled.bill_of(id_)), tariff)
        for id_, tariff in zip(delivery.participants[rows].tolist(), alone.tolist(), strict=True)
    }
    traded = [trades for contract, trades in market.trades(day).items() if contract != WHOLESALE]
    drawn, fed = np.maximum(metered, 0).sum(axis=0), np.maximum(-metered, 0).sum(axis=0)
    net = drawn - fed
    taken = np.minimum(contracted, metered).clip(min=0).sum(axis=0)
    given = -np.maximum(contracted, metered).clip(max=0).sum(axis=0)
    return {
        "day": scenario.numbered(day),
        "date": calendar.date_of(day).isoformat(),
        "traded_wh": sum(int(trades.bought.sum()) for trades in traded),
        "traded_units": sum(int(trades.payment[trades.bought > 0].sum()) for trades in traded),
        "consumed_wh": int(drawn.sum()),
        "generated_wh": int(fed.sum()),
        "shared_wh": int(np.minimum(drawn, fed).sum()),
        "delivered_wh": int(np.minimum(taken, given).sum()),
        "peak_wh": int(abs(net).max()),
        "area_units": int((np.where(net > 0, buy, sell) * net).sum()),
        "off_wh": int(abs(settled.imbalance[rows]).sum()),
        "fees_units": _total(settled.fees[rows]),
        "deviation_units": _total(settled.deviation[rows]),
        "fund_units": settled.fund(),
        "members": {member.name: [member.kind.value, *bills.get(id_, (0, 0))] for id_, member in members.items()},
    }


def _total(grid: Column) -> int:
    return sum(grid.sum(axis=1).tolist())


def _add_up(record: Record) -> None:
    """What the community paid, and each kind of member."""
    members = record["members"]
    for kind in (None, *COMMUNITY):
        of_kind = [bill for bill in members.values() if kind in (None, bill[0])]
        suffix = "" if kind is None else f"_{kind.value}"
        record[f"paid{suffix}_units"] = sum(bill[1] for bill in of_kind)
        record[f"alone{suffix}_units"] = sum(bill[2] for bill in of_kind)
    record["better_off"] = sum(bill[1] < bill[2] for bill in members.values())
    record["worse_off"] = sum(bill[1] > bill[2] for bill in members.values())


def tasks_of(
    arm: str, point: str, setting: Setting, seed: int, stretches: list[Stretch], inputs: str
) -> Iterator[Task]:
    """The work of an arm at a point with a seed, the same whoever does it."""
    each = max(1, TASK_DAYS // stretches[0][1])
    for start in range(0, len(stretches), each):
        yield Task(arm, point, setting, seed, tuple(stretches[start : start + each]), inputs)
