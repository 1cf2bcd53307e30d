"""Run the trading days of a scenario: from registration to money, checked and drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import Terminal, console, fail_readably, pace_options, print_checks, print_summary
from dem.drive.pace import Pace

if TYPE_CHECKING:
    from dem.replay.reconcile import Check
    from dem.results.reader import Results
    from dem.results.summary import Summary


@on_chain(short_help=ABOUT["day"])
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results; default out/<scenario>.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@click.option(
    "--no-chain", is_flag=True, help="Play by the reference model alone: no contracts, no keys, no --network."
)
@pace_options
@fail_readably
def cli(scenario: Path, out: Path | None, account: str | None, no_chain: bool, pace: Pace) -> None:
    """Run the trading days of SCENARIO, a folder with a scenario.toml, on the connected network.

    Registers the community, publishes tariffs, relays signed orders, clears, pushes signed meter readings, settles,
    and then recomputes everything from the chain's events. After an interruption, start it again with the same --out
    (and the same chain): it goes on where it was.

    With --no-chain the reference model alone plays the days: the same tables in a hundredth of the time, and no record
    that anybody could check. Every output says so.
    """
    if no_chain:
        from dem.drive.without_chain import run_without_chain

        show(*run_without_chain(scenario, out, draw, Terminal()))
    else:
        play(scenario, out, account, pace)


def play(scenario: Path, out: Path | None, account: str | None, pace: Pace) -> None:
    """Run a scenario on a chain and print what came of it."""
    from dem.drive.run import run_scenario

    show(*run_scenario(scenario, out, account, pace, draw, Terminal()))


def draw(folder: Path, results: "Results", summary: "Summary") -> Path:
    """Write the report of a run; what draws is loaded when there is something to draw."""
    from dem.report import write_report

    return write_report(folder, results, summary)


def show(folder: Path, summary: "Summary", checks: "Sequence[Check]") -> None:
    """Print what came of a run; exit code 1 if an invariant does not hold."""
    print_summary(summary)
    print_checks(checks)
    console.print(f"\nTables in [bold]{folder}[/], pictures in [bold]{folder / 'report.html'}[/]")
    if not all(check.ok for check in checks):
        raise SystemExit(1)
