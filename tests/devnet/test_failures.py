"""A day on which nodes, connections and the driver fail, one after the other, ends as one on which nothing does.

The index that follows it has at last what an index made anew has.
"""

import json
import re
import time
from pathlib import Path

from support.commands.database import dump, rows
from support.commands.shell import Command
from support.devnet import ALIAS, Devnet, await_that, record, tables

from dem.model.calendar import CalendarParameters

PACE = ("--period-length", "4", "--setup-time", "120")
AWAY_SECONDS = 15.0
APART_SECONDS = 30.0
TAKEN_BACK = 3
"""Blocks: as many as may go before one is final."""
NETWORK = ("--network", "ethereum:devnet:node")
SIGKILL = -9


def manifest_of(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))


class Day:
    """A driver's day on the network, from outside."""

    def __init__(self, devnet: Devnet, operator: str, scenario: Path, out: Path) -> None:
        self.devnet, self.operator, self.out = devnet, operator, out
        self._words = ("day", scenario, "--out", out, "--account", ALIAS, *PACE, *NETWORK)

    def driver(self) -> Command:
        return Command(*self._words)

    def index(self, path: Path, *more: str) -> Command:
        return Command("index", self.out, "--out", path, *more, *NETWORK)

    def await_chain_time(self, when: int) -> None:
        await_that(f"time {when}", lambda: max(head.time for head in self.devnet.heads().values()) >= when)

    def await_progress(self, failure: str) -> None:
        """Until the driver's next transaction is in a block."""
        before = self.devnet.nonce(self.operator)
        seconds = await_that("a transaction", lambda: self.devnet.nonce(self.operator) > before)
        record(failure, "the driver's next transaction is in a block", seconds)

    def lose(self, number: int, failure: str) -> None:
        """Kill a node, and start it again a little later."""
        node = self.devnet.nodes[number - 1]
        node.kill()
        self.await_progress(failure)
        time.sleep(AWAY_SECONDS)
        began = time.monotonic()
        self.devnet.start_node(node)
        await_that("to rejoin", lambda: len({head.hash for head in self.devnet.heads().values()}) == 1)
        record(failure, "started again, it has the newest block of the others", time.monotonic() - began)

    def await_index(self, path: Path) -> float:
        """Until it has the newest block of every node."""
        heads = {(head.number, head.hash) for head in self.devnet.heads().values()}
        newest = "SELECT number, hash FROM header ORDER BY number DESC LIMIT 1"
        return await_that("the index", lambda: set(rows(path, newest)) == heads)


def replaced(followed: str) -> list[int]:
    """Blocks that the index took out, each time."""
    return [int(blocks) for blocks in re.findall(r", (\d+) blocks were replaced", followed)]


def test_a_day_of_failures_ends_as_on_the_embedded_chain(devnet, operator, scenario, embedded, tmp_path):
    day = Day(devnet, operator, scenario, tmp_path / "out")
    followed, fresh = tmp_path / "followed.sqlite", tmp_path / "fresh.sqlite"
    with day.driver() as driver:
        await_that("the first contract", lambda: devnet.nonce(operator) > 0)
        day.lose(4, "an authority is killed while contracts are deployed")
        await_that("the deployment", lambda: manifest_of(day.out)["complete"])

        with day.index(followed, "--follow") as follower:
            calendar = CalendarParameters(**manifest_of(day.out)["calendar"])
            day.await_chain_time(calendar.opens_at(1) - 1)
            day.lose(1, "the driver's node is killed as orders are due")

            day.await_chain_time(calendar.start_of(1))
            devnet.split(devnet.nodes[:2])
            time.sleep(APART_SECONDS)
            began = time.monotonic()
            devnet.connect()
            devnet.mend()
            failure = f"two authorities and two cannot reach each other for {APART_SECONDS:.0f} s"
            record(failure, "connected again, all have a new block", time.monotonic() - began)

            day.await_chain_time(calendar.start_of(2))
            driver.process.kill()
            assert driver.result().code == SIGKILL
            with day.driver() as driver:
                day.await_progress("the driver is killed as readings are due, and started again")
                devnet.take_back(TAKEN_BACK)
                day.await_progress(f"every node loses its last {TAKEN_BACK} blocks")
                result = driver.result()
            assert result.code == 0, result

            with devnet.standstill():
                day.await_index(followed)
                follower.process.kill()
                with day.index(fresh) as anew:
                    assert anew.result().code == 0
                assert dump(followed) == dump(fresh)
            took_out = replaced(follower.result().out)
            assert max(took_out) >= TAKEN_BACK, took_out
    assert tables(day.out) == tables(embedded)
