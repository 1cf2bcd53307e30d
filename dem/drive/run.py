"""One run of a scenario, end to end: deploy, drive the days, recompute and write them as they end."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from dem import formats
from dem.chain.connection import Chain
from dem.community.scenario import Scenario, load_scenario
from dem.deployment.market import ADMIN, MANIFEST, Market, deploy, role_keys
from dem.deployment.plan import Government, Parameters
from dem.drive.day import TradingDays
from dem.drive.members import Community
from dem.drive.pace import Pace
from dem.drive.screen import NOBODY, Screen
from dem.drive.timeline import play, timeline
from dem.drive.without_chain import Draw
from dem.errors import BlocksLostError, InputError
from dem.offchain.run import grid_record, setting_of
from dem.relay.orders import refused_sheets
from dem.replay.reconcile import Check, reconcile
from dem.replay.record import write_balances, write_events
from dem.replay.replay import Replay
from dem.results.columns import RUN
from dem.results.reader import read_results
from dem.results.summary import Summary, summarise
from dem.results.writer import Exporter, RejectedOrder

SCENARIO = "scenario.json"
"""Whose run a folder holds."""
_MEMBERS = "members"
"""In it, members' names by account."""

SIMULATED = Government(delay=10)
"""Of a simulated community: the node's key has the only seat, and set-up goes on while its decisions wait."""

_MOST_LOSSES = 30
"""So often a run starts over because the chain lost what it had, without the end of another day between."""


class Stopwatch:
    """Seconds by what was being done."""

    def __init__(self, doing: str) -> None:
        self.seconds: dict[str, float] = {}
        self._doing, self._since = doing, time.monotonic()

    def start(self, doing: str) -> None:
        """What was done until now is over, or goes on."""
        now = time.monotonic()
        self.seconds[self._doing] = self.seconds.get(self._doing, 0.0) + now - self._since
        self._doing, self._since = doing, now


