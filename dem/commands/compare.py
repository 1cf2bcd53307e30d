"""Play the days of a scenario under every set-up of the market, and compare."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.commands.day import draw
from dem.console import Terminal, console, fail_readably, pace_options, print_checks, print_table
from dem.drive.pace import Pace

if TYPE_CHECKING:
    from dem.results.compare import Comparison


@on_chain(short_help=ABOUT["compare"])
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; each set-up gets one in it.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@click.option(
    "--gallery",
    is_flag=True,
    is_eager=True,
    help="Every design of the field instead, on one page, in seconds: as with --no-chain.",
)
@click.option(
    "--no-chain",
    is_flag=True,
    callback=lambda context, _option, given: given or context.params["gallery"],
    help="Play by the reference model alone: no contracts, no keys, no --network.",
)
@pace_options
@fail_readably
def cli(scenario: Path, out: Path, account: str | None, gallery: bool, no_chain: bool, pace: Pace) -> None:
    """Run SCENARIO under each set-up that it describes, from the fallback tariffs alone to all markets at once.

    Every set-up is a market of its own, deployed anew on the connected network. After an interruption, start it again
    with the same --out (and the same chain): set-ups that are done are not played again.

    Beside them stands what the day costs if nobody trades under the same rules, played without a chain.

    With --gallery also sharing after the fact, intermediaries of each kind and an island are played, and one page says
    which design is best for whom.
    """
    from dem.drive.set_ups import run_set_ups

    screen, play = Terminal(), None
    if gallery:
        show_gallery(scenario, out, screen)
        return
    if not no_chain:
        from dem.drive.run import run_loaded

        play = partial(run_loaded, account=account, pace=pace, draw=draw, screen=screen)
    runs, all_hold = run_set_ups(scenario, out, draw, play, screen)
    from dem.report import write_comparison

    comparison, page = write_comparison(out, runs)
    print_comparison(comparison)
    console.print(f"\nTables in the folders of [bold]{out}[/], pictures in [bold]{page}[/]")
    if not all_hold:
        raise SystemExit(1)


def show_gallery(scenario: Path, out: Path, screen: Terminal) -> None:
    """Play every design, write the page and print its answers."""
    from dem.community.scenario import load_scenario
    from dem.lab.gallery import gallery

    found = gallery(load_scenario(scenario), screen.note)
    from dem.report.gallery import answers, figures, write_gallery

    page = write_gallery(out, found)
    columns, rows = figures(found)
    print_table("", ["", *columns], [[escape(name), *cells] for name, cells in rows], figures=True)
    for name, why in found.left_out.items():
        console.print(f"- {escape(name)}: not played, it {escape(why)}", highlight=False, soft_wrap=True)
    for answer in answers(found):
        console.print(f"- {escape(answer)}", highlight=False, soft_wrap=True)
    console.print(f"\nFigures in [bold]{out}/gallery.csv[/], pictures in [bold]{page}[/]")


def print_comparison(comparison: "Comparison") -> None:
    """Set-ups beside each other, what changed from the first to the last, and what must hold."""
    from dem.results.changes import figures, sentences

    rows = [
        [f"[bold]{what}[/]", *[""] * len(comparison.set_ups)] if not cells else [what, *cells]
        for what, cells in figures(comparison)
    ]
    print_table("", ["", *(escape(set_up.name) for set_up in comparison.set_ups)], rows, figures=True)
    for sentence in sentences(comparison):
        console.print(f"- {escape(sentence)}", highlight=False, soft_wrap=True)
    console.print()
    print_checks(comparison.checks)
