"""Seconds of the processor until a command begins: its help, and the refusal of an input that is not there.

python bench/start.py     writes bench/start.md
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from host import machine

from dem.commands import ABOUT

HERE = Path(__file__).resolve().parent
TIMES = 5

NOTHING = "none"
"""A file or folder that is not there."""
INPUTS = {
    "check": ("check", NOTHING),
    "scenario new": ("scenario", "new", "my", "--meters", NOTHING, "--timezone", "Europe/Berlin"),
    "meters show": ("meters", "show", NOTHING),
    "clear --no-chain": ("clear", NOTHING, "--no-chain", "--out", "out"),
    "day --no-chain": ("day", NOTHING, "--no-chain"),
    "compare --no-chain": ("compare", NOTHING, "--no-chain", "--out", "out"),
    "study --no-chain": ("study", NOTHING, "--no-chain"),
    "grid check": ("grid", "check", NOTHING),
    "report": ("report", NOTHING),
    "bill": ("bill", NOTHING),
    "day, on a chain": ("day", NOTHING),
}
YARDSTICKS = {"nothing": "pass", "import numpy": "import numpy", "import pandas": "import pandas"}

TEXT = """# What a command costs before it begins

Seconds of the processor, user and system, medians of {times}. Whatever runs beside it makes them larger, so Python and
two libraries, started in turn with the commands, stand beside them.

| Python that does | s |
|---|--:|
{yardsticks}

| `dem` with an input that is not there, which it refuses | s |
|---|--:|
{inputs}

| help of | s |
|---|--:|
{helps}

What reads the tables of a run (`report`, `bill`, `grid check`, `compare`, `study`) loads pandas for it. `ape run` loads
ape before any of it: `ape run day --help` takes {ape:.2f} s, `ape --help` {bare:.2f} s. Which libraries a command
loads is held by `tests/scripts/test_start.py`.

Written by `make bench-start` on {machine}.
"""


def seconds(words: Sequence[str | Path], folder: Path) -> float:
    """Of the processor, that a process takes from its start to its end."""
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime


def rows(measured: dict[str, list[float]], code: bool = True) -> str:
    """Of a table."""
    mark = "`" if code else ""
    return "\n".join(f"| {mark}{name}{mark} | {median(own):.2f} |" for name, own in measured.items())


def main() -> None:
    """Measure all of it in turn, so that a busy minute falls on everything."""
    programs = Path(sys.executable).parent
    dem, ape = programs / "dem", programs / "ape"
    kinds: list[dict[str, Sequence[str | Path]]] = [
        {name: (sys.executable, "-c", code) for name, code in YARDSTICKS.items()},
        {name: (dem, *words) for name, words in INPUTS.items()},
        {name: (dem, name, "--help") for name in ABOUT},
        {"day": (ape, "run", "day", "--help"), "bare": (ape, "--help")},
    ]
    measured: list[dict[str, list[float]]] = [{name: [] for name in own} for own in kinds]
    with TemporaryDirectory() as folder:
        for _ in range(TIMES):
            for own, into in zip(kinds, measured, strict=True):
                for name, words in own.items():
                    where = HERE.parent if words[0] == ape else Path(folder)
                    into[name].append(seconds(words, where))
    yardsticks, inputs, helps, apes = measured
    text = TEXT.format(
        times=TIMES,
        yardsticks=rows(yardsticks, code=False),
        inputs=rows(inputs),
        helps=rows(helps),
        ape=median(apes["day"]),
        bare=median(apes["bare"]),
        machine=machine(),
    )
    (HERE / "start.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
