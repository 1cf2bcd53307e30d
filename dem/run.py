"""One run of a scenario, end to end: deploy, drive the days, recompute and write them as they end, draw."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dem.chain import Chain
from dem.cli import console
from dem.day import Community, TradingDays, markets_of
from dem.deployment import ADMIN, Market, deploy, role_keys
from dem.errors import BlocksLostError
from dem.exports import RUN, Exporter, RejectedOrder
from dem.history import write_balances, write_events
from dem.markets import SETUPS
from dem.plan import Government, Pace, Parameters
from dem.reconcile import Check, reconcile
from dem.replay import Replay
from dem.report import write_report
from dem.results import Results, read_results
from dem.scenario import Scenario, load_scenario
from dem.summary import Summary, summarise

MANIFEST = "manifest.json"

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
        self._operations = driver.operations
        self._folder = folder
        self._replay = Replay(self._operations.periods_per_day, driver.market.addresses)
        names, rejected = driver.community.names, partial(_rejected_orders, driver, self._replay)
        self._exporter = Exporter(driver.scenario, self._replay, names, rejected, folder)
        self._next_block = driver.market.manifest.first_block
        driver.follow = self.follow

    def follow(self) -> Replay:
        """Take what has happened on the chain since the last time; returns what that comes to."""
        first, last = self._next_block, self._driver.chain.block
        is_new = first == self._driver.market.manifest.first_block
        events = write_events(self._folder, self._operations.events_between(first, last), is_new)
        for day in self._replay.ended_days(events):
            if day in self._driver.scenario.days:
                self._exporter.add(day)
            self._driver.ended(day, self._replay)
        self._next_block = last + 1
        return self._replay

    def reconcile(self) -> list[Check]:
        """The invariants, checked against the chain's balances, which end the record."""
        self.follow()
        balances = self._operations.balances()
        write_balances(self._folder, self._operations.periods_per_day, balances, self._driver.market.addresses)
        return reconcile(self._replay, balances)

    @property
    def refused(self) -> list[str]:
        """What the chain refused of the messages to the further markets, in its words; the driver knows."""
        return self._driver.contracting.refused

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write what is left of the tables, and run.json with these facts."""
        self._exporter.finish(run)


def run_scenario(
    scenario_folder: Path,
    out: Path | None,
    account: str | None,
    pace: Pace,
    ended: Callable[[int], None] = lambda _day: None,
) -> tuple[Path, Summary, Sequence[Check]]:
    """Run a scenario on the connected chain; returns the output folder, its summary and the invariants checked.

    ended: called with each day when it is over, recomputed and written.

    Raises:
        InputError: the scenario is faulty.
        ChainError: the chain refuses, or the folder holds a run on another chain.
    """
    watch = Stopwatch("read the scenario")
    scenario = load_scenario(scenario_folder)
    folder = out or Path("out") / scenario.config.name
    return run_loaded(scenario, folder, account, pace, ended, watch)


def run_set_ups(scenario_folder: Path, out: Path, account: str | None, pace: Pace) -> tuple[dict[str, Results], bool]:
    """Run a scenario under every set-up that it describes, each on a market of its own; what is finished is read only.

    Returns the results by set-up, the plainest first, and whether all invariants hold.

    Raises:
        InputError: the scenario is faulty.
        ChainError: the chain refuses.
    """
    scenario = load_scenario(scenario_folder)
    known = set(scenario.config.possible.names)
    runs: dict[str, Results] = {}
    for name, markets in SETUPS.items():
        if not known.issuperset(markets.names):
            continue
        folder = out / name.replace(" + ", "-").replace(" ", "-")
        console.print(f"\n[bold]{name}[/]", highlight=False)
        if not (folder / RUN).exists():
            run_loaded(scenario.with_markets(markets), folder, account, pace)
        runs[name] = read_results(folder)
    return runs, all(invariant.ok for results in runs.values() for invariant in results.run.invariants)


def run_loaded(
    scenario: Scenario,
    folder: Path,
    account: str | None,
    pace: Pace,
    ended: Callable[[int], None] = lambda _day: None,
    watch: Stopwatch | None = None,
) -> tuple[Path, Summary, Sequence[Check]]:
    """As `run_scenario`, of a scenario that is read."""
    watch = watch or Stopwatch("connect")
    chain = Chain.connected()
    community = Community(scenario)
    console.print(f"[bold]{scenario.config.title}[/] on {chain.network}", highlight=False)
    losses, last_day = 0, 0

    def day_ended(day: int) -> None:
        nonlocal losses, last_day
        if day > last_day:
            losses, last_day = 0, day
        ended(day)

    while True:
        try:
            watch.start("deploy")
            market = deploy_for(chain, community, folder, account, pace)
            outsider = _drive(community, market, folder, watch, day_ended)
            watch.start("reconcile")
            with console.status("comparing every balance with what the events say"):
                checks = outsider.reconcile()
                chain.await_final()
            blocks = chain.block
            break
        except BlocksLostError as lost:
            losses += 1
            if losses > _MOST_LOSSES:
                raise
            console.print(f"[yellow]{lost}[/]: asking it again from the start what is done", highlight=False)
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
        console.print(f"{len(refused)} messages to further markets refused, first: {refused[0]}", highlight=False)
    with console.status("drawing pictures"):
        outsider.finish(run)
        results = read_results(folder)
        summary = summarise(results)
        write_report(folder, results, summary)
    return folder, summary, checks


def deploy_for(
    chain: Chain,
    community: Community,
    folder: Path,
    account: str | None,
    pace: Pace,
    government: Government = SIMULATED,
) -> Market:
    """The scenario's market on a chain, deployed now or by an earlier run into the same folder."""
    keys = role_keys(chain, account)
    chain.wait_for_pending(keys.values())
    parameters = Parameters(
        admin=keys[ADMIN].address,
        calendar=pace.calendar(community.scenario, chain.now()),
        rules=community.scenario.rules(1),
        offices=community.offices,
        first_weekday=community.scenario.calendar.start.weekday(),
        intraday_lead=pace.intraday_lead(community.scenario),
        markets=markets_of(community.scenario),
        government=government,
    )
    with console.status("compiling and deploying the contracts"):
        return deploy(chain, keys, parameters, folder / MANIFEST)


