"""The commands as a user gives them, `ape run ...`, each in a process of its own with the project as working directory.

ape takes seconds to load. A server process loads it once, and every command is forked from there: arguments, exit code,
output and signals are those of a command from the shell, which `typed` starts the slow way.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from support import PROJECT

EMBEDDED = ("--network", "ethereum:local:test")
TIMEOUT = 240.0
_PRELOADED = (
    *("ape._cli", "ape_run._cli", "ape_accounts", "ape_ethereum", "ape_node", "ape_solidity", "ape_foundry", "ape_pm"),
    *(
        "ape_test",
        "dem.deployment.access",
        "dem.drive.book",
        "dem.drive.run",
        "eth_tester",
        "eth.vm.forks",
        "matplotlib.pyplot",
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def run(*arguments: str | Path, timeout: float = TIMEOUT) -> Result:
    """`ape run ARGUMENTS`, awaited."""
    with Command(*arguments) as command:
        return command.result(timeout)


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
    os.environ.update(_environment())
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
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
