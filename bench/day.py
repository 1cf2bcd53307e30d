"""A whole trading day on one node, driver included: seconds, transactions, gas and memory by size of the community.

python bench/day.py 100 1000 10000      writes bench/day.json and bench/day.md

The communities are towns of `tools/town.py`; `ape run day` plays them on an anvil of their own, from the first
registration to the report. Whatever follows `--` is for anvil instead of the usual flags:
`python bench/day.py 1000 -- --prune-history` lets it seal a block for each transaction.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from host import FLAGS, anvil, machine, memory_mb, processor_seconds

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
PERIODS = 96
SEALING = ("--no-mining", "--gas-limit", "3000000000")
"""A block when the driver tells, with all there is: for every block anvil hashes the whole state. A block for every
transaction would cost it more than the transactions do. By the clock it is worse: a tick takes what is in the pool to
be sealed in its turn, so that once a block takes longer than the clock allows, blocks queue up, most of them empty."""

INTRODUCTION = """# A day on one node

`ape run day` plays one day of {periods} periods with a town made by `tools/town.py`, the driver's own work included: it
registers everybody, signs (which a community's members do on their own devices) and relays orders, clears, signs and
relays readings, settles, recomputes everything from the events, writes the tables, compares every balance, and draws
the report. The node is `{node}`; driver and node share the machine. All storage is written for the first time: later
days of a market take less gas.

Written by `make bench-day` on {machine}, anvil {version}.
"""
PHASES = {
    "start, read the scenario": ("start", "read the scenario"),
    "deploy": ("deploy",),
    "register": ("register",),
    "orders": ("publish tariffs", "submit orders"),
    "clearing": ("clear",),
    "readings": ("push readings", "close metering"),
    "settlement": ("settle", "finalize", "pay fund"),
    "recompute, write the tables": ("recompute and write",),
    "reconcile": ("done", "reconcile"),
    "draw the report": ("report",),
}
"""Steps of a run by the rows of the table, as run.json calls them up to a comma: what follows is a part of the step."""


def play(customers: int, flags: Sequence[str], folder: Path) -> dict[str, Any]:
    """One day of so many customers: what it took."""
    town, out = folder / "town", folder / "out"
    make = [sys.executable, PROJECT / "tools" / "town.py", "--customers", str(customers), "--out", town]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    with anvil(*flags) as node:
        ape = str(Path(sys.executable).with_name("ape"))
        command = [ape, "run", "day", str(town), "--out", str(out), "--network", node.network]
        started = time.monotonic()
        driver = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert driver.stdout is not None
        said = driver.stdout.read()
        _, status, usage = os.wait4(driver.pid, 0)
        seconds = time.monotonic() - started
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"{customers} customers: {' '.join(command)} failed:\n{said[-4000:]}")
        node_mb, node_seconds = memory_mb(node.pid, peak=True), processor_seconds(node.pid)
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    steps: dict[str, float] = defaultdict(float)
    for step, took in run["seconds"].items():
        steps[step.partition(",")[0]] += took
    steps["report"] = (out / "report.html").stat().st_mtime - (out / "run.json").stat().st_mtime
    known = {step for steps_of_row in PHASES.values() for step in steps_of_row}
    assert steps.keys() <= known, steps.keys() - known
    steps["start"] = seconds - sum(steps.values())
    return {
        "customers": customers,
        "seconds": {row: round(sum(steps[step] for step in names), 2) for row, names in PHASES.items()},
        "all_seconds": round(seconds, 1),
        "driver_cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "node_cpu_seconds": round(node_seconds, 1),
        "transactions": run["transactions"],
        "blocks": run["blocks"],
        "gas": run["gas"]["all"],
        "driver_mb": usage.ru_maxrss // 1024,
        "node_mb": node_mb,
        "node": node.command,
        "anvil": node.version,
    }


def table(days: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A row for each phase, a column for each size, and how much the largest takes of one a tenth of it."""
    sizes = {day["customers"]: day for day in days}
    grown = [(size, 10 * size) for size in sizes if 10 * size in sizes]
    heads = [f"{size:,}" for size in sizes] + [f"{many:,} / {few:,}" for few, many in grown]
    yield f"| customers | {' | '.join(heads)} |"
    yield "|---|" + "--:|" * len(heads)

    def row(name: str, values: dict[int, float], digits: int) -> str:
        cells = [f"{value:,.{digits}f}" for value in values.values()]
        cells += [f"{values[many] / values[few]:.1f}" if values[few] else "" for few, many in grown]
        return f"| {name} | {' | '.join(cells)} |"

    for phase in PHASES:
        yield row(f"{phase}, s", {size: day["seconds"][phase] for size, day in sizes.items()}, 1)
    yield row("**all, s**", {size: day["all_seconds"] for size, day in sizes.items()}, 1)
    yield row("of it the driver's processor, s", {size: day["driver_cpu_seconds"] for size, day in sizes.items()}, 1)
    yield row("the node's processor, s", {size: day["node_cpu_seconds"] for size, day in sizes.items()}, 1)
    yield row("blocks", {size: day["blocks"] for size, day in sizes.items()}, 0)
    yield row("transactions", {size: day["transactions"] for size, day in sizes.items()}, 0)
    yield row("gas, million", {size: day["gas"] / 1e6 for size, day in sizes.items()}, 0)
    per = {size: day["gas"] / size / PERIODS for size, day in sizes.items()}
    yield row("gas per customer and period", per, 0)
    yield row("peak memory of the driver, MB", {size: day["driver_mb"] for size, day in sizes.items()}, 0)
    yield row("peak memory of the node, MB", {size: day["node_mb"] for size, day in sizes.items()}, 0)


def main() -> None:
    own, flags = sys.argv[1:], [*FLAGS, *SEALING]
    if "--" in own:
        own, flags = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("customers", type=int, nargs="+", help="sizes of the communities")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for day.json and day.md")
    arguments = parser.parse_args(own)
    days = []
    for customers in arguments.customers:
        with TemporaryDirectory() as folder:
            days.append(play(customers, flags, Path(folder)))
        print(json.dumps(days[-1]), flush=True)
    text = INTRODUCTION.format(periods=PERIODS, node=days[0]["node"], machine=machine(), version=days[0]["anvil"])
    record = {"machine": machine(), "days": days}
    (arguments.out / "day.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "day.md").write_text("\n".join((text, *table(days))) + "\n", encoding="utf-8")
    print("\n".join(table(days)))


if __name__ == "__main__":
    main()
