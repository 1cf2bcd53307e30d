"""Seconds of the processor that a day takes by the reference model alone, without a chain.

python bench/model_day.py       writes bench/model_day.json and bench/model_day.md

Every day is played several times in one process, after a first time that does not count. The village's days follow
each other: each of them is forecast from days that are known, as in a run of a year.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from host import machine

from dem.community.scenario import Scenario, load_scenario
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.run import paid_without_trade
from dem.offchain.trading import Trading

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parent / "scenarios"
DAYS = 28
ROUNDS = 5

LIMITS = {"village": 0.02, "markets": 1.0}
"""Seconds that a day may take."""
BEFORE = {"village": 0.0411, "markets": 1.580}
"""Seconds of the helper of the tests that played days before: orders one by one, dense clearing, stores planned from
midnight in every session; it had no money, meters or settlement. Measured on the machine named in the introduction."""

TITLES = {
    "village": "village of 36, call auction",
    "nobody": "village of 36, nobody trades: bills alone",
    "markets": "village of 36, every market, 14 batteries or moved loads",
    "town": "town of 1,506, call auction",
}

INTRODUCTION = """# A day without a chain

`dem.offchain` plays a day by the reference model alone: orders, clearing, intraday sessions, meters, settlement, every
account. It ends with the tables of a run on a chain, byte for byte. Seconds of the processor by day, the median of
{rounds} rounds; of the village {days} days of rural-year in a row, else one day. Reading the scenario and writing the
tables are not counted. "Before" is what the tests used to play such a day, without money, meters and settlement.

Written by `make bench-model-day` on {machine}.

| a day of | s | at most | before | before / now |
|---|--:|--:|--:|--:|
"""


def days_of(scenario: Scenario) -> None:
    """All days, with everything but tables."""
    for _ in play(Trading(ModelMarket(scenario))):
        pass


def bills_of(scenario: Scenario) -> None:
    """All days as if nobody traded."""
    paid = paid_without_trade(scenario)
    for day in scenario.days:
        paid(day)


def seconds(scenario: Scenario, act: Callable[[Scenario], None], rounds: int) -> float:
    """Of the processor, by day."""
    act(scenario)
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        act(scenario)
        taken.append((time.process_time() - began) / len(scenario.days))
    return median(taken)


def measure() -> dict[str, float]:
    """Every row."""
    year = load_scenario(SCENARIOS / "rural-year")
    weeks = replace(year, config=year.config.model_copy(update={"calendar": _shorter(year)}))
    return {
        "village": seconds(weeks, days_of, ROUNDS),
        "nobody": seconds(weeks, bills_of, ROUNDS),
        "markets": seconds(load_scenario(SCENARIOS / "rural-markets"), days_of, ROUNDS),
        "town": seconds(load_scenario(SCENARIOS / "town"), days_of, 3),
    }


def _shorter(scenario: Scenario) -> Any:
    return scenario.calendar.model_copy(update={"days": DAYS})


def row(name: str, taken: float) -> str:
    """A line of the table."""
    limit, before = LIMITS.get(name), BEFORE.get(name)
    others = ["" if limit is None else f"{limit:g}"]
    others += ["", ""] if before is None else [f"{before:.3f}", f"{before / taken:.1f}"]
    return f"| {TITLES[name]} | {taken:.4f} | {' | '.join(others)} |"


def main() -> None:
    """Measure and write."""
    taken, host = measure(), machine()
    record = {"machine": host, "seconds": taken, "limits": LIMITS, "before": BEFORE}
    (HERE / "model_day.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    rows = [row(name, value) for name, value in taken.items()]
    text = INTRODUCTION.format(rounds=ROUNDS, days=DAYS, machine=host) + "\n".join(rows) + "\n"
    (HERE / "model_day.md").write_text(text, encoding="utf-8")
    print("\n".join(rows))
    if late := [name for name, limit in LIMITS.items() if taken[name] > limit]:
        raise SystemExit(f"slower than they may be: {', '.join(late)}")


if __name__ == "__main__":
    main()
