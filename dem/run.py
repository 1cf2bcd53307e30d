"""One run of a scenario, end to end: deploy, drive the days, recompute, write, draw."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dem.chain import Chain
from dem.cli import console
from dem.day import Community, TradingDays, calendar_for
from dem.deployment import ADMIN, Market, deploy, role_keys
from dem.exports import Exporter, RejectedOrder
from dem.history import write_history
from dem.plan import Parameters
from dem.reconcile import Check, reconcile
from dem.replay import Replay
from dem.report import write_report
from dem.scenario import load_scenario

MANIFEST = "manifest.json"


def run_scenario(
    scenario_folder: Path, out: Path | None, account: str | None, period_length: int | None
) -> tuple[Path, Sequence[Check]]:
    """Run a scenario on the connected chain; returns the output folder and the invariants checked.

    Raises:
        InputError: the scenario is faulty.
        ChainError: the chain refuses, or the folder holds a run on another chain.
    """
    started = time.monotonic()
    scenario = load_scenario(scenario_folder)
    folder = out or Path("out") / scenario.config.name
    chain = Chain.connected()
    community = Community(scenario)
    console.print(f"[bold]{scenario.config.title}[/] on {chain.network}", highlight=False)
    market = deploy_for(chain, community, folder, account, period_length)
    driver = _drive(community, market)
    with console.status("recomputing everything from the events"):
        history = driver.operations.history()
        write_history(folder, history)
        replay = Replay.of(history.events, history.periods_per_day)
        checks = reconcile(replay, history.balances)
    run = {
        "network": chain.network,
        "blocks": chain.block,
        "transactions": chain.transactions,
        "gas": {"all": chain.gas_used, "largest_transaction": chain.most_gas},
        "seconds": round(time.monotonic() - started, 1),
        "invariants": [asdict(check) for check in checks],
    }
    with console.status("writing tables and pictures"):
        rejected = _rejected_orders(driver)
        Exporter(scenario, replay, community.names, rejected, folder).write(run)
        write_report(folder)
    return folder, checks


def deploy_for(
    chain: Chain, community: Community, folder: Path, account: str | None, period_length: int | None
) -> Market:
    """The scenario's market on a chain, deployed now or by an earlier run into the same folder."""
    keys = role_keys(chain, account)
    chain.wait_for_pending(keys.values())
    parameters = Parameters(
        admin=keys[ADMIN].address,
        calendar=calendar_for(community.scenario, chain.now(), period_length),
        rules=community.scenario.rules(1),
        offices=community.offices,
    )
    with console.status("compiling and deploying the contracts"):
        return deploy(chain, keys, parameters, folder / MANIFEST)


def _drive(community: Community, market: Market) -> TradingDays:
    """Run the days behind a progress bar that shows the simulated time."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[when]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("register", when="")

        def tell(what: str, when: datetime) -> None:
            bar.update(task, description=what, when=f"{when:%a %d %b %Y %H:%M}", advance=0 if what == "waiting" else 1)

        driver = TradingDays(community, market, tell)
        bar.update(task, total=len(driver.timeline()) + 1)
        driver.run()
        return driver


def _rejected_orders(driver: TradingDays) -> list[RejectedOrder]:
    """The orders of the sheets that the chain refused, as their senders made them, with the chain's reason."""
    reasons = {
        (driver.community.names[sender], day): reason
        for day in driver.scenario.days
        for (sender, _), reason in driver.operations.refused_sheets(day).items()
        if sender in driver.community.names
    }
    names = {id_: name for name, id_ in driver.ids.items()}
    return [
        RejectedOrder(
            participant=names[order.participant],
            side=order.side,
            day=day,
            slot=order.slot,
            tick=order.tick,
            energy=order.energy,
            reason=driver.chain.artifacts.describe(reasons[names[order.participant], day]),
        )
        for day in sorted({day for _, day in reasons})
        for order in driver.scenario.orders(day, driver.ids)
        if (names[order.participant], day) in reasons
    ]
