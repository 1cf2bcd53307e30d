"""One day of a hamlet, run once for all tests that look at its results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from support.commands.hamlet import DEBTOR, POOR, Hamlet
from support.commands.shell import EMBEDDED, run

LONGEST_FIRST = (
    *("test_unreliable_node", "test_markets", "test_interruption", "test_without_chain", "test_growth", "test_nodes"),
    *("test_no_traceback", "test_wheel", "test_clear", "test_operations", "test_commands", "test_study", "test_start"),
)
"""Files that take more than ten seconds; all others come after them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers that take one file after the other end at about the same time if the short ones are last."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        if item.path.parent != here or item.path.stem not in LONGEST_FIRST:
            return len(LONGEST_FIRST)
        return LONGEST_FIRST.index(item.path.stem)

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of one run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[bool]:
    """Whether the folder is still to be made; whoever comes second waits until it is."""
    with folder.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield not folder.exists()


@pytest.fixture(scope="session")
def scenario(shared: Path) -> Path:
    """A small scenario of one day with 24 periods."""
    folder = shared / "hamlet"
    with one_at_a_time(folder) as is_first:
        if is_first:
            Hamlet(more=(POOR, DEBTOR)).write(folder)
    return folder


@pytest.fixture(scope="session")
def day(scenario: Path, shared: Path) -> Path:
    """The folder of a finished run of it."""
    folder = shared / "day"
    with one_at_a_time(folder) as is_first:
        if is_first:
            result = run("day", scenario, "--out", folder, *EMBEDDED)
            assert result.code == 0, result.out + result.err
    return folder