def _drive(
    community: Community, market: Market, folder: Path, watch: Stopwatch, ended: Callable[[int], None]
) -> Outsider:
    """Run the days behind a progress bar that shows the simulated time; they are recomputed as they end."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[when]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("register", when="")

        def tell(what: str, when: datetime, steps: int) -> None:
            watch.start(what.partition(":")[0])
            bar.update(task, description=what, when=f"{when:%a %d %b %Y %H:%M}", completed=steps)

        driver = TradingDays(community, market, tell)
        bar.update(task, total=len(driver.timeline()))
        outsider = Outsider(driver, folder)
        for day in driver.run():
            watch.start("recompute and write")
            outsider.follow()
            ended(day)
        return outsider


def _rejected_orders(driver: TradingDays, replay: Replay, day: int) -> list[RejectedOrder]:
    """The orders of a day's sheets that the chain refused, as their senders made them, with the chain's reason."""
    reasons = {
        driver.community.names[sender]: driver.chain.artifacts.describe(reason)
        for (sender, _), reason in driver.operations.refused_sheets(day).items()
        if sender in driver.community.names
    }
    if not reasons:
        return []
    names = {id_: name for name, id_ in driver.ids.items()}
    return [
        RejectedOrder(
            participant=names[order.participant],
            slot=order.slot,
            side=order.side,
            tick=order.tick,
            energy=order.energy,
            reason=reasons[names[order.participant]],
        )
        for order in driver.orders(day, replay)
        if names[order.participant] in reasons
    ]
