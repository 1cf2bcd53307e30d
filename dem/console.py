"""What all commands share: the console, readable errors, tables, the progress of a run.

Every command loads this, so it loads nothing that takes time: see `dem.commands`.
"""

import errno
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.status import Status
from rich.table import Table

from dem.drive.pace import Pace
from dem.drive.screen import Screen
from dem.errors import DemError

if TYPE_CHECKING:
    from dem.replay.reconcile import Check
    from dem.results.summary import Summary

P = ParamSpec("P")
R = TypeVar("R")

DEMO = Path(__file__).with_name("scenarios") / "rural-sunday"
"""The scenario of the demo, which comes with the package."""
_WIDEST = 200
_ADVICE = {
    errno.ENOSPC: ": make room on the disk, or name a folder on another one",
    errno.EROFS: ": name a folder that can be written",
    errno.EACCES: ": name a folder that can be written",
}
console = Console()
_errors = Console(stderr=True)


_GOES_ON = "the same command with the same folder goes on where it was, as long as the chain is there"
_RESUMABLE = ("day", "clear", "compare", "deploy", "index", "demo", "study")


def fail_readably(command: Callable[P, R]) -> Callable[P, R]:
    """End a command with a message and exit code 2, not with a traceback, where input, machine or chain is at fault."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            name = command.__module__.rpartition(".")[2]
            _errors.print(f"stopped: {_GOES_ON}" if name in _RESUMABLE else "stopped", highlight=False, soft_wrap=True)
            raise SystemExit(130) from None
        except DemError as error:
            message = str(error)
        except UnicodeError as error:
            message = f"a file is not UTF-8: save it as UTF-8 ({error})"
        except OSError as error:
            message = _of_the_system(error)
        except Exception as error:
            if (said := _of_a_database(error)) is None:
                raise
            message = f"the database cannot be used: {said}"
        _errors.print("[bold red]error:[/]", escape(message), highlight=False, soft_wrap=True)
        raise SystemExit(2)

    return wrapped


def _of_a_database(error: Exception) -> str | None:
    """What it says; None if the error is none of a database. Who loads this may never need one."""
    if "sqlalchemy.exc" in sys.modules:
        from sqlalchemy.exc import DBAPIError

        from dem.index.database import said

        if isinstance(error, DBAPIError):
            return said(error)
    return str(error) if isinstance(error, sqlite3.Error) else None


def _of_the_system(error: OSError) -> str:
    from requests import RequestException

    if isinstance(error, RequestException):
        return f"no node answers: see whether it runs and can be reached ({type(error).__name__})"
    return f"{error.filename or 'the system'}: {error.strerror or error}{_ADVICE.get(error.errno or 0, '')}"


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


class Terminal(Screen):
    """Shows a run on the console: a bar with the simulated time, notes and warnings.

    Where the console is no terminal, each step is a line, printed when it begins.
    """

    def __init__(self) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[when]}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("", when="")
        self._status: Status | None = None
        self._said = ""

    def title(self, title: str, where: str) -> None:
        console.print(f"[bold]{escape(title)}[/] {escape(where)}", highlight=False)

    def note(self, text: str) -> None:
        console.print(escape(text), highlight=False)

    def warn(self, text: str) -> None:
        console.print(f"[yellow]{escape(text)}[/]", highlight=False)

    def busy(self, what: str) -> AbstractContextManager[object]:
        if not console.is_terminal:
            self.note(what)
            return nullcontext()
        self._status = console.status(what)
        return self._status

    def part(self, what: str, done: int, whole: int) -> None:
        text = f"{what}: {done:,} of {whole:,}" if whole else what
        if self._status is None:
            self.note(text)
        else:
            self._status.update(escape(text))

    @contextmanager
    def days(self) -> Iterator[None]:
        if not console.is_terminal:
            self.note("register")
            yield
            return
        self._bar.reset(self._task, description="register", when="")
        with self._bar:
            yield

    def steps(self, number: int) -> None:
        self._bar.update(self._task, total=number)

    def step(self, what: str, when: datetime, done: int) -> None:
        if not console.is_terminal:
            total = self._bar.tasks[self._task].total or 0
            if what != self._said:
                self.note(f"{when:%Y-%m-%d %H:%M} {what} ({done} of {total:.0f})")
            self._said = what
            return
        self._bar.update(self._task, description=what, when=f"{when:%a %d %b %Y %H:%M}", completed=done)


class StudyProgress:
    """How far a study is and how long it will take; a line now and then where the console is no terminal."""

    _SECONDS_BETWEEN = 10.0

    def __init__(self) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
        )
        self._bar = Progress(*columns, console=console)
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int]] = {}
        self._said = 0.0

    def __enter__(self) -> "StudyProgress":
        if console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def told(self, what: str, done: int, whole: int) -> None:
        """So much of something is done."""
        now = time.monotonic()
        if console.is_terminal:
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what)
            self._bar.update(self._tasks[what], completed=done, total=whole)
            return
        began, before = self._began.setdefault(what, (now, done))
        if done < whole and now - self._said < self._SECONDS_BETWEEN:
            return
        self._said = now
        left = f", {(now - began) * (whole - done) / (done - before):.0f} s left" if before < done < whole else ""
        console.print(f"{what}: {done:,} of {whole:,}{left}", highlight=False)


def print_summary(summary: "Summary") -> None:
    """The headline figures of a run."""
    table = Table(title=summary.title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for label, figure in summary.rows():
        table.add_row(label, figure)
    console.print(table)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], figures: bool = False) -> None:
    """A table of text, as wide as its content: piped into a file it keeps its columns. figures: to the right."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1) if figures else 0)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="right" if figures and number else "left")
    for row in rows:
        table.add_row(*row)
    width = Console(width=_WIDEST).measure(table).maximum
    Console(width=max(console.width, width)).print(table)


def print_checks(checks: "Iterable[Check]") -> None:
    """The invariants, one line each."""
    for check in checks:
        mark = "[green]ok[/]    " if check.ok else "[bold red]BROKEN[/]"
        console.print(f"{mark} {check.name} ({check.detail})", highlight=False, soft_wrap=True)
