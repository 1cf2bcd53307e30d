"""A day of four times as many customers asks for four times as much of driver and node, not for more.

Seconds say nothing on a machine that others use, so that requests, transactions, gas, blocks and what driver and node
use of a processor are compared. Strategy and reward are those that scenarios are shipped with.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pytest
from support.commands.hamlet import Hamlet
from support.commands.here import command
from support.commands.node import restartable
from support.commands.shell import no_picture

from dem.chain.transport import PatientProvider

FEW, MANY = 500, 2_000
MOST = 1.1
"""Times as much as customers there are more, as 10,000 may take 11 times what 1,000 take."""
PROCESSOR = 1.5
"""As much of a processor: it is told in hundredths of a second, and each block makes the node hash the whole state."""
SHIPPED = {
    'default = "zero_intelligence"': 'default = "quantile"',
    "first_day = 1\n": "first_day = 1\nreward_share = 5000\n",
}
FLAGS = ("--no-mining", "--prune-history", "--gas-limit", "3000000000")


@dataclass
class Work:
    """What a day took."""

    requests: int = 0
    transactions: int = 0
    gas: int = 0
    blocks: int = 0
    node_seconds: float = 0.0
    driver_seconds: float = 0.0


def play(customers: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A day of so many customers, and what it took."""
    plants = customers * 2 // 5
    scenario = Hamlet(consumers=customers - plants, plants=plants, credit=1_000_000).write(folder / "hamlet")
    config = scenario / "scenario.toml"
    text = config.read_text(encoding="utf-8")
    for plain, shipped in SHIPPED.items():
        assert plain in text
        text = text.replace(plain, shipped)
    config.write_text(text, encoding="utf-8")
    work = Work()
    ask, ask_many = PatientProvider.make_request, PatientProvider.make_batch_request

    def counted(self: PatientProvider, method: Any, params: Any) -> Any:
        work.requests += 1
        return ask(self, method, params)

    def counted_many(self: PatientProvider, requests: Sequence[Any], is_divisible: bool = False) -> Any:
        work.requests += len(requests)
        return ask_many(self, list(requests), is_divisible)

    with monkeypatch.context() as patched, restartable(*FLAGS) as node:
        patched.setattr(PatientProvider, "make_request", counted)
        patched.setattr(PatientProvider, "make_batch_request", counted_many)
        patched.setattr("dem.report.charts.render", no_picture)
        began = time.process_time()
        done = command("day", scenario, "--out", folder / "out", "--network", f"ethereum:local:{node.url}")
        assert done.exit_code == 0, done.output
        work.driver_seconds = time.process_time() - began
        work.node_seconds = node.processor_seconds
    run = json.loads((folder / "out" / "run.json").read_text(encoding="utf-8"))
    work.transactions, work.gas, work.blocks = run["transactions"], run["gas"]["all"], run["blocks"]
    return work


def test_nothing_grows_faster_than_the_work(tmp_path, monkeypatch):
    few, many = (play(customers, tmp_path / str(customers), monkeypatch) for customers in (FEW, MANY))
    times = MANY / FEW
    *counts, node, driver = (more / less for more, less in zip(astuple(many), astuple(few), strict=True))
    assert max(counts) <= MOST * times, (few, many)
    assert max(node, driver) <= PROCESSOR * times, (few, many)
