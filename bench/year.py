"""A year in one run on one node: seconds and memory of every day, from the first to the last.

python bench/year.py      writes bench/year.csv, bench/year.svg and bench/year.md

The scenario is rural-year. Whatever follows `--` is for anvil instead of the usual flags.
"""

import argparse
import csv
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import ape
from host import FLAGS, Node, anvil, machine, memory_mb, processor_seconds
from matplotlib.figure import Figure

from dem.drive.pace import Pace
from dem.drive.run import run_scenario
from dem.report import write_report

HERE = Path(__file__).resolve().parent
SCENARIO = HERE.parent / "scenarios" / "rural-year"
MONTH = 30

TEXT = """# A year in one run

{title}: `ape run day scenarios/rural-year` on `{node}`. {days} days, each traded, read, settled, recomputed and written
before the next is over. A day's seconds are those between its end and the end of the day before, everything included.

![seconds and memory by day](year.svg)

| medians | first {month} days | last {month} days | all |
|---|--:|--:|--:|
| seconds a day | {seconds[0]:.2f} | {seconds[1]:.2f} | {seconds[2]:.2f} |
| of it the driver's processor | {driver_s[0]:.2f} | {driver_s[1]:.2f} | {driver_s[2]:.2f} |
| and the node's | {node_s[0]:.2f} | {node_s[1]:.2f} | {node_s[2]:.2f} |
| memory of the driver, MB | {driver_mb[0]:.0f} | {driver_mb[1]:.0f} | {driver_mb[2]:.0f} |
| memory of the node, MB | {node_mb[0]:.0f} | {node_mb[1]:.0f} | {node_mb[2]:.0f} |

{whole:,.0f} s in all, {rest:.0f} s of it before the first day and after the last. Every check holds: {checks}.

Written by `make bench-year` on {machine}, anvil {version}. The days one by one: [year.csv](year.csv).
"""


@dataclass(frozen=True, slots=True)
class Day:
    """Seconds since the end of the day before, by the clock and of the processor, and memory at the day's end, MB."""

    day: int
    seconds: float
    driver_s: float
    node_s: float
    driver_mb: int
    node_mb: int


def play(scenario: Path, node: Node, out: Path) -> tuple[list[Day], str, int]:
    """The days of a run; its title and how many checks hold."""
    days: list[Day] = []
    before = (time.monotonic(), time.process_time(), processor_seconds(node.pid))

    def ended(day: int) -> None:
        nonlocal before
        now = (time.monotonic(), time.process_time(), processor_seconds(node.pid))
        passed = (round(new - old, 3) for new, old in zip(now, before, strict=True))
        days.append(Day(day, *passed, memory_mb(os.getpid()), memory_mb(node.pid)))
        before = now

    with ape.networks.parse_network_choice(node.network):
        _, summary, checks = run_scenario(scenario, out, None, Pace(), write_report, ended=ended)
    failed = [check for check in checks if not check.ok]
    if failed:
        raise SystemExit(f"does not hold: {failed}")
    return days, summary.title, len(checks)


def draw(days: Sequence[Day], path: Path) -> None:
    """The two curves."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    numbers = [day.day for day in days]
    for name, label, colour in (
        ("seconds", "by the clock", "#2a8c7c"),
        ("driver_s", "driver's processor", "#4a77b4"),
        ("node_s", "node's processor", "#e3a02f"),
    ):
        above.plot(numbers[1:], [getattr(day, name) for day in days[1:]], ".", ms=3, color=colour, label=label)
    above.set(ylabel="seconds a day", ylim=(0, None), xlim=(1, len(days)))
    above.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    below.plot(numbers, [day.driver_mb for day in days], color="#4a77b4", label="driver")
    below.plot(numbers, [day.node_mb for day in days], color="#e3a02f", label="node")
    below.set(ylabel="memory, MB", xlabel="day", ylim=(0, None))
    below.legend(frameon=False)
    for axis in (above, below):
        axis.grid(color="#dfe4e8", lw=0.6)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    own, flags = sys.argv[1:], list(FLAGS)
    if "--" in own:
        own, flags = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    parser.add_argument("--out", type=Path, default=HERE, help="folder for year.csv, year.svg and year.md")
    arguments = parser.parse_args(own)
    started = time.monotonic()
    with TemporaryDirectory() as folder, anvil(*flags) as node:
        days, title, checks = play(arguments.scenario, node, Path(folder))
    whole = time.monotonic() - started
    with (arguments.out / "year.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Day.__slots__)
        writer.writerows([getattr(day, name) for name in Day.__slots__] for day in days)
    draw(days, arguments.out / "year.svg")
    # The first day's seconds hold the registration.
    later = days[1:]

    def medians(name: str) -> list[float]:
        values = [getattr(day, name) for day in later]
        return [median(values[:MONTH]), median(values[-MONTH:]), median(values)]

    text = TEXT.format(
        node=node.command,
        days=len(days),
        title=title,
        month=MONTH,
        **{name: medians(name) for name in Day.__slots__[1:]},
        whole=whole,
        rest=whole - sum(day.seconds for day in later),
        checks=checks,
        machine=machine(),
        version=node.version,
    )
    (arguments.out / "year.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
