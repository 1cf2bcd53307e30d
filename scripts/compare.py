"""Play the days of a scenario under every set-up of the market, and compare."""

from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand, network_option

from dem.chain import reachable
from dem.cli import console, fail_readably, pace_options, print_comparison
from dem.plan import Pace
from dem.report import write_comparison
from dem.run import run_set_ups


@click.command(cls=ConnectedProviderCommand, short_help="compare a scenario's days under every kind of market")
@network_option(callback=reachable)
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; each set-up gets one in it.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@pace_options
@fail_readably
def cli(scenario: Path, out: Path, account: str | None, pace: Pace) -> None:
    """Run SCENARIO under each set-up that it describes, from the fallback tariffs alone to all markets at once.

    Every set-up is a market of its own, deployed anew on the connected network. After an interruption, start it again
    with the same --out (and the same chain): set-ups that are done are not played again.
    """
    runs, all_hold = run_set_ups(scenario, out, account, pace)
    comparison, page = write_comparison(out, runs)
    print_comparison(comparison)
    console.print(f"\nTables in the folders of [bold]{out}[/], pictures in [bold]{page}[/]")
    if not all_hold:
        raise SystemExit(1)
