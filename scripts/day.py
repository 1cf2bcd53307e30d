"""Run the trading days of a scenario: from registration to money, checked and drawn."""

from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand, network_option

from dem.chain import reachable
from dem.cli import console, fail_readably, pace_options, print_checks, print_summary
from dem.plan import Pace
from dem.run import run_scenario


@click.command(cls=ConnectedProviderCommand, short_help="run the trading days of a scenario")
@network_option(callback=reachable)
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results; default out/<scenario>.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@pace_options
@fail_readably
def cli(scenario: Path, out: Path | None, account: str | None, pace: Pace) -> None:
    """Run the trading days of SCENARIO, a folder with a scenario.toml, on the connected network.

    Registers the community, publishes tariffs, relays signed orders, clears, pushes signed meter readings, settles,
    and then recomputes everything from the chain's events. After an interruption, start it again with the same --out
    (and the same chain): it goes on where it was.
    """
    folder, summary, checks = run_scenario(scenario, out, account, pace)
    print_summary(summary)
    print_checks(checks)
    console.print(f"\nTables in [bold]{folder}[/], pictures in [bold]{folder / 'report.html'}[/]")
    if not all(check.ok for check in checks):
        raise SystemExit(1)
