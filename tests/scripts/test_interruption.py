"""The driver killed again and again, and started again with the same folder and chain, ends where it would have."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from support.commands.hamlet import Hamlet
from support.commands.node import Cut, anvil, wire_to
from support.commands.shell import TIMEOUT, Command, run, without_pictures

SEED = 1
KILLS = int(os.environ.get("DEM_KILLS", "10"))
MOST_OF_A_KIND = 3
DISTINCT_STEPS = KILLS // 2
"""So many different things were being done at the kills, at least."""
SIGKILL = -9


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many members that registration, orders, readings and settlement take several transactions each."""
    return Hamlet(consumers=28, plants=12, periods_per_day=96).write(tmp_path_factory.mktemp("scenarios") / "hamlet")


def network(url: str) -> tuple[str, str]:
    return "--network", f"ethereum:local:{url}"


def tables(folder: Path) -> dict[str, bytes]:
    """Every CSV file of a run."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def await_rows(path: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not path.exists() or path.read_text(encoding="utf-8").count("\n") < 2:
        assert time.monotonic() < deadline, f"{path} is never written"
        time.sleep(0.001)


def cuts(changes: Sequence[str], random: Random) -> list[Cut]:
    """Random points of a run, in its order; what is done often is met a few times, and everything else too."""
    points = []
    for what in dict.fromkeys(changes):
        own = [i for i, change in enumerate(changes) if change == what]
        points += random.sample(own, min(MOST_OF_A_KIND, len(own)))
    return [
        Cut(changes[i], changes[:i].count(changes[i]), heard=random.random() < 0.5)
        for i in sorted(random.sample(points, KILLS))
    ]


def test_a_run_that_is_killed_again_and_again_ends_like_one_that_is_not(village, tmp_path):
    with anvil() as node, wire_to(node) as (wire, url):
        undisturbed = run("day", village, "--out", tmp_path / "undisturbed", *network(url), prepare=without_pictures)
        assert undisturbed.code == 0, undisturbed
        changes = wire.changes

    kills, out = cuts(changes, Random(SEED)), tmp_path / "killed"
    assert len({cut.what for cut in kills}) >= DISTINCT_STEPS, kills
    assert {cut.heard for cut in kills} == {True, False}
    with anvil() as node, wire_to(node) as (wire, url):
        for cut in kills:
            with Command("day", village, "--out", out, *network(url)) as driver:
                wire.arm(cut, driver.process.kill)
                assert driver.result().code == SIGKILL, (cut, driver.result())
        with Command("day", village, "--out", out, *network(url)) as driver:
            await_rows(out / "clearing.csv")
            driver.process.kill()
            assert driver.result().code == SIGKILL
        last = run("day", village, "--out", out, *network(url), prepare=without_pictures)
        assert last.code == 0, last

    assert tables(out) == tables(tmp_path / "undisturbed")
    # Only what the node heard and the driver never knew is done again: a contract, its roles, a number set, the clock.
    again = Counter(wire.changes) - Counter(changes)
    assert again.keys() <= {"deploy", "Authority.labelRole", "Council.setThreshold", "clock"}
    assert again.total() <= sum(cut.heard for cut in kills)
