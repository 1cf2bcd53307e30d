"""A live market on one node: every service is killed in turn while days go on, and a newcomer joins and is settled."""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.commands.hamlet import Hamlet, long_auctions
from support.commands.shell import Command, run

from dem.devnet.live.service import Live, Service
from dem.devnet.live.town import Town
from dem.errors import DemError
from dem.relay.history import of_market
from dem.replay.reconcile import reconcile

DAY_SECONDS, SETUP_SECONDS = 72, 60
SECONDS = 1_200.0
"""For what takes minutes on a machine that has nothing else to do."""
PORTS = 40


def free_ports() -> int:
    """The first of some ports in a row that nobody listens at."""
    for first in range(21_000, 31_000, 500):
        try:
            for port in range(first, first + PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no ports are free")


def await_that(what: str, holds: Callable[[], bool]) -> None:
    """Whatever does not answer meanwhile is asked again."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if holds():
                return
            reason = "not yet"
        except (DemError, OSError, sqlite3.Error) as error:
            reason = str(error)
        assert time.monotonic() < deadline, f"{what}: {reason}"
        time.sleep(1)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Days of about a minute of real time, most of which an auction is open."""
    scenario = long_auctions(Hamlet().write(tmp_path / "hamlet"))
    market = Live(Town(tmp_path / "live", free_ports()), DAY_SECONDS, SETUP_SECONDS)
    options = ("--day-minutes", str(DAY_SECONDS / 60), "--setup-time", str(SETUP_SECONDS))
    try:
        result = run("live", "start", scenario, "--out", market.town.folder, "--port", str(market.town.port), *options)
        assert result.code == 0, result.out + result.err
        yield market
    finally:
        market.stop()


def days(live: Live, which: str) -> list[int]:
    """Days of the index of which something holds."""
    with closing(sqlite3.connect(f"file:{live.town.index}?mode=ro", uri=True)) as index:
        return [day for (day,) in index.execute(f"SELECT day FROM days WHERE {which} ORDER BY day")]


def traded(live: Live) -> list[int]:
    """Days with trades."""
    return days(live, "volume_kwh > 0")


def kill_and_start(service: Service) -> None:
    pid = service.pid
    assert pid is not None, f"{service.name} does not run: {service.log.read_text(errors='replace')[-2_000:]}"
    os.kill(pid, signal.SIGKILL)
    await_that(f"{service.name} ends", lambda: service.pid is None)
    service.start()


def test_a_market_whose_services_are_all_killed_in_turn_goes_on(live: Live, tmp_path: Path) -> None:
    await_that("somebody trades", lambda: bool(traded(live)))
    with Command("join", "--gateway", live.town.gateway, "--out", tmp_path / "home", "--once") as newcomer:
        for service in live.services:
            kill_and_start(service)
            time.sleep(DAY_SECONDS / len(live.services))
        newest = max(traded(live))
        await_that("a later day is traded", lambda: max(traded(live)) > newest)
        result = newcomer.result(SECONDS)
    assert result.code == 0, result.out + result.err
    assert "settled" in result.out
    last = max(traded(live))
    await_that(f"day {last} is final", lambda: last in days(live, "is_final"))
    await_that("all is well", lambda: not any(trouble for _, trouble in live.troubles()))
    for carrier in ("relayer", "metering"):
        await_that(f"{carrier} has brought all", lambda name=carrier: not [*waiting(live, name)])
    # Whatever was killed when: every price, fill and payment is the model's, and all money is there.
    replay, balances = of_market(live.market())
    assert [check for check in reconcile(replay, balances) if not check.ok] == []


def waiting(live: Live, carrier: str) -> Iterator[Path]:
    """Messages that it took and has not brought."""
    return live.town.folder.glob(f"inbox-{carrier}/queued/*.json")
