"""Say all that is wrong with a scenario, before anything runs."""

import re
from pathlib import Path

import click
from rich.markup import escape

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import InputError, Mistakes

_NUMBERS = re.compile(r"\d+")
_MOST_ALIKE = 3
"""So many mistakes are printed that differ in numbers alone."""


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
    alike: dict[tuple[str, str], list[InputError]] = {}
    for mistake in mistakes.found:
        # Where a whole column is wrong, one line says so.
        alike.setdefault((_NUMBERS.sub("", mistake.where), _NUMBERS.sub("", mistake.why)), []).append(mistake)
    for some in alike.values():
        for mistake in some[:_MOST_ALIKE]:
            _say("[bold red]wrong[/]", str(mistake))
        if len(some) > _MOST_ALIKE:
            _say("", f"      and {len(some) - _MOST_ALIKE} more like it")
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
