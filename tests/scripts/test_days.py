"""A run of several days writes each of them when it is over, and one that is killed between them ends the same."""

import time
from pathlib import Path

from support.commands.hamlet import FIRST_DAY, Hamlet, read_table
from support.commands.node import anvil
from support.commands.shell import TIMEOUT, Command, run, without_pictures

DAYS = 3
PERIODS = 24
SIGKILL = -9


def periods_in(path: Path) -> set[int]:
    """Periods that a table speaks of, as far as it is written."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]
    except FileNotFoundError:
        return set()
    return {int(line.split(",")[1]) for line in lines if line.endswith("\n")}


def await_first_day(path: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while len(periods_in(path)) < PERIODS:
        assert time.monotonic() < deadline, f"{path} is never written"
        time.sleep(0.01)


def test_days_are_written_as_they_end_and_again_after_a_kill(tmp_path):
    village = Hamlet(days=DAYS, periods_per_day=PERIODS).write(tmp_path / "hamlet")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with anvil() as node:
        network = "--network", f"ethereum:local:{node}"
        result = run("day", village, "--out", whole, *network, prepare=without_pictures)
    assert result.code == 0, str(result)

    with anvil() as node:
        network = "--network", f"ethereum:local:{node}"
        with Command("day", village, "--out", killed, *network) as driver:
            await_first_day(killed / "settlement.csv")
            written = periods_in(killed / "settlement.csv")
            driver.process.kill()
            assert driver.result().code == SIGKILL
        assert not (killed / "run.json").exists()
        result = run("day", village, "--out", killed, *network, prepare=without_pictures)
        assert result.code == 0, str(result)

    first = int(FIRST_DAY.timestamp()) // 3600
    assert min(written) == first
    assert len(written) < DAYS * PERIODS, "the days were all written at once"
    assert periods_in(killed / "settlement.csv") == set(range(first, first + DAYS * PERIODS))
    numbers = [int(row["order"]) for row in read_table(whole / "orders.csv")]
    assert numbers == list(range(1, len(numbers) + 1))
    for table in whole.glob("*.csv"):
        assert (killed / table.name).read_bytes() == table.read_bytes(), table.name
