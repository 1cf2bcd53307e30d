"""A small live market: every service is killed in turn while days go on, and a newcomer joins and is settled."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands.hamlet import Hamlet
from support.commands.shell import Command, run

from dem.gateway.client import Client
from dem.live.service import NODE, Live, Service
from dem.live.town import Town
from dem.relay.history import of_market
from dem.replay.reconcile import reconcile

SECONDS = 900.0
"""For what takes a minute on a machine that has nothing else to do."""


def free_ports(count: int = 40) -> int:
    """The first of some ports that nobody listens at."""
    for first in range(20_000, 60_000, 500):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no ports are free")


def await_that(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if holds():
                return
        except Exception as error:
            reason = str(error)
        else:
            reason = "not yet"
        assert time.monotonic() < deadline, f"{what}: {reason}"
        time.sleep(1)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Days of about a minute of real time."""
    scenario = Hamlet(consumers=3, plants=2, days=3).write(tmp_path / "hamlet")
    market = Live(Town(tmp_path / "live", free_ports()))
    options = ("--out", market.town.folder, "--port", str(market.town.port), "--day-minutes", "1", "--setup-time", "60")

    def start() -> None:
        result = run("live", "start", scenario, *options)
        assert result.code == 0, result.out + result.err

    try:
        start()
        market.start_again = start  # type: ignore[attr-defined]
        yield market
    finally:
        market.stop()


def days(live: Live) -> list[dict[str, object]]:
    found: list[dict[str, object]] = Client(live.town.gateway).get("/v1/days")
    return found


def kill(service: Service) -> None:
    pid = service.pid
    assert pid is not None, f"{service.name} does not run: {service.log.read_text()[-2_000:]}"
    os.kill(pid, signal.SIGKILL)
    await_that(f"{service.name} ends", lambda: service.pid is None)


def test_a_market_whose_services_are_all_killed_in_turn_goes_on(live: Live, tmp_path: Path) -> None:
    def traded() -> list[int]:
        return [int(str(day["day"])) for day in days(live) if day["volume_wh"]]

    def is_final(day: int) -> bool:
        return any(one["day"] == day and one["is_final"] for one in days(live))

    await_that("somebody trades", lambda: bool(traded()))
    with Command("join", "--gateway", live.town.gateway, "--out", tmp_path / "home", "--once") as newcomer:
        for service in live.services:
            kill(service)
            live.start_again()  # type: ignore[attr-defined]
        newest = max(traded())
        await_that("a later day is traded", lambda: max(traded()) > newest)
        result = newcomer.result(SECONDS)
    assert result.code == 0, result.out + result.err
    assert "settled" in result.out
    last = max(traded())
    await_that(f"day {last} is final", lambda: is_final(last))
    assert all(not trouble for service, trouble in live.troubles() if service.name == NODE)
    # Whatever was killed when: every price, fill and payment is the model's, and all money is there.
    replay, balances = of_market(live.market())
    assert [check for check in reconcile(replay, balances) if not check.ok] == []
