"""Say all that is wrong with a scenario, before anything runs."""

from pathlib import Path

import click
from rich.markup import escape

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import Mistakes


@click.command(short_help=ABOUT["check"])
@click.argument("folder", type=click.Path(path_type=Path))
@fail_readably
def cli(folder: Path) -> None:
    """Read the scenario in FOLDER and print everything that is wrong with it, with file, line, column and value.

    Notes are what it can run with, but had better not: deposits too small for the orders, short histories, tables
    outside of the folder. Ends with exit code 2 if anything is wrong. Needs no chain and writes nothing.
    """
    from dem.community.advice import advice
    from dem.community.scenario import examine

    mistakes = Mistakes(is_patient=True)
    scenario = examine(folder, mistakes)
    for mistake in mistakes.found:
        _say("[bold red]wrong[/]", str(mistake))
    if mistakes.found or scenario is None:
        _say("", f"{len(mistakes.found)} to mend in {folder}")
        raise SystemExit(2)
    for sentence in advice(scenario):
        _say("[yellow]note[/] ", sentence)
    calendar = scenario.calendar
    _say(
        "[green]ok[/]   ",
        f"{len(scenario.participants)} members, {calendar.days} days of {calendar.periods_per_day} periods from "
        f"{calendar.start} on: nothing is wrong",
    )


def _say(mark: str, sentence: str) -> None:
    console.print(f"{mark} {escape(sentence)}".strip(), highlight=False, soft_wrap=True)