class Outsider:
    """Follows a run by the chain's events alone: records them, recomputes them, writes every day that is final.

    A run that is started again begins anew with the first event.
    """

    def __init__(self, driver: TradingDays, folder: Path) -> None:
        self._driver = driver
        self._records = driver.relay.records
        self._folder = folder
        self._replay = Replay(driver.relay.periods_per_day, driver.market.addresses)
        names, rejected = driver.community.names, partial(_rejected_orders, driver, self._replay)
        self._exporter = Exporter(setting_of(driver.scenario), self._replay, names, rejected, folder)
        self._next_block = driver.market.manifest.first_block
        driver.people.follow = self.follow

    def follow(self) -> Replay:
        """Take what has happened on the chain since the last time; returns what that comes to."""
        first, last = self._next_block, self._driver.chain.block
        is_new = first == self._driver.market.manifest.first_block
        events = write_events(self._folder, self._records.events_between(first, last), is_new)
        for day in self._replay.ended_days(events):
            if day in self._driver.scenario.days:
                self._exporter.add(day)
            self._driver.people.ended(day, self._replay)
        self._next_block = last + 1
        return self._replay

    def reconcile(self) -> list[Check]:
        """The invariants, checked against the chain's balances, which end the record."""
        self.follow()
        balances = self._records.balances()
        write_balances(self._folder, self._driver.relay.periods_per_day, balances, self._driver.market.addresses)
        return reconcile(self._replay, balances)

    @property
    def refused(self) -> list[str]:
        """What the chain refused of the messages to the further markets, in its words; the driver knows."""
        return self._driver.relay.refused

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write what is left of the tables, and run.json with these facts."""
        self._exporter.finish({**run, **grid_record(self._driver.scenario, self._folder)})


def run_scenario(
    scenario_folder: Path,
    out: Path | None,
    account: str | None,
    pace: Pace,
    draw: Draw,
    screen: Screen = NOBODY,
    ended: Callable[[int], None] = lambda _day: None,
) -> tuple[Path, Summary, Sequence[Check]]:
    """Run a scenario on the connected chain; returns the output folder, its summary and the invariants checked.

    draw: called at the end. ended: called with each day when it is over, recomputed and written.

    Raises:
        InputError: the scenario is faulty.
        ChainError: the chain refuses, or the folder holds a run on another chain.
    """
    watch = Stopwatch("read the scenario")
    scenario = load_scenario(scenario_folder)
    folder = out or Path("out") / scenario.config.name
    return run_loaded(scenario, folder, account, pace, draw, screen, ended, watch)


def run_loaded(
    scenario: Scenario,
    folder: Path,
    account: str | None,
    pace: Pace,
    draw: Draw,
    screen: Screen = NOBODY,
    ended: Callable[[int], None] = lambda _day: None,
    watch: Stopwatch | None = None,
) -> tuple[Path, Summary, Sequence[Check]]:
    """As `run_scenario`, of a scenario that is read."""
    watch = watch or Stopwatch("connect")
    chain = Chain.connected()
    community = Community(scenario)
    screen.title(scenario.config.title, f"on {chain.network}")
    losses, last_day = 0, 0

    def day_ended(day: int) -> None:
        nonlocal losses, last_day
        if day > last_day:
            losses, last_day = 0, day
        ended(day)

    while True:
        try:
            watch.start("deploy")
            market = deploy_for(chain, community, folder, account, pace, screen=screen)
            outsider = _drive(community, market, folder, watch, screen, day_ended)
            watch.start("reconcile")
            with screen.busy("comparing every balance with what the events say"):
                checks = outsider.reconcile()
                chain.await_final()
            blocks = chain.block
            break
        except BlocksLostError as lost:
            losses += 1
            if losses > _MOST_LOSSES:
                raise
            screen.warn(f"{lost}: asking it again from the start what is done")
    watch.start("draw the report")
    run: dict[str, Any] = {
        "network": chain.network,
        "blocks": blocks,
        "transactions": chain.transactions,
        "gas": {"all": chain.gas_used, "largest_transaction": chain.most_gas},
        "seconds": {what: round(seconds, 2) for what, seconds in watch.seconds.items() if seconds >= 0.005},
        "invariants": [asdict(check) for check in checks],
    }
    if refused := outsider.refused:
        run["refused"] = refused
        screen.note(f"{len(refused)} messages to further markets refused, first: {refused[0]}")
    with screen.busy("drawing pictures"):
        outsider.finish(run)
        results = read_results(folder)
        summary = summarise(results)
        draw(folder, results, summary)
    return folder, summary, checks


def deploy_for(
    chain: Chain,
    community: Community,
    folder: Path,
    account: str | None,
    pace: Pace,
    government: Government = SIMULATED,
    screen: Screen = NOBODY,
) -> Market:
    """The scenario's market on a chain, deployed now or by an earlier run into the same folder.

    Raises:
        InputError: the folder holds another run.
    """
    _claim(folder, community, is_anew=chain.is_embedded)
    keys = role_keys(chain, account)
    chain.wait_for_pending(keys.values())
    parameters = Parameters(
        admin=keys[ADMIN].address,
        calendar=pace.calendar(community.scenario, chain.now()),
        rules=community.scenario.rules(1),
        offices=community.offices,
        first_weekday=community.scenario.calendar.start.weekday(),
        intraday_lead=pace.intraday_lead(community.scenario),
        markets=community.scenario.markets.plugged,
        government=government,
    )
    with screen.busy("deploying the contracts"):
        return deploy(chain, keys, parameters, folder / MANIFEST)


def names_of(folder: Path) -> dict[str, str]:
    """Names of the members of the run that a folder holds, by account; none if it does not say."""
    try:
        members = json.loads((folder / SCENARIO).read_text(encoding="utf-8"))[_MEMBERS]
        return {str(account): str(name) for account, name in members.items()}
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {}


def _claim(folder: Path, community: Community, is_anew: bool) -> None:
    """Say in a folder whose run it holds; refuse it if it is another one's. is_anew: nothing of before goes on."""
    path = folder / SCENARIO
    scenario = community.scenario
    config = scenario.config
    members = [
        (member.name, member.kind, member.import_capacity, member.export_capacity) for member in scenario.participants
    ]
    known = {"name": config.name, "seed": config.seed, "calendar": config.calendar.model_dump(), "members": members}
    own = {
        formats.KEY: formats.RUN,
        "scenario": config.name,
        "start": config.calendar.start.isoformat(),
        "days": config.calendar.days,
        "community": _digest(known),
        "everything": _digest([config.model_dump(), [asdict(member) for member in scenario.participants]]),
        _MEMBERS: community.names,
    }
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        formats.require_format(path, held, formats.RUN)
    except FileNotFoundError:
        held = _run_before(folder / RUN) or own
    except (ValueError, AttributeError):
        raise InputError(str(path), None, "is no record of a run: name another folder with --out") from None
    if held.get("scenario") != own["scenario"] or held.get("community", own["community"]) != own["community"]:
        run = f"{held.get('scenario')}, {held.get('days')} days from {held.get('start', 'its start')}"
        why = f"holds another run ({run}), which this one would overwrite: name another folder with --out"
        raise InputError(str(folder), None, why)
    if not is_anew and held.get("everything", own["everything"]) != own["everything"]:
        why = f"holds a run of {own['scenario']} as it was before it was changed: name another folder with --out"
        raise InputError(str(folder), None, why)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(own, indent=2) + "\n", encoding="utf-8")


def _run_before(path: Path) -> dict[str, Any] | None:
    """What a finished run says of itself."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "scenario" in record else None


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _drive(
    community: Community,
    market: Market,
    folder: Path,
    watch: Stopwatch,
    screen: Screen,
    ended: Callable[[int], None],
) -> Outsider:
    """Run the days and tell the simulated time; they are recomputed as they end."""

    def tell(what: str, when: datetime, steps: int) -> None:
        watch.start(what.partition(":")[0])
        screen.step(what, when, steps)

    with screen.days():
        driver = TradingDays(community, market, tell)
        screen.steps(len(timeline(driver)))
        outsider = Outsider(driver, folder)
        for day in play(driver):
            watch.start("recompute and write")
            outsider.follow()
            ended(day)
        return outsider


def _rejected_orders(driver: TradingDays, replay: Replay, day: int) -> list[RejectedOrder]:
    """The orders of a day's sheets that the chain refused, as their senders made them, with the chain's reason."""
    contract = driver.scenario.markets.day_ahead
    if contract is None:
        return []
    reasons = {
        driver.community.names[sender]: driver.chain.artifacts.describe(reason)
        for (sender, _), reason in refused_sheets(driver.relay, day, contract).items()
        if sender in driver.community.names
    }
    if not reasons:
        return []
    names = {id_: name for name, id_ in driver.people.ids.items()}
    return [
        RejectedOrder(
            participant=names[order.participant],
            slot=order.slot,
            side=order.side,
            tick=order.tick,
            energy=order.energy,
            reason=reasons[names[order.participant]],
        )
        for order in driver.people.day_ahead_orders(day, replay)
        if names[order.participant] in reasons
    ]
