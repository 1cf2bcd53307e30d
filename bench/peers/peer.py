"""What the peers of bench/clearing.py have in common.

Each peer is a script with an environment of its own, locked beside it. One book comes in on stdin and one result goes
out on stdout, as JSON; only the peer's own clearing is timed, on orders that are already in the form it takes.
"""

import json
import signal
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar

REPEATS = 15
ENOUGH = 10
"""Seconds after which a clearing is not repeated any more."""

Prepared = TypeVar("Prepared")
Cleared = TypeVar("Cleared")


class Row(NamedTuple):
    """An order as the peers get it: bid or ask, limit in ticks, energy in Wh."""

    is_bid: bool
    tick: int
    energy: int


class Outcome(NamedTuple):
    """Price of buyers and of sellers in ticks (None: nothing trades), energy sold in Wh, welfare in ticks x Wh."""

    prices: tuple[float, float] | None
    volume: float
    welfare: float


def measure(
    prepare: Callable[[], Prepared], clear: Callable[[Prepared], Cleared], limit: int
) -> tuple[dict[str, float], Cleared]:
    """Median seconds of repeated clearings, and what they result in.

    A clearing of more than `limit` seconds ends the process by SIGALRM, inside a library's compiled code as well.
    """
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        prepared = prepare()
        signal.alarm(limit)
        began = time.perf_counter()
        cleared = clear(prepared)
        seconds.append(time.perf_counter() - began)
        signal.alarm(0)
    return {"seconds": statistics.median(seconds), "repeats": len(seconds)}, cleared


def main(
    package: str,
    prepare: Callable[[list[Row]], Any],
    clear: Callable[[Any], Any],
    outcome: Callable[[list[Row], Any], Outcome],
) -> None:
    """Clear the book on stdin as often as `measure` does; how long it took and its outcome go to stdout."""
    given = json.load(sys.stdin)
    rows = [Row(*row) for row in given["rows"]]
    timing, cleared = measure(lambda: prepare(rows), clear, given["limit"])
    versions = {name: version(name) for name in (package, "numpy")}
    print(json.dumps(timing | outcome(rows, cleared)._asdict() | {"versions": versions}))
