"""A live market in real time: whatever ends while days go on, every invariant holds, and nothing is lost or paid twice.

Every service is killed in turn, PostgreSQL is restarted, a broker is away, and a newcomer joins and is settled. Where
go-ethereum is built, the chain is a network of four nodes, of which one is lost, and which then falls into halves.
"""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from away import DRAWS, Home
from support.commands.hamlet import Hamlet, long_auctions
from support.commands.shell import PROJECT, Command, run
from support.databases import restart, uri
from support.devnet import Devnet, free_config

from dem.devnet.live.service import Live, Service
from dem.devnet.live.town import Town
from dem.errors import DemError
from dem.gateway.client import Client
from dem.relay.history import of_market
from dem.replay.reconcile import reconcile
from dem.roles.outbox import Outbox

DAY_SECONDS, SETUP_SECONDS = 72, 120
SECONDS = 1_200.0
"""For what takes minutes on a machine that has nothing else to do."""
PORTS = 40
AWAY_PERIODS, APART_SECONDS = 10, 30
CENTS = 500


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
def network(tmp_path: Path) -> Iterator[Devnet | None]:
    """Four nodes where they can be had."""
    if not (PROJECT / ".geth" / "geth").exists():
        yield None
        return
    devnet = Devnet(free_config(), tmp_path / "devnet")
    devnet.start()
    yield devnet
    devnet.stop()


@pytest.fixture
def live(tmp_path: Path, network: Devnet | None) -> Iterator[Live]:
    """Days of about a minute of real time, most of which an auction is open; what the gateway knows in PostgreSQL."""
    scenario = long_auctions(Hamlet().write(tmp_path / "hamlet"))
    nodes = () if network is None else tuple(node.url for node in network.nodes)
    market = Live(Town(tmp_path / "live", free_ports(), nodes), DAY_SECONDS, SETUP_SECONDS)
    where = ("--out", market.town.folder, "--port", str(market.town.port), "--nodes", ",".join(nodes))
    options = ("--day-minutes", str(DAY_SECONDS / 60), "--setup-time", str(SETUP_SECONDS), "--state", uri(tmp_path))
    try:
        result = run("live", "start", scenario, *where, *options)
        assert result.code == 0, result.out + result.err
        yield market
    finally:
        market.stop()


@pytest.fixture
def home(live: Live, tmp_path: Path) -> Iterator[Home]:
    """A household, its meter, the broker and the agent that brings what it shows."""
    await_that("the gateway", lambda: Client(live.town.gateway).market is not None)
    made = Home(tmp_path / "told", live.town.gateway)
    made.start()
    with ExitStack() as stack:
        stack.enter_context(Command("role", "household", "--config", made.newcomer.household))
        stack.enter_context(Command("meters", "agent", "--config", made.agent))
        yield made
    made.stop()


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


def rows(live: Live, question: str, *values: object) -> list[tuple[int, ...]]:
    """Of the index."""
    with closing(sqlite3.connect(f"file:{live.town.index}?mode=ro", uri=True)) as index:
        return index.execute(question, values).fetchall()


def participant(live: Live, account: str) -> int:
    """Number of a member, 0 if it is none."""
    found = rows(live, "SELECT id FROM participant_registry_admitted WHERE account = ?", account)
    return found[0][0] if found else 0


def metered(live: Live, account: str, day: int = 0) -> list[int]:
    """What a member's meter has said of a day, or of any, by period."""
    question = "SELECT net_wh FROM reading WHERE id = ? AND day >= ? AND day <= ? ORDER BY day, slot"
    return [net for (net,) in rows(live, question, participant(live, account), day, day or 10**6)]


def lose_broker(live: Live, home: Home) -> range:
    """Once the home is metered; the days in which its broker was away."""
    await_that("the home is metered", lambda: bool(metered(live, home.own.account)))
    return home.lose_broker(AWAY_PERIODS)


def lose_nodes(network: Devnet) -> None:
    """One of them is killed, and started again; then two and two cannot reach each other."""
    node = network.nodes[-1]
    node.kill()
    time.sleep(APART_SECONDS / 2)
    network.start_node(node)
    network.split(network.nodes[:2])
    time.sleep(APART_SECONDS)
    network.connect()
    network.mend()


def test_a_market_in_which_everything_fails_once_goes_on(
    live: Live, home: Home, network: Devnet | None, tmp_path: Path
) -> None:
    await_that("somebody trades", lambda: bool(traded(live)))
    with (
        Command("join", "--gateway", live.town.gateway, "--out", tmp_path / "home", "--once") as newcomer,
        ThreadPoolExecutor(1) as others,
    ):
        away = others.submit(lose_broker, live, home)
        await_that("the home has money", lambda: has_money(home))
        asked = home.ask_for_money(CENTS, live.town.folder / "banks.csv")
        for number, service in enumerate(live.services):
            if number == len(live.services) // 2:
                restart(tmp_path)
            kill_and_start(service)
            time.sleep(DAY_SECONDS / len(live.services))
        days_away = away.result(SECONDS)
        if network is not None:
            await_that("the home is metered", lambda: bool(metered(live, home.own.account, days_away[-1])))
            lose_nodes(network)
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
    # What the broker did not carry was told and signed all the same, to the Wh.
    for day in days_away:
        assert metered(live, home.own.account, day) == [DRAWS] * home.calendar.periods_per_day
    # What was signed for was paid once: burned on the chain, and ordered from the bank.
    await_that("the money is ordered", lambda: bool(ordered(live)))
    assert ordered(live) == [(asked, CENTS * 10**6)]
    await_that("the money is out for good", lambda: home.state_of(asked) == "final")
    # Whatever was killed when: every price, fill and payment is the model's, and all money is there.
    replay, balances = of_market(live.market())
    assert [check for check in reconcile(replay, balances) if not check.ok] == []


def has_money(home: Home) -> bool:
    """Whether it was admitted, and the treasurer has deposited what it paid."""
    home.own.log_in()
    number = home.own.participant
    return bool(number) and float(home.own.get(f"/v1/members/{number}")["balance"] or 0) > 0


def ordered(live: Live) -> list[tuple[str, int]]:
    """Everything that the bank was told to pay."""
    orders = Outbox(live.town.folder / "payouts").orders()
    return [(payout.reference, payout.amount) for order in orders for payout in order.payouts]


def waiting(live: Live, carrier: str) -> Iterator[Path]:
    """Messages that it took and has not brought."""
    return live.town.folder.glob(f"inbox-{carrier}/queued/*.json")
