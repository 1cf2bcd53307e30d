"""The commands as a user gives them, `ape run ...`, each in a process of its own with the project as working directory.

ape takes seconds to load. A server process loads it once (`preloaded.py`), and every command is forked from there:
arguments, exit code, output and signals are those of a command from the shell, which `typed` starts the slow way.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from dem.report.style import Picture
from support import PROJECT

EMBEDDED = ("--network", "ethereum:local:test")
TIMEOUT = 900.0
"""Seconds; for a command that hangs, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def run(*arguments: str | Path, timeout: float = TIMEOUT, prepare: Callable[[], object] = int) -> Result:
    """`ape run ARGUMENTS`, awaited; prepare: see `Command`."""
    with Command(*arguments, prepare=prepare) as command:
        return command.result(timeout)


def without_pictures() -> None:
    """Let the report of a run have none: they take most of the time of a small day.

    For runs whose pages nobody looks at. Each kind of run is drawn by some test.
    """
    charts = import_module("dem.report.charts")
    charts.render = no_picture


def no_picture(_name: str, _draw: object) -> Picture:
    """In place of `dem.report.charts.render`."""
    return Picture(wide="", narrow="")


def typed(*arguments: str | Path) -> Result:
    """`ape run ARGUMENTS` by the installed program."""
    program = Path(sys.executable).with_name("ape")
    words = [str(program), "run", *map(str, arguments)]
    done = subprocess.run(words, cwd=PROJECT, env=_environment(), capture_output=True, text=True, timeout=TIMEOUT)
    return Result(done.returncode, done.stdout, done.stderr)


@dataclass(slots=True)
class Command:
    """A command under way; a context that kills what still runs at its end."""

    process: ForkServerProcess = field(init=False)
    _outputs: "TemporaryDirectory[str]" = field(init=False)

    def __init__(self, *arguments: str | Path, prepare: Callable[[], object] = int) -> None:
        """prepare: done in the process before the command; a function of a module."""
        self._outputs = TemporaryDirectory()
        words = ["ape", "run", *map(str, arguments)]
        self.process = _server().Process(target=_run, args=(words, self._outputs.name, prepare))
        self.process.start()

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()
        self._outputs.cleanup()

    def result(self, timeout: float = TIMEOUT) -> Result:
        """Wait until it ends by itself or is killed."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise TimeoutError(f"{self.process.name} runs for more than {timeout} s")
        out, err = (Path(self._outputs.name, name).read_text(errors="replace") for name in ("out", "err"))
        return Result(self.process.exitcode, out, err)


@cache
def _server() -> ForkServerContext:
    """Started with the folder of this package on its path, which multiprocessing does not tell it."""
    os.environ.update(_environment())
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.commands.preloaded"])
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(PROJECT / "tests"), *filter(None, [path])])
    forkserver.ensure_running()
    if path is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = path
    return context


def _environment() -> dict[str, str]:
    """Plain text, whatever terminal the tests are run in."""
    return {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"}


def _run(words: Sequence[str], outputs: str, prepare: Callable[[], object]) -> None:
    """Become the command."""
    prepare()
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(outputs, name), os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(PROJECT)
    sys.path = [entry for entry in sys.path if not Path(entry).is_relative_to(PROJECT / "tests")]
    sys.argv = list(words)
    from ape._cli import cli

    cli()
