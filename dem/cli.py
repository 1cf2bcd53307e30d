"""What all commands share: the console, readable errors, tables."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dem.changes import figures, sentences
from dem.compare import Comparison
from dem.errors import DemError
from dem.plan import Pace
from dem.reconcile import Check
from dem.summary import Summary

P = ParamSpec("P")
R = TypeVar("R")

_WIDEST = 200
console = Console()
_errors = Console(stderr=True)


def fail_readably(command: Callable[P, R]) -> Callable[P, R]:
    """End a command with a message and exit code 2, not with a traceback, where the input or the chain is at fault."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DemError as error:
            message = str(error)
        except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
            message = f"{error.filename}: {error.strerror}"
        _errors.print("[bold red]error:[/]", escape(message), highlight=False, soft_wrap=True)
        raise SystemExit(2)

    return wrapped


def pace_options(command: Callable[..., R]) -> Callable[..., R]:
    """Options of a command that deploys a market, as its argument `pace`."""

    @click.option("--period-length", type=click.IntRange(1), help="Seconds of a delivery period on the chain.")
    @click.option(
        "--setup-time",
        type=click.IntRange(1),
        default=Pace().setup_seconds,
        show_default=True,
        help="Seconds on the chain for deploying and registering, before the first auction opens.",
    )
    @wraps(command)
    def wrapped(*args: Any, period_length: int | None, setup_time: int, **kwargs: Any) -> R:
        return command(*args, pace=Pace(period_length, setup_time), **kwargs)

    return wrapped


def print_summary(summary: Summary) -> None:
    """The headline figures of a run."""
    table = Table(title=summary.title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for label, figure in summary.rows():
        table.add_row(label, figure)
    console.print(table)


def print_comparison(comparison: Comparison) -> None:
    """Set-ups beside each other, what changed from the first to the last, and what must hold."""
    rows = [
        [f"[bold]{what}[/]", *[""] * len(comparison.set_ups)] if not cells else [what, *cells]
        for what, cells in figures(comparison)
    ]
    print_table("", ["", *(escape(set_up.name) for set_up in comparison.set_ups)], rows, figures=True)
    for sentence in sentences(comparison):
        console.print(f"- {escape(sentence)}", highlight=False, soft_wrap=True)
    console.print()
    print_checks(comparison.checks)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], figures: bool = False) -> None:
    """A table of text, as wide as its content: piped into a file it keeps its columns. figures: to the right."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1) if figures else 0)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="right" if figures and number else "left")
    for row in rows:
        table.add_row(*row)
    width = Console(width=_WIDEST).measure(table).maximum
    Console(width=max(console.width, width)).print(table)


def print_checks(checks: Iterable[Check]) -> None:
    """The invariants, one line each."""
    for check in checks:
        mark = "[green]ok[/]    " if check.ok else "[bold red]BROKEN[/]"
        console.print(f"{mark} {check.name} ({check.detail})", highlight=False, soft_wrap=True)
