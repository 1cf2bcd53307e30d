"""Run by a package that has the market: plays it from the plan of the deployment to the table of trades.

python -m support.sharing.played FOLDER
"""

import csv
import sys
from datetime import UTC
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from dem.chain.events import Event
from dem.community.clock import Clock
from dem.community.scenario import load_scenario
from dem.deployment.plan import STEPS
from dem.deployment.roles import OPEN, ROLES
from dem.drive.timeline import steps_of
from dem.model.calendar import CalendarParameters
from dem.model.ledger import CLEARING_HOUSE, FALLBACK_SUPPLIER
from dem.model.mechanisms import AUCTION, SETUPS, Markets
from dem.relay import sharing
from dem.replay.replay import Replay
from dem.results.writer import Exporter, Setting
from support import PROJECT
from support.model.events import InventedMarket

SCENARIO = PROJECT / "scenarios" / "rural-sunday"
PERIODS = 12
CONTRACT = "FixedPriceSharing"
BUYER, SELLER = 6, 7
SHARE = {"day": 1, "slot": 3, "buyer": BUYER, "seller": SELLER, "energy": 500, "price": 7}


def deployed() -> None:
    """The contract is deployed and plugged in, the schedule may book it, and everybody may share."""
    assert CONTRACT in {step.contract for step in STEPS}
    assert Markets(sharing=True).plugged == (AUCTION, CONTRACT)
    assert SETUPS["all"].sharing
    [schedule] = [role for role in ROLES if role.name == "schedule"]
    assert schedule.functions[CONTRACT] == ("book",)
    assert OPEN[CONTRACT] == ("share",)


def driven() -> None:
    """A scenario that names it has its step every day, and the relay brings what is missing."""
    days = MagicMock()
    days.scenario = load_scenario(SCENARIO).with_markets(Markets(sharing=True))
    days.clock = Clock(days.scenario, CalendarParameters(1_000_000, 900, 96, 86_400, 43_200, 3_600, 86_400))
    days.relay.market.contract.return_value.functions.isShared.return_value.call.return_value = False
    [step] = [step for step in steps_of(days, 1) if step.what == "share"]
    step.act(1)
    [call] = days.relay.chain.send.call_args_list
    assert call.args[2:] == ("share", 1)
    days.relay.market.contract.assert_called_with(sharing.CONTRACT)
    days.scenario = days.scenario.with_markets(Markets())
    assert "share" not in {step.what for step in steps_of(days, 1)}


def followed() -> Replay:
    """Its energy reaches the schedule, its collateral the ledger, its money the bills."""
    invented = InventedMarket(members=4, days=1, periods=PERIODS)
    replay = Replay(PERIODS)
    replay.apply(told for told in invented.events() if told.name in ("Admitted", "RulesChanged", "Deposited"))
    before = replay.ledger.record(BUYER)
    replay.apply([event("Shared", **SHARE)])
    assert not replay.differences
    contracted = replay.contracted(1)
    assert (contracted[BUYER][3], contracted[SELLER][3]) == (500, -500)
    record = replay.ledger.record(BUYER)
    assert (record.free, record.locked) == (before.free - 3500, before.locked + 3500)
    assert replay.open_collateral() == {(BUYER, 1): 3500}
    bills = replay.settlement(1).bills
    assert (bills[BUYER].trade, bills[SELLER].trade) == (3500, -3500)
    assert {CLEARING_HOUSE, FALLBACK_SUPPLIER}.isdisjoint(bills)
    return replay


def written(replay: Replay, folder: Path) -> None:
    """Its trades are in the table, under the name that people call it."""
    setting = Setting("invented", "Invented", "EUR", 7200, PERIODS, UTC, 0.0, 0, range(1, 2), lambda _day: {})
    Exporter(setting, replay, {}, lambda _day: [], folder).add(1)
    with (folder / "trades.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["market"] == "sharing"]
    assert [(row["period"], row["bought_wh"], row["sold_wh"], row["amount_units"]) for row in rows] == [
        ("3", "500", "0", "3500"),
        ("3", "0", "500", "-3500"),
    ]


def unknown() -> None:
    """An event that its replay does not name is a difference."""
    replay = Replay(PERIODS)
    replay.apply([event("Stolen", day=1)])
    assert replay.differences == [f"{CONTRACT} Stolen: an event that no rule explains"]


def event(name: str, **args: Any) -> Event:
    return Event(CONTRACT, name, args, 1, "0x00", 0)


if __name__ == "__main__":
    deployed()
    driven()
    written(followed(), Path(sys.argv[1]))
    unknown()
